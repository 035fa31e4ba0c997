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
	int fd; /* eventfd, readable while items wait; -1 when made without one */
};

int ch_queue_init(struct ch_queue *q, bool with_fd, struct ch_err *err) CH_MUST_USE;
void ch_queue_fini(struct ch_queue *q); /* must be empty */

void ch_queue_push(struct ch_queue *q, struct ch_list *node);
void ch_queue_push_all(struct ch_queue *q, struct ch_list *nodes); /* moves all; one wake-up */

/* Moves everything that waits behind into, without blocking; returns how many. Resets the fd. */
size_t ch_queue_take(struct ch_queue *q, struct ch_list *into);

/* The same, but waits up to timeout_ms (-1: for ever) while there is nothing. */
size_t ch_queue_take_wait(struct ch_queue *q, struct ch_list *into, int timeout_ms);

int ch_queue_fd(const struct ch_queue *q);

#endif
