/* api/commit_bell.h - tells the api's loop that the store has news, however many commits there are.
 *
 * Role:      the store's writer rings after a commit; those who wait for rows that others write (streams) are
 *            told on their loop. While one ring is under way the next ones are the same, and without anybody
 *            who waits nothing is posted at all.
 * Ownership: lies in whoever runs store and loop; outlives both.
 * Threads:   commit_bell_committed: the writer's; all else: the loop's that owns the port.
 */
#ifndef CH_API_COMMIT_BELL_H
#define CH_API_COMMIT_BELL_H

#include <stdatomic.h>

#include "base/port.h"
#include "store/request.h"

struct commit_bell {
	struct ch_port *port;
	struct ch_msg msg;
	atomic_bool is_rung; /* msg is under way */
	atomic_size_t waiting;
	void (*heard)(void *ctx); /* set before anybody waits */
	void *ctx;
};

void commit_bell_init(struct commit_bell *b, struct ch_port *port);
/* As store_watcher.committed. */
void commit_bell_committed(struct commit_bell *b, struct store_request *const *requests, size_t n);
/* One more, one less who waits for attempts. What is committed after wait has returned is heard. */
void commit_bell_wait(struct commit_bell *b);
void commit_bell_leave(struct commit_bell *b);

#endif
