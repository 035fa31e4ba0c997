/* tests/contract/contract.h - one suite for every store: a store to ask, and short ways to ask it.
 *
 * Role:      a test gets a struct bed with an open store of the flavour that the run is for, a clock that
 *            stands still and seeded ids. Every request goes straight to the store's functions.
 * Ownership: a request that was asked is the test's, to be given to store_request_fini.
 */
#ifndef CH_TESTS_CONTRACT_H
#define CH_TESTS_CONTRACT_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/rand.h"
#include "store/store.h"

enum flavour { MEMORY, SQLITE, MEMORY_FAULT, SQLITE_FAULT, FLAVOUR_COUNT };

extern enum flavour contract_flavour; /* of the run */

/* Which tests there are for a flavour: one that survives a restart, one that fails when told to. */
static inline bool flavour_is_durable(enum flavour f)
{
	return f == SQLITE || f == SQLITE_FAULT;
}

static inline bool flavour_has_faults(enum flavour f)
{
	return f == MEMORY_FAULT || f == SQLITE_FAULT;
}

#define NOW_MS 1722350100000 /* where the clock stands at first */
#define ACCOUNT 1
#define OTHER_ACCOUNT 2

struct bed {
	enum flavour flavour;
	struct ch_clock_virtual clock;
	struct ch_rand_seeded seeded;
	struct store *store;
	struct store_reader *reader;
	char dir[64]; /* "" without files */
};

void bed_open(struct bed *b, enum flavour flavour);
void bed_open_seeded(struct bed *b, enum flavour flavour, uint64_t seed); /* ids come of it */
void bed_close(struct bed *b);
void bed_remove(const struct bed *b); /* the files, of a store that somebody else has closed */
struct store_conf bed_conf(struct bed *b);
void bed_restart(struct bed *b); /* durable stores: closes and opens again */
int bed_setup(void **state); /* cmocka's: *state is a struct bed of contract_flavour */
int bed_teardown(void **state);

/* The same id for the same kind and number; greater numbers are greater ids. */
struct id id_of(char kind, unsigned n);

struct call_spec {
	int64_t account; /* 0: ACCOUNT */
	unsigned call;
	unsigned agent;
	enum call_status status;
	enum call_type type;
	unsigned phone; /* 0: none */
	unsigned note; /* what makes the body differ */
	int64_t created_s; /* 0: the clock's */
	size_t padding; /* bytes more in the body */
	bool notify;
};

void ask_put(const struct bed *b, struct store_request *r, const struct call_spec *spec);
void ask_webhook(const struct bed *b, struct store_request *r, unsigned n, bool enabled); /* a create */
void ask_update(const struct bed *b, struct store_request *r, unsigned n, bool enabled, int64_t revision);
void ask_delete(const struct bed *b, struct store_request *r, unsigned n);
void ask_sweep(const struct bed *b, struct store_request *r, unsigned n, size_t limit);
/* An attempt at the delivery d, a copy of what the put gave. */
void ask_attempt(const struct bed *b, struct store_request *r, const struct delivery *d, unsigned attempt,
		enum delivery_state next);
/* That a webhook of ACCOUNT is DEAD. */
void ask_dead(const struct bed *b, struct store_request *r, unsigned webhook);
/* Of ACCOUNT. */
void ask_resend(const struct bed *b, struct store_request *r, const struct id *id);
void ask_probe(struct store_request *r, unsigned webhook, const struct id *last); /* NULL: none */
void ask_claim(const struct bed *b, struct store_request *r, unsigned webhook, size_t limit);
void ask_list(struct store_request *r, size_t limit);

/* Serves one request and gives its result. A write that fails as a whole fails the test. */
int serve(const struct bed *b, struct store_request *r);
/* As serve, but done with it at once. */
int serve_drop(const struct bed *b, struct store_request *r);

/* Whole steps that must succeed. */
void make_webhook(const struct bed *b, unsigned n, bool enabled);
void make_webhook_of(const struct bed *b, int64_t account, unsigned n);
/* Puts a COMPLETED call; its one delivery, without body; the caller's to give to delivery_fini. */
struct delivery make_delivery(const struct bed *b, unsigned call);
struct ledger ledger_of(const struct bed *b, int64_t account);
struct delivery delivery_of(const struct bed *b, const struct id *id);
enum delivery_state state_of(const struct bed *b, const struct id *id);
/* What STORE_LANES says of a webhook; next_due_ms -2: it is not there. */
struct lane_row {
	int64_t next_due_ms, pending, quiet_until_ms;
	int quiet_status;
};
struct lane_row lane_of(const struct bed *b, unsigned webhook);
/* The newest count stretches, that of now the last. */
void ask_history(
		const struct bed *b, struct store_request *r, unsigned webhook, int32_t step_s, size_t count);
#define ALL_WEBHOOKS UINT_MAX
/* Of ACCOUNT, or ALL_WEBHOOKS; summed over pieces of limit; oldest_ms -2: there is no such webhook. */
struct backlog {
	int64_t counts[BACKLOG_AGES];
	int64_t oldest_ms;
};
struct backlog backlog_of(const struct bed *b, unsigned webhook, size_t limit);
size_t sweep_all(const struct bed *b, unsigned webhook, size_t limit); /* how many moved */

void assert_ledger(const struct bed *b, int64_t account, int64_t pending, int64_t delivered, int64_t failed,
		int64_t parked, int64_t canceled);
#define assert_id_equal(x, y) assert_memory_equal((x), (y), sizeof(struct id))

/* One group each; how many tests failed. */
int contract_calls(void);
int contract_webhooks(void);
int contract_attempts(void);
int contract_claims(void);
int contract_lists(void);
int contract_call_lists(void);
int contract_agents(void);
int contract_batches(void);
int contract_rounds(void);
int contract_erase(void);
int contract_events(void);
int contract_releases(void);
int contract_replays(void);
int contract_retention(void);
int contract_receivers(void);
int contract_probes(void);
int contract_accounts(void);
int contract_audit(void);
int contract_feed(void);
int contract_history(void);
int contract_backlog(void);
int contract_call_feed(void);
int contract_model(void);
int test_due(void);
int test_open(void);

#endif
