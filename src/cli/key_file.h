/* cli/key_file.h - the file with the key that encrypts webhooks' secrets: 64 hex digits and a line feed.
 *
 * Role:      reads it, or makes it: whole and on disk, or not at all, whatever happens on the way.
 * Errors:    words name the file.
 */
#ifndef CH_CLI_KEY_FILE_H
#define CH_CLI_KEY_FILE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/rand.h"

/* path NULL: a new key and no file. CH_ENOENT: it is not there and may not be made. */
int key_file_load(const char *path, bool may_make, const struct ch_rand *rand, uint8_t ret[CH_SEAL_KEY_BYTES],
		struct ch_err *err) CH_MUST_USE;
/* Whatever had the name before is gone. CH_EIO. */
int key_file_write(const char *path, const uint8_t key[CH_SEAL_KEY_BYTES], struct ch_err *err) CH_MUST_USE;

#endif
