/* api/token.h - the signed texts that callhook gives out: bearer tokens, sessions, portal links.
 *
 * Role:      JSON Web Tokens of our own making: writes them, and reads back what it wrote. Whether the key
 *            that made one is still valid, and whether a link was used, is the caller's to ask.
 * Units:     seconds since the epoch, as JWT has it.
 * Ownership: structs hold all they say.
 * Threads:   any; nothing is kept.
 * Errors:    CH_ENOMEM; CH_ECRYPT for all that is not a token of this use, signed by this key and in force.
 *            Which it was is not said: nobody who is honest needs it.
 * Source:    RFC 7519 and 8725. Exactly HS256: the signature is checked before a byte of JSON is read.
 */
#ifndef CH_API_TOKEN_H
#define CH_API_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "model/account.h"
#include "model/id.h"
#include "policy/scope.h"

#define TOKEN_KEY_BYTES CH_SHA256_BYTES
#define TOKEN_KID_BYTES 8
#define TOKEN_TEXT_MAX 1024

enum token_use { TOKEN_BEARER, TOKEN_SESSION, TOKEN_LINK }; /* its audience: one can't pass for another */

struct token {
	enum token_use use;
	uint8_t kid[TOKEN_KID_BYTES]; /* of the digest of the key that it was made with, and ends with */
	char account[ACCOUNT_ID_MAX + 1];
	int64_t account_created_ms; /* another account may get the same id later */
	scope_set scopes;
	permit_set permits;
	struct id id; /* what is spent when a session ends or a link is used */
	int64_t expires_s; /* from then on it is nothing */
};

/* The key that signs, out of the store's key for secrets. */
int token_key_make(const uint8_t seal_key[CH_SEAL_KEY_BYTES], uint8_t ret[TOKEN_KEY_BYTES]) CH_MUST_USE;
/* Appends its text; out's error sticks as always. CH_ENOMEM. */
int token_write(const uint8_t key[TOKEN_KEY_BYTES], const struct token *t, struct ch_buf *out) CH_MUST_USE;
int token_read(const uint8_t key[TOKEN_KEY_BYTES], const char *text, enum token_use use, int64_t now_s,
		struct token *ret) CH_MUST_USE;

#endif
