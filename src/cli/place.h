/* cli/place.h - the file in which listen --server keeps how far it has come, and its secret.
 *
 * Role:      a small JSON object, readable by its owner only, replaced as a whole: a crash leaves the old one
 *            or the new one.
 * Ownership: path is borrowed; the secret is wiped in the fini.
 * Errors:    CH_EIO with the file's name; CH_EINVAL: what it holds, or the secret, can't be used.
 */
#ifndef CH_CLI_PLACE_H
#define CH_CLI_PLACE_H

#include "base/attr.h"
#include "base/crypto.h"
#include "base/err.h"

#define PLACE_CURSOR_MAX 200
#define PLACE_ID_MAX 60

struct place {
	const char *path;
	char cursor[PLACE_CURSOR_MAX + 1]; /* behind which it goes on; "": nowhere yet */
	char last[PLACE_ID_MAX + 1]; /* the last one behind the cursor that is done already; "": none */
	struct ch_secret secret;
};

/* Without such a file it begins anew, with a secret that it makes. given: instead of that of the file, and
 * kept from now on; text NULL: none. */
int place_load(const char *path, const struct ch_secret *given, struct place *ret,
		struct ch_err *err) CH_MUST_USE;
int place_save(const struct place *p, struct ch_err *err) CH_MUST_USE;
void place_fini(struct place *p);

#endif
