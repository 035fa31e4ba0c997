#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "policy/sign.h"
#include "policy/sign_body.h"
#include "policy/sign_secret.h"

#define ENTRIES_MAX 16 /* a rotation makes two; what is beyond is not looked at */
#define ENTRY_LEN_MAX 128

enum scheme { SCHEME_HEX, SCHEME_STANDARD };

/* One signature as it was received, down to its bytes. */
struct entry {
	uint8_t mac[CH_SHA256_BYTES];
	bool as_prescribed; /* hex where hex belongs, "v1," and base64 where that does */
};

struct entries {
	struct entry items[ENTRIES_MAX];
	size_t count;
};

struct checker {
	const struct sign_received *r;
	const char *const *others;
	size_t other_count;
	struct sign_key key;
	struct sign_body_forms forms; /* made when first needed */
};

/* ---- reading what was received ---- */

static bool hex_decode(const char *text, size_t len, uint8_t out[CH_SHA256_BYTES])
{
	return len == SIGN_HEX_LEN && ch_unhex(text, len, out) == 0;
}

/* The usual and the URL-safe alphabet, with padding or without. */
static bool base64_decode(const char *text, size_t len, uint8_t out[CH_SHA256_BYTES])
{
	char plain[44];
	uint8_t bytes[33];
	size_t got = 0;
	if (len != 43 && len != 44)
		return false;
	for (size_t i = 0; i < 44; i++) {
		char c = i < len ? text[i] : '=';
		plain[i] = c;
		if (c == '-')
			plain[i] = '+';
		else if (c == '_')
			plain[i] = '/';
	}
	if (ch_unbase64(plain, sizeof(plain), bytes, &got) != 0 || got != CH_SHA256_BYTES)
		return false;
	memcpy(out, bytes, CH_SHA256_BYTES);
	return true;
}

static bool is_lower_hex(const char *text, size_t len)
{
	return len == SIGN_HEX_LEN && strspn(text, "0123456789abcdef") >= len;
}

static bool skip_prefix(const char **text, size_t *len, const char *prefix)
{
	size_t n = strlen(prefix);
	if (*len < n || memcmp(*text, prefix, n) != 0)
		return false;
	*text += n;
	*len -= n;
	return true;
}

/* False when it is no signature in any spelling. text may go on behind len. */
static bool entry_read(enum scheme scheme, const char *text, size_t len, struct entry *ret)
{
	bool has_version = skip_prefix(&text, &len, "v1,");
	bool has_digest = !has_version && skip_prefix(&text, &len, "sha256=");
	if (hex_decode(text, len, ret->mac)) {
		ret->as_prescribed = scheme == SCHEME_HEX && !has_version && !has_digest &&
				     is_lower_hex(text, len);
		return true;
	}
	if (!base64_decode(text, len, ret->mac))
		return false;
	ret->as_prescribed =
			scheme == SCHEME_STANDARD && has_version && len == 44 && strcspn(text, "-_") >= len;
	return true;
}

/* "v1a," and the like are signatures of a kind that callhook does not make: not wrong, just not ours. */
static bool is_other_version(const char *text, size_t len)
{
	size_t n = strcspn(text, ", ");
	return n < len && text[n] == ',' && text[0] == 'v' && !(n == 2 && text[1] == '1');
}

static void entries_add(struct entries *e, enum scheme scheme, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, " ");
		if (e->count == ENTRIES_MAX)
			return;
		if (len > 0 && len <= ENTRY_LEN_MAX && !is_other_version(text, len) &&
				entry_read(scheme, text, len, &e->items[e->count]))
			e->count++;
		text += len;
		text += strspn(text, " ");
	}
}

/* ---- making what should have been received ---- */

static void mac_make(struct ch_hmac *h, enum scheme scheme, const struct sign_received *r, const char *body,
		size_t len, uint8_t out[CH_SHA256_BYTES])
{
	ch_hmac_begin(h);
	if (scheme == SCHEME_STANDARD) {
		ch_hmac_update(h, r->id, strlen(r->id));
		ch_hmac_update(h, ".", 1);
		ch_hmac_update(h, r->timestamp, strlen(r->timestamp));
		ch_hmac_update(h, ".", 1);
	}
	ch_hmac_update(h, body, len);
	ch_hmac_end(h, out);
}

enum match { MATCH_NONE, MATCH_SPELLED_OTHERWISE, MATCH_EXACT };

static enum match match_find(const struct entries *e, const uint8_t mac[CH_SHA256_BYTES])
{
	enum match best = MATCH_NONE;
	for (size_t i = 0; i < e->count; i++) {
		if (!ch_ct_equal(e->items[i].mac, CH_SHA256_BYTES, mac, CH_SHA256_BYTES))
			continue;
		if (e->items[i].as_prescribed)
			return MATCH_EXACT;
		best = MATCH_SPELLED_OTHERWISE;
	}
	return best;
}

