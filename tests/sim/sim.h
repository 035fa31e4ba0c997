/* tests/sim/sim.h - days of deliveries on a virtual clock, from one seed.
 *
 * Role:      a world of webhooks, receivers of every temper, a store that fails, a line that goes down, a
 *            clock that steps and a process that crashes (or whose power is cut), around the real handlers
 *            of the API (sim_api.h), the real engine and a real store. What the world knows of each call
 *            and delivery is checked at every commit, every send and every answer of the API; now and
 *            then, and at the end, all of it is compared with the store and the engine.
 * Ownership: struct world owns everything in it.
 * Errors:    whatever should not be ends the process through sim_fail, which names seed and step.
 * Invariant: one binary, seed and options give one trace: all chance comes from the seed.
 */
#ifndef CH_TESTS_SIM_H
#define CH_TESTS_SIM_H

#include "base/map.h"
#include "delivery/engine_core.h"
#include "delivery/pipeline.h"
#include "delivery/transport_sim.h"
#include "delivery/worker_core.h"
#include "store/store.h"

#define SIM_HOOKS_LIVE 48
#define SIM_AGENTS 6
#define SIM_ACCOUNT 1
#define SIM_RATE_MAX 24
#define SIM_AUDIT_STEPS 10000
#define SIM_SECRETS_SEEN 4
#define SIM_RECENT 256

struct call;
struct guests;

struct sim_plan {
	int steps;
	uint64_t deliveries; /* go on until that many are made; 0: until `steps` are done */
	bool with_sqlite;
	bool with_power; /* a crash is a power cut */
	const char *options; /* for the command that does it again */
};

enum habit {
	HABIT_QUICK,
	HABIT_SLOW, /* now and then over 2 s */
	HABIT_CRAWLING, /* always over 2 s */
	HABIT_FAILING,
	HABIT_ASKING, /* 429 and 503 with Retry-After, now and then */
	HABIT_BUSY, /* 429 without, now and then */
	HABIT_REFUSING,
	HABIT_HANGING, /* no answer within the deadline */
	HABIT_GONE, /* 410, now and then */
	HABIT_FLAPPING,
	HABIT_OURS, /* a fault of our own, now and then */
	HABIT_NEVER, /* fails for as long as it is there */
	HABIT_COUNT
};

/* Behind one URL. */
struct receiver {
	enum habit habit;
	int64_t dead_until_mono_ms; /* whatever the habit */
	int64_t quiet_from_mono_ms, quiet_until_mono_ms; /* it asked not to be called in between */
	unsigned quiet_life;
};

struct hook {
	struct ch_map_node node;
	struct id id;
	struct webhook committed; /* as the store has it */
	size_t receiver; /* behind the committed URL */
	bool has_key; /* the committed secret's, and its text */
	struct sign_key key;
	char secret[SIGN_SECRET_TEXT_MAX + 1];
	struct ledger counts; /* deleted: pending has those that are parked, too */
	unsigned sweeps; /* that moved something */
	bool was_off; /* ever switched off: deliveries may stay PARKED */
	int64_t quiet_until_wall_ms; /* the wish that was committed */
	int64_t quiet_until_mono_ms; /* the same in this life, when it is from an earlier one */

	/* what the engine knows */
	bool is_told_off, is_told_deleted;
	int64_t told_revision;
	bool is_unsure; /* news of it was lost: a survey brings it at a time of its own */
	char told_url[64];

	/* this life's sends */
	uint64_t waits_in_turn; /* in a ring when that turn began, and not yet served */
	bool waits_slow;
	uint64_t sent_in_turn;
	bool has_last;
	enum held_where last_from; /* fresh or backlog */
	int64_t rate_sent[SIM_RATE_MAX];
	int rate_seconds, rate_at;
	uint64_t rate_total;
};

