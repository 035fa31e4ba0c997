#include "base/queue.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

static int init_wake(pthread_cond_t *wake)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);
	if (rc)
		return rc;
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (!rc)
		rc = pthread_cond_init(wake, &attr);
	pthread_condattr_destroy(&attr);
	return rc;
}

static int init_sync(struct ch_queue *q)
{
	int rc = pthread_mutex_init(&q->lock, NULL);
	if (rc)
		return rc;
	rc = init_wake(&q->wake);
	if (rc)
		pthread_mutex_destroy(&q->lock);
	return rc;
}

int ch_queue_init(struct ch_queue *q, bool with_fd, struct ch_err *err)
{
	int fd = -1;
	if (with_fd) {
		fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (fd < 0)
			return ch_err_set(err, CH_EIO, "queue: no eventfd: %s", strerror(errno));
	}
	int rc = init_sync(q);
	if (rc) {
		if (fd >= 0)
			close(fd);
		return ch_err_set(err, CH_EIO, "queue: no mutex or condition: %s", strerror(rc));
	}
	ch_list_init(&q->items);
	q->len = 0;
	q->wake_at = 0;
	q->is_urgent = false;
	q->fd = fd;
	return 0;
}

void ch_queue_fini(struct ch_queue *q)
{
	CH_ASSERT(ch_list_is_empty(&q->items) && q->len == 0);
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	int rc = pthread_cond_destroy(&q->wake);
	CH_ASSERT(rc == 0);
	rc = pthread_mutex_destroy(&q->lock);
	CH_ASSERT(rc == 0);
}

static void lock(struct ch_queue *q)
{
	int rc = pthread_mutex_lock(&q->lock);
	CH_ASSERT(rc == 0);
}

static void unlock(struct ch_queue *q)
{
	int rc = pthread_mutex_unlock(&q->lock);
	CH_ASSERT(rc == 0);
}

/* Held: the lock. Only the step from empty to not empty makes the descriptor readable: the taker takes
 * everything, so a second write would cost a system call and say nothing. It happens under the lock, or
 * a take in between could reset the descriptor before it is set and leave it readable for nothing. */
static void added(struct ch_queue *q, size_t count, bool is_urgent)
{
	bool was_empty = q->len == 0;
	q->len += count;
	q->is_urgent = q->is_urgent || is_urgent;
	if (q->wake_at > 0 && (is_urgent || q->len >= q->wake_at))
		pthread_cond_signal(&q->wake);
	if (q->fd < 0 || !was_empty)
		return;
	uint64_t one = 1;
	ssize_t n = write(q->fd, &one, sizeof(one));
	CH_ASSERT(n == (ssize_t)sizeof(one));
}

void ch_queue_push(struct ch_queue *q, struct ch_list *node)
{
	lock(q);
	ch_list_push_back(&q->items, node);
	added(q, 1, true);
	unlock(q);
}

void ch_queue_push_patient(struct ch_queue *q, struct ch_list *node)
{
	lock(q);
	ch_list_push_back(&q->items, node);
	added(q, 1, false);
	unlock(q);
}

void ch_queue_push_all(struct ch_queue *q, struct ch_list *nodes)
{
	size_t count = 0;
	CH_LIST_FOREACH (nodes, it, next)
		count++;
	if (count == 0)
		return;
	lock(q);
	ch_list_splice_back(&q->items, nodes);
	added(q, count, true);
	unlock(q);
}

/* Held: the lock. */
static size_t take_all(struct ch_queue *q, struct ch_list *into)
{
	size_t count = q->len;
	q->is_urgent = false;
	if (count == 0)
		return 0;
	ch_list_splice_back(into, &q->items);
	q->len = 0;
	if (q->fd >= 0) {
		uint64_t ignored;
		ssize_t n = read(q->fd, &ignored, sizeof(ignored));
		CH_ASSERT(n == (ssize_t)sizeof(ignored));
	}
	return count;
}

size_t ch_queue_take(struct ch_queue *q, struct ch_list *into)
{
	lock(q);
	size_t count = take_all(q, into);
	unlock(q);
	return count;
}

static struct timespec deadline_after(int timeout_ms)
{
	struct ch_clock clock = ch_clock_system();
	int64_t ms = ch_clock_mono(&clock).ms + timeout_ms;
	return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

static bool is_enough(const struct ch_queue *q, size_t many)
{
	return q->len >= many || q->is_urgent;
}

size_t ch_queue_take_many(struct ch_queue *q, struct ch_list *into, size_t many, int timeout_ms)
{
	struct timespec until = {0};
	CH_ASSERT(many >= 1);
	if (timeout_ms > 0)
		until = deadline_after(timeout_ms);
	lock(q);
	int rc = 0;
	q->wake_at = many;
	while (!is_enough(q, many) && timeout_ms != 0 && rc != ETIMEDOUT) {
		if (timeout_ms < 0)
			rc = pthread_cond_wait(&q->wake, &q->lock);
		else
			rc = pthread_cond_timedwait(&q->wake, &q->lock, &until);
		CH_ASSERT(rc == 0 || rc == ETIMEDOUT);
	}
	q->wake_at = 0;
	size_t count = take_all(q, into);
	unlock(q);
	return count;
}

size_t ch_queue_take_wait(struct ch_queue *q, struct ch_list *into, int timeout_ms)
{
	return ch_queue_take_many(q, into, 1, timeout_ms);
}

int ch_queue_fd(const struct ch_queue *q)
{
	return q->fd;
}
