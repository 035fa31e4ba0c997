/* tests/sim/sim.h - days of deliveries on a virtual clock, from one seed.
 *
 * Role:      a world of webhooks, receivers of every temper, a store that fails, a clock that steps and a
 *            process that crashes, around the real engine and a real store. What the world knows of each
 *            delivery is checked at every send and at the end.
 * Ownership: struct world owns everything in it.
 * Errors:    whatever should not be ends the process through sim_fail, which names seed and step.
 */
#ifndef CH_TESTS_SIM_H
#define CH_TESTS_SIM_H

#include "base/map.h"
#include "delivery/engine_core.h"
#include "delivery/transport_sim.h"
#include "store/store.h"

#define SIM_HOOKS_MAX 64
#define SIM_AGENTS 6
#define SIM_ACCOUNT 1
#define SIM_MAX_IN_FLIGHT 40
#define SIM_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

enum habit {
	HABIT_QUICK,
	HABIT_SLOW,
	HABIT_FAILING,
	HABIT_ASKING, /* 429 and 503 with Retry-After, now and then */
	HABIT_BUSY, /* 429 without, now and then */
	HABIT_REFUSING,
	HABIT_HANGING, /* no answer within the deadline */
	HABIT_GONE, /* 410, now and then */
	HABIT_FLAPPING,
	HABIT_OURS, /* a fault of our own, now and then */
	HABIT_COUNT
};

/* Behind one URL. */
struct receiver {
	enum habit habit;
	int64_t quiet_from_mono_ms, quiet_until_mono_ms; /* it asked not to be called in between */
	unsigned quiet_life;
};

struct hook {
	struct ch_map_node node;
	struct id id;
	struct webhook committed; /* as the store has it */
	bool was_off; /* ever switched off: deliveries may stay PARKED */
	bool is_told_off, is_told_deleted; /* the engine knows */
	int64_t told_revision;
	bool is_unsure; /* news of it was lost: a survey brings it at a time of its own */
	char told_url[64];
	bool is_waiting; /* in the ring when the turn began, and not yet served */
	int sent_in_turn;
};

struct parcel {
	struct ch_map_node node;
	struct id id;
	struct hook *hook;
	struct ch_bytes *body;
	enum delivery_state recorded; /* by results only; sweeps are seen at the end */
	int64_t due_ms;
	int tries;
	int sends;
	bool is_probe; /* the latest send */
	unsigned life; /* of the process that sent it last */
	int64_t busy_until_mono_ms; /* in that life */
	unsigned accepted_in_life; /* 0: never answered 2xx */
};

struct world {
	uint64_t seed;
	int step, steps;
	struct ch_clock_virtual clock;
	int64_t wall_high_ms; /* the latest that it ever showed */
	struct ch_rand_seeded seeded;
	struct ch_rand rand;

	/* what survives a crash */
	struct store *kept; /* the memory store; NULL with SQLite */
	char dir[64]; /* SQLite's */
	struct hook hooks[SIM_HOOKS_MAX];
	int hook_count;
	struct ch_map hook_map, parcels;
	struct receiver *receivers;
	size_t receiver_count;
	uint64_t calls_made;
	bool is_healing; /* the end: everybody is well */

	/* one life of the process */
	unsigned life;
	struct store *fault; /* the outermost; the client's */
	struct gate *gate;
	struct store_client *inner;
	struct sim_client *client;
	struct ch_port port, api_port;
	struct transport *transport;
	struct engine *engine;
	bool in_turn;
	int waiting; /* hooks */
	int operations;
	int64_t reads_fail_until_mono_ms;

	struct {
		uint64_t sends, delivered, crashes, restarts, refusals, lost_news, repeats, parked, canceled,
				failed;
	} seen;
};

void sim_fail(const struct world *w, const char *fmt, ...) CH_PRINTF(2, 3) CH_NORETURN;
uint64_t sim_below(struct world *w, uint64_t n);
bool sim_chance(struct world *w, int percent);
int64_t sim_now(const struct world *w); /* mono ms */

/* ---- sim_store.c: the store, its faults, and a client whose reads lag behind ---- */

struct gate {
	struct store base;
	struct store *inner;
	bool owns_inner;
	struct world *world;
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

/* ---- sim_receivers.c ---- */

size_t sim_receiver_add(struct world *w);
void sim_receive(void *ctx, const struct transport_job *job, struct transport_sim_reply *ret);

/* ---- sim_model.c: what the world knows, told by commits ---- */

void sim_note_commit(struct world *w, struct store_request *r);
void sim_note_send(struct world *w, const struct transport_job *job);
struct hook *sim_hook(const struct world *w, const struct id *id);
struct parcel *sim_parcel(const struct world *w, const struct id *id);
void sim_check_lanes(struct world *w);
void sim_check_end(struct world *w);
void sim_model_fini(struct world *w);

/* ---- sim_acts.c: what happens to the world ---- */

void sim_act(struct world *w);
void sim_make_hook(struct world *w);
void sim_enable_all(struct world *w);
/* True when every webhook that is not deleted is on, and the engine knows. */
bool sim_all_enabled(const struct world *w);

/* ---- sim_world.c ---- */

void sim_world_init(struct world *w, uint64_t seed, bool with_sqlite);
void sim_world_run(struct world *w, int steps);
void sim_world_fini(struct world *w);
void sim_crash(struct world *w);
void sim_restart(struct world *w);
/* Reads through the store itself; the answer is in r. */
void sim_read(struct world *w, struct store_request *r);

#endif
