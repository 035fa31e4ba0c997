#include <pthread.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "store/turns.h"
#include "store/writer.h"

/* Not sooner after one another than this: a checkpoint costs about as much as ten commits, and an accept
 * that comes meanwhile waits for it. */
#define MAINTAIN_EVERY_MS 1000

struct reader_thread {
	struct threads_client *client;
	pthread_t thread;
	struct store_reader *reader;
};

struct threads_client {
	struct store_client base;
	struct store *store; /* owned once started */
	struct store_threads_conf conf;
	struct store_stats stats;

	pthread_mutex_t lock; /* over the next three; also between a submitted write and is_stopping */
	pthread_cond_t read_wake;
	struct ch_list reads;
	bool is_stopping;

	struct ch_queue writes;
	struct ch_list stop; /* pushed behind the last write */

	/* The writer thread's. */
	struct turns turns;
	struct store_writer writer;
	struct store_request **batch;
	bool has_stopped; /* stop has come by */
	bool has_news; /* commits since the last maintain */
	int64_t maintained_mono_ms;

	pthread_t writer_thread;
	bool has_writer;
	struct reader_thread *readers;
	int reader_count; /* running */
};

static struct threads_client *threads_of(struct store_client *c)
{
	return CH_CONTAINER_OF(c, struct threads_client, base);
}

static struct store_request *request_of(struct ch_list *n)
{
	return CH_CONTAINER_OF(CH_CONTAINER_OF(n, struct ch_msg, link), struct store_request, msg);
}

static void threads_submit(struct store_client *base, struct store_request *r)
{
	struct threads_client *c = threads_of(base);
	bool is_late;

	store_writer_accept(r, &c->conf.clock);
	pthread_mutex_lock(&c->lock);
	is_late = c->is_stopping;
	if (!is_late && store_kind_is_write(r->kind)) {
		atomic_fetch_add(&c->stats.queued, 1);
		if (r->kind == STORE_ATTEMPT)
			ch_queue_push_patient(&c->writes, &r->msg.link);
		else
			ch_queue_push(&c->writes, &r->msg.link);
	} else if (!is_late) {
		ch_list_push_back(&c->reads, &r->msg.link);
		pthread_cond_signal(&c->read_wake);
	}
	pthread_mutex_unlock(&c->lock);
	if (is_late) {
		r->result = ch_err_set(&r->err, CH_ECANCELED, "the store is closing");
		ch_port_post(r->reply_to, &r->msg);
	}
}

/* reader threads */

/* NULL: stopping, and nothing is left. */
static struct store_request *next_read(struct threads_client *c)
{
	struct ch_list *n;

	pthread_mutex_lock(&c->lock);
	while (ch_list_is_empty(&c->reads) && !c->is_stopping)
		pthread_cond_wait(&c->read_wake, &c->lock);
	n = ch_list_pop_front(&c->reads);
	pthread_mutex_unlock(&c->lock);
	return n == NULL ? NULL : request_of(n);
}

static void *reader_main(void *arg)
{
	struct reader_thread *t = arg;
	struct store_request *r;

	while ((r = next_read(t->client)) != NULL) {
		t->client->store->ops->read(t->reader, r);
		atomic_fetch_add(&t->client->stats.reads, 1);
		ch_port_post(r->reply_to, &r->msg);
	}
	return NULL;
}

/* writer thread */

/* How many more results make it worth to begin before their time is over. */
static size_t company_wanted(const struct threads_client *c)
{
	if (c->turns.len == 0 || c->turns.len >= c->conf.batch_max)
		return 1;
	return c->conf.batch_max - c->turns.len;
}

/* Moves what was submitted to its line; waits up to wait_ms (-1: for ever) while there is nothing, or only
 * results that wait for company: those must not wake this thread one by one. */
static size_t fetch(struct threads_client *c, int wait_ms)
{
	struct ch_list items, *n;
	size_t count;

	ch_list_init(&items);
	count = wait_ms == 0 ? ch_queue_take(&c->writes, &items)
			     : ch_queue_take_many(&c->writes, &items, company_wanted(c), wait_ms);
	while ((n = ch_list_pop_front(&items)) != NULL) {
		if (n == &c->stop)
			c->has_stopped = true;
		else
			turns_add(&c->turns, request_of(n));
	}
	return count;
}

