/* store/store.h - the contract of a store: what keeps calls, webhooks, deliveries and attempts.
 *
 * Role:      a struct of functions; store_sqlite and store_memory stand behind it, store_fault wraps
 *            either. Called through store/client.h, never by handlers directly.
 * Threads:   write and maintain: one thread at a time, the writer's. Each reader belongs to one
 *            thread; readers and the writer run beside each other, and a reader sees every
 *            write that returned before it began.
 * Errors:    as store/request.h says; words never hold SQL or a secret.
 */
#ifndef CH_STORE_STORE_H
#define CH_STORE_STORE_H

#include "base/clock.h"
#include "base/rand.h"
#include "store/request.h"

struct store;
struct store_reader;

struct store_ops {
	const char *name; /* "sqlite", "memory" */

	/* One transaction for all n requests (writes only), in order, each seeing those before it. A
	 * request that can't be done (CH_ECONFLICT, CH_ENOENT, …) gets its own result and leaves the
	 * others alone. 0: it is durable - on disk, for a store that has one - and every result is set.
	 * Otherwise nothing of it happened and every request has this code as its result; nor will it,
	 * but for one case: when it was the sync that failed (CH_EIO, CH_EFULL) and the process ends
	 * before another write, all of it may be there at the next opening. CH_EDAMAGED: what is stored
	 * for one of them can't be used; asked for without that one, the others succeed, and the clients
	 * do so (store/writer.h). After a crash inside the call either all or nothing of it is there. */
	int (*write)(struct store *s, struct store_request *const *requests, size_t n, struct ch_err *err);

	int (*reader_open)(struct store *s, struct store_reader **ret, struct ch_err *err);
	void (*reader_close)(struct store_reader *r);
	void (*read)(struct store_reader *r, struct store_request *request); /* sets result */

	/* Housekeeping in a quiet moment (a WAL checkpoint); may be NULL. */
	void (*maintain)(struct store *s);

	void (*close)(struct store *s); /* readers must be closed */
};

struct store {
	const struct store_ops *ops;
};

struct store_conf {
	struct ch_clock clock;
	struct ch_rand rand; /* for ids; must be safe to use from the writer's thread */
};

/* url: "sqlite:PATH" or "memory:". CH_EINVAL: not a store's URL; CH_EBUSY: another process serves it;
 * CH_EVERSION: it was written by a newer version; CH_EIO. */
int store_open(const char *url, const struct store_conf *conf, struct store **ret,
		struct ch_err *err) CH_MUST_USE;
void store_close(struct store **s);

/* Backends, for tests and store_open. */
int store_memory_open(const struct store_conf *conf, struct store **ret, struct ch_err *err) CH_MUST_USE;
int store_sqlite_open(const char *path, const struct store_conf *conf, struct store **ret,
		struct ch_err *err) CH_MUST_USE;

/* Wraps inner (takes it): the nth write from now (1 is the next) fails with code before reaching inner; 0:
 * none. */
struct store *store_fault_wrap(struct store *inner) CH_MUST_USE;
void store_fault_fail_write(struct store *s, int nth, int code);
void store_fault_fail_read(struct store *s, int nth, int code);

/* The next sweep that a finished write calls for: true when `ret` was filled for the webhook concerned. */
bool store_sweep_after(const struct store_request *done, struct id *ret);

#endif
