/* A received request, one line each: X-Webhook-Signature, -Next, webhook-signature, webhook-id,
 * webhook-timestamp; the rest is the body. "-" is a header that is not there. Any bytes get a verdict, and
 * only callhook's own signature is valid. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "policy/sign.h"

#define LINES 5
#define SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *header_of(const char *line)
{
	return strcmp(line, "-") == 0 ? NULL : line;
}

static void check_valid(const struct sign_received *r)
{
	struct sign_key k;
	char hex[SIGN_HEX_LEN + 1];
	CH_ASSERT(sign_key_init(&k, SECRET, strlen(SECRET), NULL) == 0);
	sign_body_hex(&k, r->body, r->body_len, hex);
	sign_key_fini(&k);
	bool has_hex = (r->hex_signature != NULL && strstr(r->hex_signature, hex) != NULL) ||
		       (r->hex_signature_next != NULL && strstr(r->hex_signature_next, hex) != NULL);
	CH_ASSERT(has_hex || (r->hex_signature == NULL && r->hex_signature_next == NULL));
	CH_ASSERT(has_hex || r->std_signature != NULL);
}

static void check(const char *lines[LINES], const char *body, size_t len)
{
	static const char *const others[] = {"another-secret-of-mine"};
	struct sign_check got;
	const struct sign_received r = {
			.body = body,
			.body_len = len,
			.hex_signature = header_of(lines[0]),
			.hex_signature_next = header_of(lines[1]),
			.std_signature = header_of(lines[2]),
			.id = header_of(lines[3]),
			.timestamp = header_of(lines[4]),
			.now_s = 1700000000,
			.tolerance_s = SIGN_TOLERANCE_S,
	};
	CH_ASSERT(sign_check(&r, SECRET, others, 1, &got, NULL) == 0);
	CH_ASSERT(memchr(got.words, '\0', sizeof(got.words)) != NULL && got.words[0] != '\0');
	if (got.verdict == SIGN_VALID)
		check_valid(&r);
}

static void assert_verdict(const struct sign_received *r, const char *secret, enum sign_verdict wanted)
{
	struct sign_check got;
	CH_ASSERT(sign_check(r, secret, NULL, 0, &got, NULL) == 0);
	CH_ASSERT(got.verdict == wanted);
}

/* What callhook signs is valid, with either signature or both, and no longer so when a byte more is there;
 * and with the timestamp out of its window it is stale. */
static void check_signed(const char *secret, const char *body, size_t len)
{
	struct sign_key k;
	char hex[SIGN_HEX_LEN + 1];
	char standard[SIGN_STD_LEN + 1];
	if (sign_key_init(&k, secret, strlen(secret), NULL) != 0)
		return;
	sign_body_hex(&k, body, len, hex);
	sign_body_standard(&k, "msg_1", 1700000000, body, len, standard);
	sign_key_fini(&k);
	struct sign_received r = {.body = body, .body_len = len, .hex_signature = hex, .now_s = 1700000000};
	assert_verdict(&r, secret, SIGN_VALID);
	r.std_signature = standard;
	r.id = "msg_1";
	r.timestamp = "1700000000";
	r.tolerance_s = SIGN_TOLERANCE_S;
	assert_verdict(&r, secret, SIGN_VALID);
	r.now_s += SIGN_TOLERANCE_S + 1;
	assert_verdict(&r, secret, SIGN_STALE);
	r.now_s = 1700000000;
	hex[0] = hex[0] == '0' ? '1' : '0';
	struct sign_check got;
	CH_ASSERT(sign_check(&r, secret, NULL, 0, &got, NULL) == 0 && got.verdict != SIGN_VALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *lines[LINES];
	char *text = ch_memdup0(data, size), *at = text;
	CH_ASSERT(text != NULL);
	for (int i = 0; i < LINES; i++) {
		char *end = memchr(at, '\n', size - (size_t)(at - text));
		lines[i] = at;
		if (end == NULL) {
			ch_free(text);
			return 0;
		}
		*end = '\0';
		at = end + 1;
	}
	check(lines, at, size - (size_t)(at - text));
	/* The first line is also a secret that somebody brings along: one that is taken can sign. */
	bool is_taken = sign_secret_check(lines[0], strlen(lines[0]), NULL) == 0;
	struct sign_key k;
	if (sign_key_init(&k, lines[0], strlen(lines[0]), NULL) == 0)
		sign_key_fini(&k);
	else
		CH_ASSERT(!is_taken);
	check_signed(lines[0], at, size - (size_t)(at - text));
	ch_free(text);
	return 0;
}
