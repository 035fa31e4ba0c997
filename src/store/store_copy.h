/* store/store_copy.h - a store as one file: taken while it is served, and put in its place again.
 *
 * Role:      what `callhook backup` and `callhook restore` do to files. A copy is a database of its own: one
 *            moment of the store, complete without a -wal, mode 0600, on disk when the function returns.
 * Ownership: paths are borrowed for the call.
 * Threads:   any; each call has connections of its own.
 * Errors:    CH_ENOENT: there is no database; CH_EVERSION: a newer program wrote it; CH_EBUSY; CH_EEXIST;
 *            CH_EFULL; CH_EIO; CH_ECANCELED: progress said so. Then nothing is left of the copy, and what was
 *            there before is as it was.
 * Invariant: the store that is read is not written to, and no lock is held that its server needs. Its -wal
 * can't be cut back meanwhile; it is given up before that fills the disk.
 */
#ifndef CH_STORE_STORE_COPY_H
#define CH_STORE_STORE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define STORE_COPY_PATH_MAX 4096

struct store_copy_conf {
	bool is_compact; /* without free pages, and what is left in them; takes longer */
	/* After each piece, bytes; all is about what it comes to. false: give it up. NULL: none. */
	bool (*progress)(void *ctx, int64_t done, int64_t all);
	void *ctx;
	int64_t spare_bytes; /* that stay free on the disks of both */
	int64_t now_ms; /* of a restore: becomes part of the old one's new name */
};

/* Makes the file `to`, or what is in it anew; two at once on the same one: CH_EBUSY. *ret_bytes: its size. */
int store_sqlite_copy(const char *from, const char *to, const struct store_copy_conf *conf,
		int64_t *ret_bytes, struct ch_err *err) CH_MUST_USE;
/* Gives a copy its name, whatever had it before; the name is on disk too. After a failure it may be there and
 * not outlive a power cut. */
int store_sqlite_copy_rename(const char *from, const char *to, struct ch_err *err) CH_MUST_USE;

/* Puts a copy of the database `from` at path, with a new store_id (STORE_CALL_FEED), under the lock that a
 * server would hold: CH_EBUSY while there is one. CH_EEXIST: there is a database, and it is not to be
 * replaced. One that is replaced goes to *ret_aside, with what belongs to it; "": there was none. At every
 * moment either the old one or the new one is at path, whole, unless the old one can't be read any more. */
int store_sqlite_restore(const char *from, const char *path, bool may_replace,
		const struct store_copy_conf *conf, char ret_aside[STORE_COPY_PATH_MAX],
		struct ch_err *err) CH_MUST_USE;

#endif