struct parcel {
	struct ch_map_node node;
	struct id id;
	struct hook *hook;
	struct ch_bytes *body;
	enum delivery_state state; /* of the row, as of hook->sweeps */
	unsigned sweeps_seen;
	int round;
	bool was_delivered;
	int64_t due_ms;
	int tries;
	bool is_probe; /* the latest send */
	bool was_down; /* our line was taken to be down as the latest send ended */
	uint64_t outages_seen; /* by then */
	int sent_round, sent_tries; /* as the engine had them */
	size_t sent_to; /* receiver */
	unsigned life; /* of the process that sent it last */
	int64_t busy_until_mono_ms; /* in that life */
	unsigned accepted_in_life; /* 0: not answered 2xx since it was made or resent */
	bool was_accepted; /* ever */
	unsigned crashed_in_life; /* it was under way when that life crashed */
};

/* Somebody asked for it again, and the engine took it as such. */
struct resend {
	struct ch_list link;
	struct parcel *parcel;
	int64_t since_mono_ms; /* nothing has stood in its way since */
};

struct world {
	uint64_t seed;
	int step;
	struct sim_plan plan;
	struct ch_clock_virtual clock;
	int64_t wall_high_ms; /* the latest that it ever showed */
	struct ch_rand_seeded seeded;
	struct ch_rand rand;
	uint64_t trace; /* a hash of all that happened */

	/* what survives a crash */
	struct store *kept; /* the memory store; NULL with SQLite */
	char dir[64]; /* SQLite's */
	struct hook **hooks;
	size_t hook_count;
	int live_count; /* of those */
	struct ch_map hook_map, parcels, calls;
	uint64_t commits, full_commit; /* how many; the last one after which there was room for no webhook */
	struct receiver *receivers;
	size_t receiver_count;
	bool is_healing; /* the end: everybody is well */
	int max_in_flight;
	int64_t line_down_until_mono_ms; /* ours */
	struct parcel *recent[SIM_RECENT]; /* to pick resends from */
	size_t recent_count;
	struct call *recent_calls[SIM_RECENT];
	size_t recent_call_count;
	uint64_t tags; /* of records, given out */
	struct ch_list unknown; /* writes of calls with an unknown outcome */
	size_t api_body_max;
	struct guests *guests; /* the accounts beside ours */

	/* one life of the process */
	unsigned life;
	struct store *fault; /* the outermost; the client's */
	struct gate *gate;
	struct store_client *inner;
	struct sim_client *client;
	struct ch_port api_port;
	struct worker loop; /* as the API knows it: engine and port are the world's */
	struct worker *loop_items[1];
	struct workers loops;
	struct event_base *base; /* the API's */
	struct api *api;
	struct ch_list asks, hook_asks; /* under way */
	struct transport *transport;
	struct engine *engine;
	bool in_turn;
	uint64_t turn;
	int waiting[2]; /* hooks: quick ones, slow ones */
	int operations;
	int64_t reads_fail_until_mono_ms;
	int64_t asking_until_mono_ms; /* whether our line is up */
	struct ch_list resends;

	struct {
		uint64_t sends, made, delivered, crashes, restarts, refusals, lost_news, repeats, parked,
				canceled, failed, resends, probes, deaths, outages, hopeless, gone, released,
				audits, slow, quiet, asks, refused, unknown, retries;
	} seen;
};

void sim_fail(const struct world *w, const char *fmt, ...) CH_PRINTF(2, 3) CH_NORETURN;
uint64_t sim_below(struct world *w, uint64_t n);
bool sim_chance(struct world *w, int percent);
int64_t sim_now(const struct world *w); /* mono ms */
void sim_trace(struct world *w, const char *what, const struct id *id, int64_t value);

/* ---- sim_store.c: the store, its faults, and a client whose reads lag behind ---- */

struct gate {
	struct store base;
	struct store *inner;
	bool owns_inner;
	struct world *world;
	struct store_reader *reader; /* the world's own: no fault reaches it */
	bool is_dead; /* the process crashed: nothing gets through */
	int64_t refuse_until_mono_ms; /* a full disk, for a while */
};

struct sim_client {
	struct store_client base;
	struct world *world;
	struct store_reader *reader;
	struct ch_list unread, read; /* requests: to be read; read, to be answered */
};

void sim_store_open(struct world *w);
void sim_store_close(struct world *w);
/* Moves some of the reads on. True: something was done. */
bool sim_client_step(struct world *w);
/* When it has something to do, mono ms; INT64_MAX: nothing. */
int64_t sim_client_next(const struct world *w);
void sim_client_cancel_reads(struct world *w);
/* Reads beside all faults; the answer is in r, and it must succeed. */
void sim_read(struct world *w, struct store_request *r);

