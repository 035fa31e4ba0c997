/* delivery/lane.h - one webhook's deliveries in memory, and whether it may send.
 *
 * Role:      settings ready for use (parsed URL, signing key), two queues that take turns, the map of
 *            what is held, the state with its reason. No store, no transport, no clock: the
 *            engine decides, the lane remembers.
 * Units:     next_due_ms is wall ms; *_mono_ms are monotonic; INT64_MAX means never.
 * Ownership: a lane owns its webhook and what it holds. A target is counted: attempts in flight keep
 *            the URL they were sent to while the settings change.
 * Threads:   the engine's loop.
 * Errors:    CH_ENOMEM leaves everything as it was. Settings that can't be used are no error: fault
 *            has the words and the lane is DISABLED.
 * Invariant: busy <= window when an attempt starts, resends aside; a delivery is in held at most once.
 *
 *            too many failures in a row         the pause is over
 *      READY ──────────────────────────> DEAD ─────────────────────> PROBING
 *       ^ ^ \                            │ ^                          │ │
 *       │ │  \  asked to wait            │ └── no answer, or nothing ─┘ │
 *       │ │   \                          │          to probe with       │
 *       │ │    └──────> SUSPENDED <──────┴───────── asked to wait ──────┤
 *       │ └─ time passes ────┘                                          │
 *       └─ an answer (a late one or a resend's too), another URL ───────┘  (from DEAD as well)
 *
 *      any ──> DISABLED     switched off, answered 410, hopeless, deleted, or settings that can't be used
 *      DISABLED ──> READY, SUSPENDED
 */
#ifndef CH_DELIVERY_LANE_H
#define CH_DELIVERY_LANE_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/sm.h"
#include "delivery/engine.h"
#include "policy/health.h"
#include "policy/rate_limit.h"
#include "policy/sign.h"
#include "policy/window.h"

/* A claim pays when it may bring this many. */
#define LANE_CLAIM_MIN 16
/* An endpoint is slow when more than half of its latest attempts took longer. */
#define LANE_SLOW_MS 2000
#define LANE_SAMPLES 16
/* More than these are not remembered: the oldest may be claimed again. */
#define LANE_LOST_MAX 1000

struct target {
	unsigned refs;
	struct url url;
};

struct target *target_ref(struct target *t);
void target_unref(struct target **t);

enum held_where {
	HELD_FRESH, /* queued, came with its commit */
	HELD_BACKLOG, /* queued, claimed from the store */
	HELD_URGENT, /* queued, to be sent again because somebody asked */
	HELD_PROBE, /* queued, to find out whether a dead endpoint lives */
	HELD_IN_FLIGHT,
	HELD_RESULT, /* attempted; the result is not yet acknowledged by the store */
	HELD_GHOST /* let go while a claim is under way, whose answer may be older than that */
};

struct flight;

struct held {
	struct ch_map_node node; /* the lane's held, by delivery.id */
	struct ch_list link; /* fresh, backlog or ghosts of the lane; the engine's flights or unwritten */
	struct lane *lane;
	enum held_where where;
	bool was_resent; /* meanwhile: what the store has is due now */
	struct delivery delivery; /* the body is given back when the attempt ends */
	struct flight *flight; /* HELD_IN_FLIGHT and HELD_RESULT */
};

/* A delivery whose result could not be stored because its row is damaged. The store has it due, and whenever
 * it were claimed it would be sent again: it is left out for a while. */
struct lost {
	struct ch_list link;
	struct id delivery;
	int64_t until_mono_ms;
};

/* Sums over all lanes of an engine; ghosts are not counted. */
struct lane_totals {
	int64_t held;
	size_t body_bytes;
};

struct claim;
struct switch_off;

/* Where a lane stands in line; the engine has a ring for each. */
enum lane_line {
	LINE_NONE,
	LINE_PROBE, /* its next one is a probe */
	LINE_QUICK_FIRST, /* quick, and nothing of it in flight */
	LINE_SLOW_FIRST,
	LINE_QUICK_MORE,
	LINE_SLOW_MORE,
	LINE_COUNT
};

struct lane {
	struct engine *engine;
	struct lane_totals *totals;
	struct ch_map_node node; /* the engine's lanes, by webhook.id */
	struct ch_list ring; /* in the engine's ring of `line`; unlinked: LINE_NONE */
	enum lane_line line;
	struct ch_list claim_link; /* linked: waits for its claim */
	bool claims_slow; /* in which list */
	struct ch_heap_node due; /* wall: when the store will have something; INT64_MAX: not waited for */
	struct ch_heap_node pause; /* mono: when something below ends; INT64_MAX: nothing */

	struct webhook webhook;
	struct target *target; /* NULL when fault is set */
	struct sign_key key;
	struct sign_key next_key; /* of a rotation; both sign until webhook.rotation_ends_ms */
	bool is_signed;
	bool has_next_key; /* only when is_signed */
	char fault[160]; /* why these settings can't be used; "": they can */

	struct ch_sm state; /* enum lane_state */
	char reason[160];
	int64_t suspended_until_mono_ms; /* the receiver's wish; outlives DISABLED, not the URL */
	int suspended_by; /* the status that asked for it */
	int suspensions; /* 429 without Retry-After in a row, the present one included */

	struct health health;
	char failure[96]; /* words of the latest */
	int64_t pending; /* in all, as the store said last, and what came since */
	bool has_answered; /* since its URL is what it is */
	uint64_t asked_in; /* downtime.number of the outage in which it was asked whether our line works */
	int64_t died_mono_ms;
	int64_t probe_at_mono_ms; /* DEAD: INT64_MAX: as soon as there is something to probe with */
	int probes; /* since it died */
	bool has_probed, probe_was_missed; /* missed: something came while the store was asked */
	struct id probed; /* by the latest probe */

