/* api/backlog.h - what waits for a webhook, by age.
 *
 * Role:      asks the store in pieces, so that a backlog of a million is many short reads; once for all who
 * ask at the same time; and gives what was counted a while ago to those who come soon after. The longer a
 * count took the longer it is good, so that counting takes a reader one twentieth of its time at most,
 * however many ask. Ownership: the ask is the asker's until done is called. Threads:   the api loop's.
 * Errors:    those of STORE_BACKLOG, in the ask's result.
 */
#ifndef CH_API_BACKLOG_H
#define CH_API_BACKLOG_H

#include "base/list.h"
#include "store/request.h"

struct api;
struct backlogs;

struct backlog_count {
	int64_t counts[BACKLOG_AGES];
	int64_t oldest_ms; /* when the oldest one was made; -1: nothing waits */
};

struct backlog_ask {
	struct ch_list link; /* the module's */
	void (*done)(struct backlog_ask *ask); /* may run before backlogs_ask returns */
	void *ctx;
	int result;
	struct backlog_count count;
};

struct backlogs *backlogs_create(struct api *a); /* NULL: no memory */
void backlogs_destroy(struct backlogs **b); /* nobody may be asking */
/* webhook NULL: of all, of all accounts. */
void backlogs_ask(struct backlogs *b, int64_t account, const struct id *webhook, struct backlog_ask *ask);

#endif
