/* tests/unit/delivery/test_engine_rig.h - an engine between a memory store and a simulated network, on a
 * clock that stands still.
 *
 * Role:      webhook n listens to the calls of agent n; what each is sent is written down; its answers
 *            are set by the test. Reads can be held back, news of commits too, and writes refused.
 */
#ifndef CH_TESTS_ENGINE_RIG_H
#define CH_TESTS_ENGINE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "delivery/engine.h"
#include "delivery/transport_sim.h"

#define RIG_NOW_MS 1722350100000
#define RIG_HOOKS 8
#define RIG_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

struct rig_send {
	int hook;
	struct id delivery;
	int64_t at_mono_ms;
	size_t header_count;
	char headers[2048]; /* lines */
	char url[128];
};

struct rig {
	struct ch_clock_virtual clock;
	struct ch_rand_seeded seeded;
	struct ch_rand rand;
	struct engine_conf conf; /* may be changed between rig_open and rig_start */
	struct ch_log log;
	char log_text[16384];
	size_t log_len;
	struct store *fault;
	struct store_client front, *inner;
	struct store_reader *reader;
	struct ch_list held_reads;
	bool holds_reads; /* the read is done at once, the answer waits for rig_release_reads */
	bool defers; /* writes wait for the next rig_step */
	bool holds_news; /* nobody hears of commits */
	int reads;
	struct ch_port port;
	struct transport *net;
	struct engine *engine;
	struct transport_sim_reply replies[RIG_HOOKS];
	struct rig_send sends[1024];
	int send_count;
	int forgotten; /* calls of transport->forget */
	int64_t revisions[RIG_HOOKS];
	struct ledger ledger;
};

void rig_open(struct rig *r);
void rig_start(struct rig *r); /* makes the engine and lets it read the webhooks */
void rig_stop(struct rig *r); /* stops the engine and destroys it; the store stays */
void rig_close(struct rig *r);

struct id rig_hook_id(int n);
void rig_hook_init(struct rig *r, struct webhook *w, int n); /* settings to change before rig_hook_create */
void rig_hook_create(struct rig *r, struct webhook *w); /* takes *w */
void rig_hook_update(struct rig *r, struct webhook *w, int n); /* takes *w */
void rig_hook_delete(struct rig *r, int n);
void rig_hook(struct rig *r, int n); /* a plain one */
void rig_seal(struct rig *r, struct webhook *w, const char *secret);

void rig_put(struct rig *r, int agent, int count); /* calls, each in a commit of its own */
void rig_put_sized(struct rig *r, int agent, size_t body_bytes);

void rig_resend(struct rig *r, const struct id *delivery);

bool rig_step(struct rig *r); /* the store, the answers and the network once, no turn */
void rig_run(struct rig *r); /* all that can be done without time */
void rig_advance(struct rig *r, int64_t ms); /* runs through all that happens in that time */
void rig_release_reads(struct rig *r);

/* As if webhook n had answered quickly for long: its window is as wide as its concurrency. */
void rig_widen(struct rig *r, int n);
struct lane_info rig_lane(struct rig *r, int n);
const struct ledger *rig_ledger(struct rig *r);
/* The only delivery there is, or the newest. */
struct delivery rig_newest(struct rig *r); /* without texts */
struct delivery rig_delivery(struct rig *r, const struct id *id); /* without texts */
int rig_sends_to(const struct rig *r, int hook);
const char *rig_header(const struct rig_send *s, const char *line); /* the line that begins so, or NULL */

#endif