	struct rate_limit rate;
	int64_t rate_ready_mono_ms; /* as of the latest replan; past: may send */
	bool is_rate_limited; /* counted in the engine's rate_limited */
	bool is_paused; /* our own fault: a short rest, the state stays READY */
	int64_t paused_until_mono_ms;
	int own_faults; /* pauses in a row */

	struct ch_list fresh, backlog, urgent, ghosts;
	int fresh_count, backlog_count, urgent_count;
	struct held *probe; /* HELD_PROBE; NULL: none */
	bool fresh_was_last;
	struct ch_map held;
	struct ch_list lost; /* struct lost, in the order of their ends; LANE_LOST_MAX at most */
	int lost_count;
	size_t damaged; /* rows that the latest claim could not read */
	int busy; /* in flight */
	int urgent_busy; /* resends among them: they go ahead of the window */
	int overdue; /* of those in flight: longer than LANE_SLOW_MS by now */
	int results; /* HELD_RESULT */
	struct window window;
	uint32_t slow_samples; /* the latest attempts, a bit each: took longer than LANE_SLOW_MS */
	int sample_count; /* 0..LANE_SAMPLES */
	size_t body_bytes;

	int64_t next_due_ms;
	struct claim *claim; /* under way; NULL: none */
	int claim_failures; /* in a row */

	struct target *gone; /* is to be switched off, and is not yet; NULL: no such thing */
	const char *gone_words; /* why; a constant */
	struct switch_off *switch_off; /* under way; NULL: none */
	int64_t switch_at_mono_ms; /* when to try again; INT64_MAX: when news of the webhook comes */

	uint64_t made_in_survey, seen_in_survey; /* the engine's survey.number */
};

struct lane_rules {
	const struct url_rules *urls;
	const uint8_t *seal_key;
};

/* Takes *w. The lane starts DISABLED, whatever the settings say. NULL: no memory, *w is untouched. */
struct lane *lane_create(struct engine *e, struct lane_totals *totals, const struct ch_rand *rand,
		const struct lane_rules *rules, struct webhook *w) CH_MUST_USE;
/* In no list and no heap, nothing in flight; what is queued goes. */
void lane_destroy(struct lane **l);

/* Takes *w and makes its settings the lane's. CH_ENOMEM: neither is touched. */
int lane_set_webhook(struct lane *l, const struct lane_rules *rules, struct webhook *w) CH_MUST_USE;
/* The rotation is over: what is signed from now on is signed with the next key alone. */
void lane_end_rotation(struct lane *l);
void lane_drop_settings(struct lane *l); /* frees webhook, target and key */
/* Forgets URL, key and all but the id; deliveries end with what is in flight. */
void lane_set_deleted(struct lane *l);

enum lane_state lane_state_of(const struct lane *l);
int lane_queued(const struct lane *l); /* fresh and backlog */
int lane_places(const struct lane *l); /* how many that may be */
/* The line to stand in; LINE_NONE: nothing can be sent now. rate_ready_mono_ms must be up to date. */
enum lane_line lane_line_now(const struct lane *l, int64_t now_mono_ms);
/* Something could be sent if only the rate limit let it. */
bool lane_has_sendable(const struct lane *l);
/* More than half of the latest attempts, those overdue included, are slow; or there was none yet: until an
 * endpoint has shown that it is quick it shares with the slow ones. */
bool lane_is_slow(const struct lane *l);
void lane_note_time(struct lane *l, int64_t total_ms);
/* byte_share: how many bytes of bodies this lane may hold; one delivery always fits. */
bool lane_takes_fresh(const struct lane *l, size_t body_bytes, size_t byte_share, int64_t now_wall_ms);
bool lane_wants_claim(const struct lane *l, size_t byte_share, int64_t now_wall_ms);
/* How many rows a claim may bring; fresh ones keep some places of their own. */
int lane_claim_room(const struct lane *l);
/* Deleted, and nothing of it is under way. */
bool lane_is_spent(const struct lane *l);

struct held *lane_find(const struct lane *l, const struct id *delivery); /* ghosts too; NULL: not held */
/* Queues *d (takes it) as HELD_FRESH, HELD_BACKLOG, HELD_URGENT or HELD_PROBE (one at most). CH_ENOMEM,
 * CH_EEXIST: *d is untouched. */
int lane_push(struct lane *l, struct delivery *d, enum held_where where) CH_MUST_USE;
/* The next to send, out of its queue and as HELD_IN_FLIGHT: a probe, then resends, then fresh and backlog in
 * turn; the last two only while the window has room. ret_from: which it was. NULL: none. */
struct held *lane_pop(struct lane *l, enum held_where *ret_from);
/* Lets go of one that is queued (its probe, too); the store has it. */
void lane_drop(struct lane *l, struct held *h);
void held_drop_body(struct held *h);
/* Ends holding h, which is in none of the lane's queues: freed, or a ghost while a claim is under way. */
void lane_release(struct lane *l, struct held *h);
/* The store has one due then. */
void lane_note_due(struct lane *l, int64_t due_ms);
/* Lets go of all that is queued; the store has it. Resends stay when asked to. */
void lane_drop_queued(struct lane *l, bool keep_urgent);
void lane_drop_ghosts(struct lane *l);
/* Leaves a delivery out until then; not before those that were left out earlier. Without memory it is not. */
void lane_add_lost(struct lane *l, const struct id *delivery, int64_t until_mono_ms);
/* Forgets those whose time is over; INT64_MAX: all. */
void lane_drop_lost(struct lane *l, int64_t now_mono_ms);

#endif
