/* policy/sign.h - the two signatures of a webhook, made and checked.
 *
 * Role:      X-Webhook-Signature (the seed's scheme) and webhook-signature (Standard Webhooks 1.0)
 *            over a body; and for the command line the verdict on a received one, with the reason.
 * Ownership: struct sign_key owns keyed HMAC contexts and wipes them in sign_key_fini.
 * Threads:   a struct sign_key belongs to one thread.
 * Errors:    CH_EINVAL for a secret that is none of the allowed forms; CH_ENOMEM.
 * Source:    Standard Webhooks specification 1.0, "Signature scheme"; RFC 2104.
 */
#ifndef CH_POLICY_SIGN_H
#define CH_POLICY_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/rand.h"

#define SIGN_HEX_LEN 64 /* X-Webhook-Signature: lower-case hex */
#define SIGN_STD_LEN (3 + 44) /* "v1," and base64 */
#define SIGN_SECRET_TEXT_LEN (6 + 44) /* a generated secret */
#define SIGN_SECRET_TEXT_MAX 128
#define SIGN_TOLERANCE_S 300 /* Standard Webhooks' window for the timestamp */

struct sign_key {
	struct ch_hmac plain; /* key: the bytes of the whole secret text */
	struct ch_hmac standard; /* key: the decoded bytes after whsec_, or the text's bytes without it */
};

/* whsec_ + base64 of 32 random bytes, NUL-terminated. */
void sign_secret_generate(const struct ch_rand *rand, char out[SIGN_SECRET_TEXT_LEN + 1]);
/* A secret brought along: whsec_ with 24..64 bytes in base64, or 16..128 printable ASCII characters (no
 * spaces). */
int sign_secret_check(const char *secret, size_t len, struct ch_err *err) CH_MUST_USE;

/* Takes every secret that can be a key, also one that sign_secret_check finds too short: what others
 * signed must be checkable. After whsec_ base64 of 1..64 bytes, its padding may be missing; else 1..128
 * printable ASCII characters. */
int sign_key_init(struct sign_key *k, const char *secret, size_t len, struct ch_err *err) CH_MUST_USE;
void sign_key_fini(struct sign_key *k);

void sign_body_hex(struct sign_key *k, const void *body, size_t len, char out[SIGN_HEX_LEN + 1]);
/* id: the webhook-id; timestamp_s: Unix seconds of this attempt. out: "v1,…" NUL-terminated. */
void sign_body_standard(struct sign_key *k, const char *id, int64_t timestamp_s, const void *body, size_t len,
		char out[SIGN_STD_LEN + 1]);

/* ---- checking what was received ---- */

struct sign_received {
	const char *body;
	size_t body_len;
	const char *id; /* webhook-id, or NULL */
	const char *timestamp; /* webhook-timestamp, or NULL */
	const char *hex_signature; /* X-Webhook-Signature, or NULL */
	const char *hex_signature_next; /* X-Webhook-Signature-Next, or NULL */
	const char *std_signature; /* webhook-signature, or NULL; several, space-separated, are fine */
	int64_t now_s;
	int64_t tolerance_s; /* 0: the timestamp is not looked at */
};

enum sign_verdict {
	SIGN_VALID,
	SIGN_NO_SIGNATURE, /* neither header is there */
	SIGN_STALE, /* right, but the timestamp is too old or in the future */
	SIGN_BAD_TIMESTAMP, /* not a number */
	SIGN_BAD_FORMAT, /* not hex, not "v1,base64" */
	SIGN_ENCODING, /* right, but base64 where hex belongs or the other way round, or upper case */
	SIGN_SECRET_AS_BYTES, /* X-: made with the decoded bytes; webhook-: made with the text */
	SIGN_OTHER_WHITESPACE, /* the same JSON with other white space would match */
	SIGN_OTHER_KEY_ORDER, /* the same JSON with the record's key order would match */
	SIGN_PREVIOUS_SECRET, /* it matches one of the other secrets given */
	SIGN_MISMATCH /* none of the above explains it */
};

struct sign_check {
	enum sign_verdict verdict;
	char words[200]; /* for people: what was found and what to do */
};

/* secret: the one that should match; others: previous or next secrets to try for an explanation.
 * Both headers are checked when both are there: all that are there must match for SIGN_VALID.
 * To find reasons a body that is JSON is written again (compact; and with the call record's key
 * order) - that is why it lives beside the model. CH_EINVAL: the secret itself is unusable. */
int sign_check(const struct sign_received *r, const char *secret, const char *const *others,
		size_t other_count, struct sign_check *ret, struct ch_err *err) CH_MUST_USE;

#endif