static enum match match_body(const struct checker *c, enum scheme scheme, const struct entries *e,
		struct ch_hmac *h, const char *body, size_t len)
{
	uint8_t mac[CH_SHA256_BYTES];
	mac_make(h, scheme, c->r, body, len, mac);
	enum match m = match_find(e, mac);
	ch_wipe(mac, sizeof(mac));
	return m;
}

static struct ch_hmac *key_of(struct sign_key *k, enum scheme scheme)
{
	return scheme == SCHEME_HEX ? &k->plain : &k->standard;
}

static struct ch_hmac *swapped_key_of(struct sign_key *k, enum scheme scheme)
{
	return scheme == SCHEME_HEX ? &k->standard : &k->plain;
}

/* An unusable one among the others explains nothing and is passed over. */
static int others_match(struct checker *c, enum scheme scheme, const struct entries *e, bool *ret)
{
	for (size_t i = 0; i < c->other_count && !*ret; i++) {
		struct sign_key k;
		int r = sign_key_init(&k, c->others[i], strlen(c->others[i]), NULL);
		if (r == CH_ENOMEM)
			return r;
		if (r != 0)
			continue;
		*ret = match_body(c, scheme, e, key_of(&k, scheme), c->r->body, c->r->body_len) != MATCH_NONE;
		sign_key_fini(&k);
	}
	return 0;
}

static int forms_match(struct checker *c, enum scheme scheme, const struct entries *e, enum sign_verdict *ret)
{
	struct ch_hmac *h = key_of(&c->key, scheme);
	int r = sign_body_forms_make(&c->forms, c->r->body, c->r->body_len);
	if (r != 0)
		return r;
	const struct sign_body_forms *f = &c->forms;
	if (match_body(c, scheme, e, h, f->compact.data, f->compact.len) != MATCH_NONE)
		*ret = SIGN_OTHER_WHITESPACE;
	else if (f->has_canonical &&
			match_body(c, scheme, e, h, f->canonical.data, f->canonical.len) != MATCH_NONE)
		*ret = f->order_differs ? SIGN_OTHER_KEY_ORDER : SIGN_OTHER_WHITESPACE;
	return 0;
}

/* Tries explanations from the likeliest to the rarest; the first that fits is the verdict. */
static int explain(struct checker *c, enum scheme scheme, const struct entries *e, enum sign_verdict *ret)
{
	const struct sign_received *r = c->r;
	bool is_other = false;
	*ret = SIGN_MISMATCH;
	switch (match_body(c, scheme, e, key_of(&c->key, scheme), r->body, r->body_len)) {
	case MATCH_EXACT:
		*ret = SIGN_VALID;
		return 0;
	case MATCH_SPELLED_OTHERWISE:
		*ret = SIGN_ENCODING;
		return 0;
	case MATCH_NONE:
		break;
	}
	if (match_body(c, scheme, e, swapped_key_of(&c->key, scheme), r->body, r->body_len) != MATCH_NONE) {
		*ret = SIGN_SECRET_AS_BYTES;
		return 0;
	}
	int code = others_match(c, scheme, e, &is_other);
	if (code != 0)
		return code;
	if (is_other) {
		*ret = SIGN_PREVIOUS_SECRET;
		return 0;
	}
	return forms_match(c, scheme, e, ret);
}

/* ---- the verdict of each scheme ---- */

/* Digits only and no leading zero, so that the number has one spelling: it is signed as text. */
static bool timestamp_read(const char *text, int64_t *ret)
{
	int64_t n = 0;
	size_t len = strlen(text);
	if (len == 0 || len > 15 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++)
		n = n * 10 + (text[i] - '0');
	*ret = n;
	return true;
}

static int hex_verdict(struct checker *c, enum sign_verdict *ret)
{
	struct entries e = {.count = 0};
	const struct sign_received *r = c->r;
	*ret = SIGN_NO_SIGNATURE;
	if (r->hex_signature == NULL && r->hex_signature_next == NULL)
		return 0;
	entries_add(&e, SCHEME_HEX, r->hex_signature);
	entries_add(&e, SCHEME_HEX, r->hex_signature_next);
	*ret = SIGN_BAD_FORMAT;
	return e.count == 0 ? 0 : explain(c, SCHEME_HEX, &e, ret);
}

static bool is_stale(const struct sign_received *r, int64_t timestamp_s)
{
	int64_t age_s = r->now_s - timestamp_s;
	return r->tolerance_s > 0 && (age_s > r->tolerance_s || age_s < -r->tolerance_s);
}

static int standard_verdict(struct checker *c, enum sign_verdict *ret)
{
	struct entries e = {.count = 0};
	const struct sign_received *r = c->r;
	int64_t timestamp_s = 0;
	*ret = SIGN_NO_SIGNATURE;
	if (r->std_signature == NULL)
		return 0;
	*ret = SIGN_BAD_TIMESTAMP;
	if (r->timestamp == NULL || !timestamp_read(r->timestamp, &timestamp_s))
		return 0;
	entries_add(&e, SCHEME_STANDARD, r->std_signature);
	*ret = SIGN_BAD_FORMAT;
	if (e.count == 0 || r->id == NULL)
		return 0;
	int code = explain(c, SCHEME_STANDARD, &e, ret);
	if (code == 0 && *ret == SIGN_VALID && is_stale(r, timestamp_s))
		*ret = SIGN_STALE;
	return code;
}

