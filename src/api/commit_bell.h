/* api/commit_bell.h - tells the api's loop that the store has news, however many commits there are.
 *
 * Role:      the store's writer rings after a commit; those who wait for rows that others write (streams,
 *            the feed of calls) are told on their loop, each kind of news by a bell of its own. While one
 * ring is under way the next ones are the same, and without anybody who waits nothing is posted at all.
 * Ownership: lies in whoever runs store and loop; outlives both.
 * Threads:   commit_bell_committed: the writer's; all else: the loop's that owns the port.
 */
#ifndef CH_API_COMMIT_BELL_H
#define CH_API_COMMIT_BELL_H

#include <stdatomic.h>

#include "base/port.h"
#include "store/request.h"

enum commit_news {
	COMMIT_ATTEMPTS,
	COMMIT_CALLS, /* versions of finished calls, and tombstones */
	COMMIT_NEWS_COUNT
};

struct commit_line {
	struct ch_port *port;
	struct ch_msg msg;
	atomic_bool is_rung; /* msg is under way */
	atomic_size_t waiting;
	atomic_uint_least64_t accounts; /* whose news it is; as heard gets them */
	void (*heard)(void *ctx, uint64_t accounts); /* set before anybody waits */
	void *ctx;
};

struct commit_bell {
	struct commit_line lines[COMMIT_NEWS_COUNT];
};

void commit_bell_init(struct commit_bell *b, struct ch_port *port);
/* As store_watcher.committed. */
void commit_bell_committed(struct commit_bell *b, struct store_request *const *requests, size_t n);
/* Who hears of it; ask commit_bell_concerns of accounts. */
void commit_bell_listen(struct commit_bell *b, enum commit_news news,
		void (*heard)(void *ctx, uint64_t accounts), void *ctx);
/* One more, one less who waits for such news. What is committed after wait has returned is heard. */
void commit_bell_wait(struct commit_bell *b, enum commit_news news);
void commit_bell_leave(struct commit_bell *b, enum commit_news news);
/* May the account have news? One in 64 has by mistake. */
bool commit_bell_concerns(uint64_t accounts, int64_t account);

#endif
