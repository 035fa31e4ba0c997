/* policy/sign_secret.h - the bytes inside a whsec_ secret.
 *
 * Role:      shared by making and checking; nobody else needs more than policy/sign.h.
 * Ownership: the caller wipes struct sign_secret_bytes.
 * Errors:    CH_EINVAL when what follows whsec_ is not base64, with or without its padding.
 */
#ifndef CH_POLICY_SIGN_SECRET_H
#define CH_POLICY_SIGN_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define SIGN_SECRET_BYTES_MAX 64

struct sign_secret_bytes {
	uint8_t b[SIGN_SECRET_BYTES_MAX];
	size_t len;
};

bool sign_secret_has_prefix(const char *secret, size_t len);
int sign_secret_decode(const char *secret, size_t len, struct sign_secret_bytes *ret) CH_MUST_USE;

#endif