static int earlier(int a_ms, int b_ms)
{
	if (a_ms < 0 || b_ms < 0)
		return a_ms < 0 ? b_ms : a_ms;
	return a_ms < b_ms ? a_ms : b_ms;
}

static int left_of(const struct threads_client *c, int64_t since_mono_ms, int span_ms)
{
	int64_t left = since_mono_ms + span_ms - ch_clock_mono(&c->conf.clock).ms;

	if (left > span_ms)
		return span_ms;
	return left < 0 ? 0 : (int)left;
}

static int maintain_in_ms(const struct threads_client *c)
{
	if (!c->has_news || c->store->ops->maintain == NULL)
		return -1;
	return left_of(c, c->maintained_mono_ms, MAINTAIN_EVERY_MS);
}

/* Nothing waits: a good moment for what is due of the housekeeping, or, with even_early, for all of it. */
static void keep_house(struct threads_client *c, bool even_early)
{
	int in_ms = maintain_in_ms(c);

	store_writer_look(&c->writer, even_early);
	if (in_ms < 0 || (in_ms > 0 && !even_early))
		return;
	c->store->ops->maintain(c->store);
	c->has_news = false;
	c->maintained_mono_ms = ch_clock_mono(&c->conf.clock).ms;
}

/* How long a batch may still be waited for: 0 - begin now. */
static int wait_ms(const struct threads_client *c)
{
	if (c->has_stopped || store_writer_has_work(&c->writer))
		return 0;
	if (c->turns.len == 0)
		return earlier(earlier(maintain_in_ms(c), store_writer_look_in_ms(&c->writer)),
				store_writer_step_in_ms(&c->writer));
	if (!turns_only_results(&c->turns) || c->turns.len >= c->conf.batch_max)
		return 0;
	return left_of(c, c->turns.results_since_mono_ms, c->conf.result_wait_ms);
}

/* Comes back when there is something to write, or the end. A wait that ran its whole time counts as over
 * even if the clock that was handed in says otherwise: a virtual one stands still. */
static void gather(struct threads_client *c)
{
	fetch(c, 0);
	for (;;) {
		int left;

		if (c->turns.len == 0 && !c->has_stopped)
			keep_house(c, false);
		left = wait_ms(c);
		if (left == 0 && (c->turns.len > 0 || c->has_stopped || store_writer_has_work(&c->writer)))
			return;
		if (fetch(c, left) > 0)
			continue;
		if (c->turns.len > 0)
			return;
		keep_house(c, true);
	}
}

static void run_batch(struct threads_client *c)
{
	size_t count = turns_take(&c->turns, c->batch, c->conf.batch_max);
	struct store_request *sweep = c->has_stopped ? NULL : store_writer_next_sweep(&c->writer);

	atomic_fetch_sub(&c->stats.queued, (long long)count);
	/* batch has room for one more than batch_max, so that a sweep, at most one a transaction because
	 * it is as heavy as hundreds of accepts, never has to wait for a free place. */
	if (sweep != NULL)
		c->batch[count++] = sweep;
	if (count == 0)
		return; /* the step that was due let others go first, and they are still on their way */
	store_writer_run(&c->writer, c->batch, count);
	c->has_news = true;
}

static void *writer_main(void *arg)
{
	struct threads_client *c = arg;

	store_writer_look(&c->writer, true);
	CH_CRASH_POINT(sweeps_resumed);
	for (;;) {
		gather(c);
		if (c->turns.len == 0 && c->has_stopped)
			return NULL;
		run_batch(c);
	}
}

/* start and stop */

static void stop_threads(struct threads_client *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_stopping = true;
	ch_queue_push(&c->writes, &c->stop);
	pthread_cond_broadcast(&c->read_wake);
	pthread_mutex_unlock(&c->lock);
	if (c->has_writer)
		pthread_join(c->writer_thread, NULL);
	else
		fetch(c, 0);
	for (int i = 0; i < c->reader_count; i++) {
		pthread_join(c->readers[i].thread, NULL);
		c->store->ops->reader_close(c->readers[i].reader);
	}
}

/* The store is left to whoever owns it. */
static void free_client(struct threads_client *c)
{
	stop_threads(c);
	store_writer_fini(&c->writer);
	ch_queue_fini(&c->writes);
	pthread_cond_destroy(&c->read_wake);
	pthread_mutex_destroy(&c->lock);
	ch_free(c->readers);
	ch_free(c->batch);
	ch_free(c);
}

