/* store/writer.h - what happens around one transaction: write, tell, answer, sweep on.
 *
 * Role:      shared by both clients. A batch goes to the store; the watcher hears of the commit; the
 *            sweeps that it calls for are queued; the answers go out, one wake-up a port.
 * Ownership: a request given to run is its asker's again when its answer is posted. Sweeps are the
 *            writer's own. The store is borrowed.
 * Threads:   belongs to the thread that writes; stats may be read from any.
 * Errors:    a batch that fails as a whole is answered so, and stats.last_error says it until one
 *            succeeds. Not so CH_EDAMAGED: such a batch is tried again in smaller parts, in order,
 *            until only the requests concerned fail, and last_error stays as it was. A sweep that
 *            fails, or for which there is no memory, is looked up again in the store WRITER_RETRY_MS
 *            later: the store remembers what is unfinished. So it is while sweeps are: a deleted account
 *            is removed behind those of its webhooks. So is a step of retention; what it fails at for
 *            damage is left out of this round, with all that the round would have come to behind it in the
 *            same walk.
 */
#ifndef CH_STORE_WRITER_H
#define CH_STORE_WRITER_H

#include "base/list.h"
#include "store/client.h"

#define WRITER_SWEEP_ROWS 500
#define WRITER_REPLAY_ROWS 250
#define WRITER_RETRY_MS 1000
/* Steps of retention: some milliseconds each, one transaction in several, and none while many wait, for a
 * second at most. */
#define WRITER_RETENTION_ROWS 100
#define WRITER_RETENTION_PAUSE_MS 8
#define WRITER_RETENTION_EVERY_MS 600000 /* from the end of a round to the next */
#define WRITER_RETENTION_BUSY 64
#define WRITER_RETENTION_WAIT_MS 1000
#define WRITER_RETENTION_AHEAD_MS 3600000 /* what the wall clock may gain on the other */

struct store_writer {
	struct store *store;
	struct store_reader *reader; /* for finding unfinished sweeps */
	struct ch_clock clock;
	struct store_watcher watcher;
	struct store_stats *stats; /* borrowed */
	struct ch_list sweeps; /* requests of our own; at most one a webhook */
	struct ch_list replays; /* the next step of each that is RUNNING */
	struct ch_list retentions; /* the next step of retention; at most one */
	struct store_retention retention;
	struct ch_wall kept_since_wall; /* when retention was told, by either clock */
	struct ch_mono kept_since_mono;
	bool must_look; /* the store has to be asked for sweeps */
	int64_t look_at_mono_ms;
};

/* The first look for unfinished sweeps is due at once. */
int store_writer_init(struct store_writer *w, struct store *store, const struct ch_clock *clock,
		const struct store_watcher *watcher, struct store_stats *stats,
		struct ch_err *err) CH_MUST_USE;
void store_writer_fini(struct store_writer *w);

/* From now on, and once only: what is older is removed. The first round begins after WRITER_RETRY_MS.
 * CH_ENOMEM. */
int store_writer_keep(struct store_writer *w, const struct store_retention *retention,
		struct ch_err *err) CH_MUST_USE;

void store_writer_run(struct store_writer *w, struct store_request *const *requests, size_t n);

/* Looks for unfinished sweeps when that is due, or at once with even_early. */
void store_writer_look(struct store_writer *w, bool even_early);
/* Until the next look is due; -1: there is none to come. */
int store_writer_look_in_ms(const struct store_writer *w);
/* Until the next step of a replay or of retention is due; -1: there is none. */
int store_writer_step_in_ms(const struct store_writer *w);
bool store_writer_has_work(const struct store_writer *w); /* next_sweep would give one */
/* The next sweep, or else step of a replay or of retention, to be put into a batch; NULL: none is due. */
struct store_request *store_writer_next_sweep(struct store_writer *w);

/* For clients: what every submitted request goes through, and every answer that run does not send. */
void store_writer_accept(struct store_request *r, const struct ch_clock *clock);
void store_writer_answer(struct ch_list *requests); /* by msg.link; emptied */

#endif