/* ---- words ---- */

static const char *format_words(const struct sign_received *r, enum scheme scheme)
{
	if (scheme == SCHEME_HEX)
		return "is not a signature: 64 characters of lower-case hex are expected";
	if (r->id == NULL)
		return "can't be checked without the webhook-id header";
	return "is not a signature: \"v1,\" and base64 of 32 bytes are expected";
}

static const char *key_words(enum scheme scheme)
{
	if (scheme == SCHEME_HEX)
		return "was made with the decoded bytes of the secret; the key is the whole text, whsec_ "
		       "included";
	return "was made with the text of the secret; the key is the base64 after whsec_, decoded";
}

static const char *encoding_words(enum scheme scheme)
{
	if (scheme == SCHEME_HEX)
		return "has the right bytes in another spelling; it must be lower-case hex, nothing before "
		       "it";
	return "has the right bytes in another spelling; it must be \"v1,\" and base64";
}

static const char *verdict_words(const struct sign_received *r, enum scheme scheme, enum sign_verdict v)
{
	switch (v) {
	case SIGN_VALID:
		return "is valid";
	case SIGN_NO_SIGNATURE:
		return "is there";
	case SIGN_STALE:
		return "is right, but webhook-timestamp is too far from now: an old request, or a wrong "
		       "clock";
	case SIGN_BAD_TIMESTAMP:
		return "can't be checked: webhook-timestamp is not a number of seconds";
	case SIGN_BAD_FORMAT:
		return format_words(r, scheme);
	case SIGN_ENCODING:
		return encoding_words(scheme);
	case SIGN_SECRET_AS_BYTES:
		return key_words(scheme);
	case SIGN_OTHER_WHITESPACE:
		return "fits the same JSON written otherwise (white space, escapes): verify the bytes as "
		       "received, "
		       "before parsing";
	case SIGN_OTHER_KEY_ORDER:
		return "fits the same JSON with its keys in another order: verify the bytes as received, "
		       "before "
		       "parsing";
	case SIGN_PREVIOUS_SECRET:
		return "was made with another of the secrets given: a rotation is under way or was missed";
	case SIGN_MISMATCH:
		return "does not match: another secret, or the body was changed (a framework that sorts keys "
		       "does that too)";
	}
	CH_UNREACHABLE();
}

static void verdict_write(const struct sign_received *r, enum sign_verdict hex, enum sign_verdict standard,
		struct sign_check *ret)
{
	/* What one header leaves unexplained, the other may explain. */
	bool hex_is_fine = hex == SIGN_VALID || hex == SIGN_NO_SIGNATURE;
	bool standard_is_fine = standard == SIGN_VALID || standard == SIGN_NO_SIGNATURE;
	bool use_standard = !standard_is_fine && (hex_is_fine || hex == SIGN_MISMATCH);
	if (hex_is_fine && standard_is_fine)
		use_standard = hex == SIGN_NO_SIGNATURE && standard == SIGN_VALID;

	ret->verdict = use_standard ? standard : hex;
	enum scheme scheme = use_standard ? SCHEME_STANDARD : SCHEME_HEX;
	const char *name = use_standard ? "webhook-signature" : "X-Webhook-Signature";
	const char *words = verdict_words(r, scheme, ret->verdict);
	if (hex == SIGN_NO_SIGNATURE && standard == SIGN_NO_SIGNATURE)
		name = "neither X-Webhook-Signature nor webhook-signature";
	if (hex == SIGN_VALID && standard == SIGN_VALID)
		name = "each signature";
	if (hex == SIGN_VALID && standard == SIGN_MISMATCH)
		words = "does not match, though the body and the secret are right: webhook-id or "
			"webhook-timestamp "
			"is not the one that was signed";
	(void)snprintf(ret->words, sizeof(ret->words), "%s %s", name, words);
}

int sign_check(const struct sign_received *r, const char *secret, const char *const *others,
		size_t other_count, struct sign_check *ret, struct ch_err *err)
{
	struct checker c = {.r = r, .others = others, .other_count = other_count};
	enum sign_verdict hex = SIGN_MISMATCH, standard = SIGN_MISMATCH;
	CH_ASSERT(secret != NULL && (r->body != NULL || r->body_len == 0));
	int code = sign_key_init(&c.key, secret, strlen(secret), err);
	if (code != 0)
		return code;
	sign_body_forms_init(&c.forms);
	code = hex_verdict(&c, &hex);
	if (code == 0)
		code = standard_verdict(&c, &standard);
	sign_body_forms_fini(&c.forms);
	sign_key_fini(&c.key);
	if (code != 0)
		return ch_err_set(err, code, "no memory to check a signature");
	verdict_write(r, hex, standard, ret);
	return 0;
}
