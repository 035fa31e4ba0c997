/* base/queue.h - messages between threads.
 *
 * Role:      the only way two threads talk: a mutex, a list, and an eventfd that becomes readable
 *            so that an event loop wakes (or a condition, for a thread without a loop).
 * Ownership: a message is the receiver's once pushed; the queue links nodes, it owns none.
 * Threads:   push from any thread; take from one.
 * Errors:    init may fail with CH_EIO (no descriptor). push never fails: the node is the caller's.
 */
#ifndef CH_BASE_QUEUE_H
#define CH_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"

struct ch_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct ch_list items;
	size_t len;
	size_t wake_at; /* how many the taker waits for; 0: it does not wait */
	bool is_urgent; /* something came since the last take that no company is waited for */
	int fd; /* eventfd, readable while items wait; -1 when made without one */
};

int ch_queue_init(struct ch_queue *q, bool with_fd, struct ch_err *err) CH_MUST_USE;
void ch_queue_fini(struct ch_queue *q); /* must be empty */

void ch_queue_push(struct ch_queue *q, struct ch_list *node);
void ch_queue_push_all(struct ch_queue *q, struct ch_list *nodes); /* moves all; one wake-up */

/* Pushes what may wait for company: wakes a taker of ch_queue_take_many only when there are as many as it
 * waits for. The fd becomes readable as with any other push. */
void ch_queue_push_patient(struct ch_queue *q, struct ch_list *node);

/* Moves everything that waits behind into, without blocking; returns how many. Resets the fd. */
size_t ch_queue_take(struct ch_queue *q, struct ch_list *into);

/* The same, but waits up to timeout_ms (-1: for ever) while there is nothing. */
size_t ch_queue_take_wait(struct ch_queue *q, struct ch_list *into, int timeout_ms);

/* The same, but waits until there are `many` (>= 1), or one that was pushed without patience, or the time is
 * over: then with whatever is there. */
size_t ch_queue_take_many(struct ch_queue *q, struct ch_list *into, size_t many, int timeout_ms);

int ch_queue_fd(const struct ch_queue *q);

#endif
