/* cli/copying.h - what backup and restore share.
 *
 * Role:      the store's path and the key's, the check of a copy, progress.
 * Ownership: texts are borrowed from the opts.
 * Errors:    as store/store_copy.h and store/store_check.h say.
 */
#ifndef CH_CLI_COPYING_H
#define CH_CLI_COPYING_H

#include "cli/opts.h"
#include "cli/progress.h"
#include "store/store_check.h"
#include "store/store_copy.h"

/* What stays free on a disk, so that a server on it can go on. */
#define COPYING_SPARE_BYTES (INT64_C(64) * 1000 * 1000)

struct copying {
	const char *command; /* "backup" */
	const char *store; /* the path in --store */
	const char *file; /* the argument */
	char key[STORE_COPY_PATH_MAX]; /* of the store's secrets */
	char file_key[STORE_COPY_PATH_MAX]; /* FILE.key */
	struct progress progress;
	struct store_copy_conf conf;
};

/* CH_EINVAL, with words for usage. */
int copying_init(
		struct copying *c, const char *command, const struct opts *o, struct ch_err *err) CH_MUST_USE;

enum copying_verdict {
	COPYING_WELL,
	COPYING_OLDER, /* of an older version: only serve can tell, once it has brought it up to date */
	COPYING_DAMAGED /* each finding is on standard error */
};

int copying_check(const char *path, enum copying_verdict *ret, struct store_check_totals *totals,
		struct ch_err *err) CH_MUST_USE;

/* The key at `from` also at `to`. CH_ENOENT: there is none; CH_EEXIST: another one is at `to`. */
int copying_key(const char *from, const char *to, struct ch_err *err) CH_MUST_USE;

#endif
