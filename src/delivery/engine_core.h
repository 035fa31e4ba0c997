/* delivery/engine_core.h - what the files of the engine share; nobody else includes it.
 *
 * Role:      struct engine, and the doors between engine.c (turns and timers), engine_ring.c (who sends
 *            next), engine_lanes.c (which lanes there are, their settings), engine_states.c (their states),
 *            engine_switch.c (webhooks that we switch off), engine_rotation.c (their secrets),
 *            engine_events.c (what they have to tell), engine_outage.c (our own line), engine_survey.c
 *            (which webhooks there are), claim.c and probe.c (the store's deliveries), pipeline.c (an attempt
 *            out), pipeline_verdict.c (what it means), pipeline_result.c (its result into the store),
 *            engine_test.c (test calls) and engine_check.c (whether a URL would do).
 * Threads:   the engine's loop.
 * Invariant: engine_replan ran after each change to a lane: rings, claimers and both heaps follow from the
 *            lane's fields and are set nowhere else.
 */
#ifndef CH_DELIVERY_ENGINE_CORE_H
#define CH_DELIVERY_ENGINE_CORE_H

#include "delivery/lane.h"
#include "policy/outage.h"

#define ENGINE_PAUSE_MIN_MS 100
#define ENGINE_PAUSE_MAX_MS 5000
/* How long what is damaged in the store is left alone. A delivery whose result can't be stored stays due
 * there: each try is sent again in full and forgotten again, so that tries must be few, yet whoever mends the
 * store by hand should not have to wait for a day. */
#define ENGINE_DAMAGED_PAUSE_MS ((int64_t)3600 * 1000)
#define ENGINE_LOOK_AGAIN_MS 60000 /* the longest wait for a wall time: the wall clock may step */
#define ENGINE_SENDS_A_TURN 256
#define ENGINE_TIMERS_A_TURN 1024
#define ENGINE_CLAIMS_A_TURN 32
#define ENGINE_WRITES_A_TURN 256
#define ENGINE_CLAIM_BYTES ((size_t)256 * 1024) /* of bodies, in one claim */
#define ENGINE_LANE_SHARE 16 /* a lane's bodies: at most this part of the budget */
#define ENGINE_RESULTS_MORE 256 /* results on their way to the store beyond max_in_flight */

/* The question for all webhooks: at the start, and whenever news may have been lost. */
struct survey {
	struct store_request request;
	uint64_t number; /* of the last one asked */
	bool under_way;
	bool is_void; /* a webhook was deleted meanwhile: the answer may be older than that */
	bool is_wanted;
	bool missed_fresh; /* a delivery came for a lane that is not known (yet) */
	int64_t at_mono_ms;
	int pause_ms;
};

/* The store refuses writes: results wait, nothing new starts, one write at a time asks whether it is over. */
struct refusal {
	bool is_on;
	bool is_asking;
	int64_t ask_at_mono_ms;
	int pause_ms;
};

/* Our own line or name server is down: nothing is sent but one attempt after a pause, which asks. */
struct downtime {
	struct outage seen;
	bool is_on;
	bool is_asking; /* an attempt is under way to find out */
	bool was_first; /* the latest that was asked had not been asked before in this outage */
	uint64_t number; /* of outages, this one included */
	int64_t began_mono_ms;
	int64_t ask_at_mono_ms;
	int pause_ms;
};

struct engine {
	struct engine_conf conf;
	struct engine_stats stats;
	struct ch_rand_stock rand; /* for ids */
	struct id_gen ids;
	bool (*owns)(void *ctx, const struct id *webhook);
	void *owns_ctx;

	struct ch_map lanes;
	struct ch_list rings[LINE_COUNT]; /* lanes that can send; [LINE_NONE] stays empty */
	enum lane_line last_line; /* quick and slow lanes take turns */
	struct ch_list claimers[2]; /* lanes that wait for a claim, first come first served; [1]: slow ones */
	struct ch_heap dues; /* every lane, by wall ms */
	struct ch_heap pauses; /* every lane, by mono ms */
	struct ch_list flights; /* held, in flight, oldest first; none longer than LANE_SLOW_MS */
	struct ch_list overdue; /* held, in flight for longer than that */
	struct ch_list unwritten; /* held, whose result the store refused */
	struct lane_totals totals;

	int lanes_by_state[LANE_STATE_COUNT];
	int in_line[LINE_COUNT]; /* lanes in each ring; of [LINE_NONE] no use is made */
	int rate_limited; /* lanes whose rate limit holds something back */
	int in_flight;
	int slow_in_flight; /* of slow lanes when they began, and what is overdue */
	int probes_in_flight;
	int results; /* on their way to the store, or refused */
	int claims; /* under way */
	int switch_offs; /* under way */
	int tidyings; /* of rotations and suspensions that ended, under way */
	int tellings; /* of events, under way */
	struct ch_list untold; /* events that the store refused */
	int64_t tell_at_mono_ms; /* when to try again with those */
	struct ch_list trials; /* test calls under way (engine_test.c) */
	int trial_count;
	struct ch_list checks; /* of URLs, under way (engine_check.c) */
	int check_count;
	size_t reserved_bytes; /* for the answers of claims */

	struct survey survey;
	struct refusal refusal;
	struct downtime downtime;
	bool is_stopping;
	bool is_aborted;
};

static inline int64_t engine_wall_ms(const struct engine *e)
{
	return ch_clock_wall(&e->conf.clock).ms;
}

static inline int64_t engine_mono_ms(const struct engine *e)
{
	return ch_clock_mono(&e->conf.clock).ms;
}

