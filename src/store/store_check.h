/* store/store_check.h - proves from what is stored that nothing was lost.
 *
 * Role:      reads a whole database, beside a running server or without one, and says everything
 *            that can't be: a ledger that does not add up, a delivery without its call, a broken
 *            chain of attempts, a record that is not canonical, damage that SQLite finds.
 * Ownership: the texts that a sink gets are borrowed for the call.
 * Threads:   any, one at a time for a sink; it has its own connection.
 * Errors:    a store that is damaged is no error but a finding. CH_ENOENT, CH_EIO, CH_EBUSY (it was
 *            busy for STORE_CHECK_BUSY_MS), CH_EVERSION (older or newer than this program knows),
 *            CH_ENOMEM: it could not be checked; ret is untouched.
 * Invariant: nothing is written and no lock is held that a server needs; all that is read belongs to
 *            one snapshot; memory does not grow with the store.
 */
#ifndef CH_STORE_STORE_CHECK_H
#define CH_STORE_STORE_CHECK_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "model/account.h"

#define STORE_CHECK_BUSY_MS 5000

struct store_check_sink {
	/* where: "delivery 0190…", "webhook 0190…", "the database"; what: words without personal data. */
	void (*finding)(void *ctx, const char *where, const char *what);
	void (*note)(void *ctx, const char *where, const char *what); /* unfinished, but not wrong */
	/* counts: of the account's rows, after its findings. */
	void (*account)(void *ctx, const char *id, const struct ledger *counts);
	void *ctx;
};

struct store_check_totals {
	int64_t findings;
	int64_t accounts, webhooks, versions, deliveries, attempts; /* rows looked at */
	struct ledger ledger; /* of the rows of all accounts; events, which are looked at too, are not in it
			       */
};

int store_sqlite_check(const char *path, const struct store_check_sink *sink, struct store_check_totals *ret,
		struct ch_err *err) CH_MUST_USE;

#endif