static void threads_destroy(struct store_client *base)
{
	struct store *store = threads_of(base)->store;

	free_client(threads_of(base));
	store_close(&store);
}

/* Signals are for the loops: a thread of the store must not be the one that a signal interrupts. */
static int start_thread(pthread_t *thread, const char *name, void *(*main)(void *arg), void *arg)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		pthread_setname_np(*thread, name);
	return rc;
}

static int start_readers(struct threads_client *c, struct ch_err *err)
{
	for (int i = 0; i < c->conf.readers; i++) {
		struct reader_thread *t = &c->readers[i];
		int rc = c->store->ops->reader_open(c->store, &t->reader, err);

		if (rc != 0)
			return rc;
		t->client = c;
		if (start_thread(&t->thread, "store-reader", reader_main, t) != 0) {
			c->store->ops->reader_close(t->reader);
			return ch_err_set(err, CH_EIO, "no thread for a reader of the store");
		}
		c->reader_count++;
	}
	return 0;
}

static int start_threads(struct threads_client *c, struct ch_err *err)
{
	int rc = start_readers(c, err);

	if (rc != 0)
		return rc;
	if (start_thread(&c->writer_thread, "store-writer", writer_main, c) != 0)
		return ch_err_set(err, CH_EIO, "no thread for the writer of the store");
	c->has_writer = true;
	return 0;
}

static int init_locks(struct threads_client *c, struct ch_err *err)
{
	int rc = ch_queue_init(&c->writes, false, err);

	if (rc != 0)
		return rc;
	if (pthread_mutex_init(&c->lock, NULL) != 0) {
		ch_queue_fini(&c->writes);
		return ch_err_set(err, CH_ENOMEM, "no memory for a lock");
	}
	if (pthread_cond_init(&c->read_wake, NULL) != 0) {
		pthread_mutex_destroy(&c->lock);
		ch_queue_fini(&c->writes);
		return ch_err_set(err, CH_ENOMEM, "no memory for a condition");
	}
	return 0;
}

static struct threads_client *alloc_client(const struct store_threads_conf *conf)
{
	struct threads_client *c = ch_calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->conf = *conf;
	c->batch = ch_calloc(conf->batch_max + 1, sizeof(struct store_request *));
	c->readers = ch_calloc((size_t)conf->readers, sizeof(struct reader_thread));
	if (c->batch == NULL || c->readers == NULL) {
		ch_free(c->batch);
		ch_free(c->readers);
		ch_free(c);
		return NULL;
	}
	c->base.submit = threads_submit;
	c->base.destroy = threads_destroy;
	ch_list_init(&c->reads);
	ch_list_init(&c->stop);
	turns_init(&c->turns);
	c->maintained_mono_ms = ch_clock_mono(&conf->clock).ms;
	return c;
}

static void free_unstarted(struct threads_client *c)
{
	ch_free(c->batch);
	ch_free(c->readers);
	ch_free(c);
}

int store_threads_start(struct store **store, const struct store_threads_conf *conf,
		struct store_client **ret, struct ch_err *err)
{
	struct threads_client *c;
	int rc;

	CH_ASSERT(conf->readers >= 1 && conf->batch_max >= 1 && conf->result_wait_ms >= 0);
	c = alloc_client(conf);
	if (c == NULL)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	c->store = *store;
	rc = init_locks(c, err);
	if (rc != 0) {
		free_unstarted(c);
		return rc;
	}
	rc = store_writer_init(&c->writer, *store, &conf->clock, &conf->watcher, &c->stats, err);
	if (rc != 0) {
		pthread_cond_destroy(&c->read_wake);
		pthread_mutex_destroy(&c->lock);
		ch_queue_fini(&c->writes);
		free_unstarted(c);
		return rc;
	}
	rc = store_writer_keep(&c->writer, &conf->retention, err);
	if (rc == 0)
		rc = start_threads(c, err);
	if (rc != 0) {
		free_client(c);
		return rc;
	}
	*store = NULL;
	*ret = &c->base;
	return 0;
}

struct store_stats *store_threads_stats(struct store_client *c)
{
	CH_ASSERT(c->submit == threads_submit);
	return &threads_of(c)->stats;
}