/* ms, give or take 20 %. */
int64_t engine_jitter(const struct engine *e, int64_t ms);
/* The pause after a failure, doubling from ENGINE_PAUSE_MIN_MS to ENGINE_PAUSE_MAX_MS. */
int engine_next_pause(int pause_ms);

size_t engine_byte_share(const struct engine *e);
/* Room in the budget for one more body of that lane; the first of all always has it. */
bool engine_has_room(const struct engine *e, const struct lane *l, size_t bytes);
bool engine_may_send(const struct engine *e);
bool engine_may_claim(const struct engine *e, bool is_slow);

/* Brings ring, claimers and timers in line with the lane. The lane may be gone after. */
void engine_replan(struct engine *e, struct lane *l);

struct lane *engine_lane(const struct engine *e, const struct id *webhook); /* NULL: none */

/* ---- engine_ring.c ---- */

void engine_ring_init(struct engine *e);
void engine_stand_in_line(struct engine *e, struct lane *l, enum lane_line line);
/* The next lane to send, out of its ring; NULL: none, or no slot for those there are. */
struct lane *engine_next_in_line(struct engine *e);
bool engine_has_sendable(const struct engine *e);
/* Attempts that have become slow while under way count with the slow ones. */
void engine_note_overdue(struct engine *e);
int64_t engine_next_overdue(const struct engine *e); /* mono ms; INT64_MAX: none */

/* ---- engine_states.c ---- */

void engine_begin_state(struct engine *e, struct lane *l); /* a new lane's */
void engine_set_state(struct engine *e, struct lane *l, enum lane_state to, const char *reason);
/* Brings the state in line with the settings. */
void engine_settle(struct engine *e, struct lane *l);
const char *engine_why_disabled(const struct lane *l); /* NULL: it is not */
void engine_suspend(struct engine *e, struct lane *l, int64_t suspend_s, int status);
/* What the store kept of such a wish; a new lane's. */
void engine_restore_quiet(struct engine *e, struct lane *l, int64_t until_wall_ms, int status);
/* A short rest after a fault of our own. */
void engine_pause(struct engine *e, struct lane *l, const char *why);
/* The endpoint answered. */
void engine_alive(struct engine *e, struct lane *l, int busy);
/* An attempt failed, of the URL that the lane has now. */
void engine_failure(struct engine *e, struct lane *l, const struct id *delivery);
void engine_probe_failed(struct engine *e, struct lane *l);
/* DEAD: tries again at that time. */
void engine_probe_later(struct engine *e, struct lane *l, int64_t at_mono_ms);
/* Something for a dead lane: it can be probed. */
void engine_poke(struct engine *e, struct lane *l);
/* Another URL is another receiver, and none of the past counts. */
void engine_forget_past(struct engine *e, struct lane *l);
/* Something the lane waited for in monotonic time is over. */
void engine_lane_wake(struct engine *e, struct lane *l, int64_t now_mono_ms);

/* ---- engine_switch.c ---- */

#define ENGINE_GONE_WORDS "the receiver answered 410 Gone"
#define ENGINE_HOPELESS_WORDS "nothing succeeded for 5 days"

/* Switches the webhook off in the store, unless its URL is no longer the one that deserved it. words: a
 * constant. */
void engine_switch_off(struct engine *e, struct lane *l, struct target *by, const char *words);
void engine_switch_again(struct engine *e, struct lane *l);
/* New settings while that is under way. */
void engine_review_switch(struct engine *e, struct lane *l);

/* ---- engine_rotation.c ---- */

/* Before anything is signed: a rotation whose time is over ends. */
void engine_rotate(struct engine *e, struct lane *l);
/* Tells the store of the lane's settings, in passing: should it come to nothing, it keeps what it has.
 * ends_quiet: and that the receiver no longer asks to be left alone. */
void engine_write_back(struct engine *e, const struct lane *l, bool ends_quiet);

/* ---- engine_events.c ---- */

/* The lane has just become DEAD. */
void engine_tell_dead(struct engine *e, const struct lane *l);
int64_t engine_next_telling(const struct engine *e); /* mono ms; INT64_MAX: nothing waits to be told */
void engine_tell_again(struct engine *e);
void engine_drop_untold(struct engine *e);

/* ---- engine_outage.c ---- */

void engine_outage_init(struct engine *e);
/* An attempt ended. True: it is to be taken as our own fault. was_dead: when it began. */
bool engine_outage_note(struct engine *e, const struct transport_job *job, bool was_dead, bool was_asking);
bool engine_outage_may_ask(const struct engine *e);

/* ---- engine_lanes.c ---- */

void engine_log_lane(struct engine *e, const struct lane *l);
/* Takes *w: makes the lane or changes it. NULL: no memory; a survey will bring it again. */
struct lane *engine_apply_webhook(struct engine *e, struct webhook *w);
/* The lane may be gone after. */
void engine_delete_lane(struct engine *e, struct lane *l);

/* ---- engine_survey.c ---- */

void engine_want_survey(struct engine *e, int64_t at_mono_ms);
void engine_submit_survey(struct engine *e);

/* ---- claim.c ---- */

void claim_submit(struct engine *e, struct lane *l);

/* ---- probe.c ---- */

/* Asks the store for one to probe with; the lane is PROBING. */
void probe_submit(struct engine *e, struct lane *l);

/* ---- pipeline.c, pipeline_result.c ---- */

/* Starts an attempt at the lane's next delivery. is_asking: to find out whether our line works. */
void pipeline_send(struct engine *e, struct lane *l, bool is_asking);
void pipeline_cancel_all(struct engine *e);
/* Writes again what the store refused: one to ask with, or all when it takes writes. */
void pipeline_write_again(struct engine *e);
void pipeline_drop_unwritten(struct engine *e);

#endif