/* ---- sim_news.c ---- */

/* What the watcher of a loop does. */
void sim_committed(void *ctx, struct store_request *const *requests, size_t n);

/* ---- sim_power.c: a disk that loses power ---- */

void sim_power_init(struct world *w);
/* Between lives: what the disk had not yet kept is gone or torn. */
void sim_power_cut(struct world *w);
/* With the files still open: the disk stops, in the middle of a commit or before one. */
void sim_power_fail(struct world *w);

/* ---- sim_receivers.c ---- */

size_t sim_receiver_add(struct world *w);
void sim_receive(void *ctx, const struct transport_job *job, struct transport_sim_reply *ret);
void sim_ending(void *ctx, const struct transport_job *job);
void sim_change_temper(struct world *w);

/* ---- sim_model.c: what the world knows, told by commits ---- */

/* Before a batch: makes exact what its requests will change. */
void sim_expect(struct world *w, const struct store_request *r);
void sim_note_commit(struct world *w, struct store_request *r);
struct hook *sim_hook(const struct world *w, const struct id *id);
struct parcel *sim_parcel(const struct world *w, const struct id *id);
bool sim_is_live(const struct hook *h);
size_t sim_receiver_of(const char *url);
void sim_model_fini(struct world *w);

/* ---- sim_sends.c: what holds whenever something is sent ---- */

void sim_begin_turn(struct world *w);
void sim_note_send(struct world *w, const struct transport_job *job);
/* The engine takes a resend that was asked for. */
void sim_note_resend(struct world *w, const struct id *webhook, const struct id *delivery);
/* The process is about to crash: what is under way may happen twice. */
void sim_note_crash(struct world *w);
/* A new life begins. */
void sim_forget_sends(struct world *w);

/* ---- sim_walk.c: the engine, walked through ---- */

void sim_check_engine(struct world *w);
/* Nothing more can be done without time passing. */
void sim_check_rest(struct world *w);

/* ---- sim_audit.c: the store, compared with the model ---- */

void sim_audit(struct world *w);
void sim_check_end(struct world *w);

/* ---- sim_api.c: a life of the API; the rest of the front door is in sim_api.h ---- */

void sim_begin_api(struct world *w);
void sim_end_api(struct world *w);
/* ---- sim_guests.c: other accounts, which come, go and change their keys ---- */

void sim_guests_init(struct world *w);
void sim_guests_fini(struct world *w);
void sim_change_guest(struct world *w);
void sim_note_guest(struct world *w, const struct store_request *r); /* committed */
void sim_doubt_guests(struct world *w); /* the process is about to crash */
/* A life begins with these accounts: are they the ones that were committed. */
void sim_meet_guests(struct world *w, const struct store_account_list *all);
void sim_check_guests(struct world *w); /* at the end: every key that there ever was to look with */

/* A webhook has changed: looks whether it is what somebody waits for. */
void sim_note_hook_asks(struct world *w, const struct hook *h);

/* ---- sim_acts.c, sim_hooks.c: what happens to the world ---- */

void sim_act(struct world *w);
struct id sim_random_id(struct world *w);
struct id sim_agent_id(uint64_t n);
/* One call for each agent. */
void sim_call_all(struct world *w);
void sim_make_hook(struct world *w);
void sim_change_hooks(struct world *w);
void sim_enable_all(struct world *w);
/* True when every webhook that is not deleted is on, the engine knows, and nothing is parked or pending. */
bool sim_all_settled(const struct world *w);

/* ---- sim_world.c, sim_life.c ---- */

void sim_world_init(struct world *w, uint64_t seed, const struct sim_plan *plan);
void sim_world_run(struct world *w);
void sim_world_fini(struct world *w);
void sim_begin_life(struct world *w);
void sim_end_life(struct world *w);
bool sim_work_once(struct world *w);
void sim_turn(struct world *w);
/* Everything that can be done without time passing. */
void sim_drain(struct world *w);
void sim_pass_time(struct world *w, int64_t most_ms);
void sim_crash(struct world *w);
void sim_restart(struct world *w);

#endif
