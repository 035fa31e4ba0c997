#include "policy/sign.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "policy/sign_secret.h"

#define GENERATED_BYTES 32
#define BROUGHT_BYTES_MIN 24
#define BROUGHT_TEXT_MIN 16

static const char prefix[] = "whsec_";
#define PREFIX_LEN (sizeof(prefix) - 1)

void sign_secret_generate(const struct ch_rand *rand, char out[SIGN_SECRET_TEXT_LEN + 1])
{
	uint8_t bytes[GENERATED_BYTES];
	ch_rand_fill(rand, bytes, sizeof(bytes));
	memcpy(out, prefix, PREFIX_LEN);
	ch_base64(bytes, sizeof(bytes), out + PREFIX_LEN);
	out[SIGN_SECRET_TEXT_LEN] = '\0';
	ch_wipe(bytes, sizeof(bytes));
}

bool sign_secret_has_prefix(const char *secret, size_t len)
{
	return len >= PREFIX_LEN && memcmp(secret, prefix, PREFIX_LEN) == 0;
}

/* Some senders leave the padding of their base64 off; receivers that know the secret take it so. */
int sign_secret_decode(const char *secret, size_t len, struct sign_secret_bytes *ret)
{
	char padded[SIGN_SECRET_TEXT_MAX + 4];
	uint8_t bytes[sizeof(padded)];
	size_t n = len - PREFIX_LEN, decoded = 0;
	CH_ASSERT(sign_secret_has_prefix(secret, len));
	if (len > SIGN_SECRET_TEXT_MAX)
		return CH_EINVAL;
	memcpy(padded, secret + PREFIX_LEN, n);
	while (n % 4 != 0)
		padded[n++] = '=';
	int r = ch_unbase64(padded, n, bytes, &decoded);
	if (r == 0 && (decoded == 0 || decoded > SIGN_SECRET_BYTES_MAX))
		r = CH_EINVAL;
	if (r == 0) {
		memcpy(ret->b, bytes, decoded);
		ret->len = decoded;
	}
	ch_wipe(padded, sizeof(padded));
	ch_wipe(bytes, sizeof(bytes));
	return r == 0 ? 0 : CH_EINVAL;
}

static int usable_check(const char *secret, size_t len, struct ch_err *err)
{
	if (len == 0)
		return ch_err_set(err, CH_EINVAL, "the secret is empty");
	if (len > SIGN_SECRET_TEXT_MAX)
		return ch_err_set(err, CH_EINVAL, "the secret is longer than %d characters",
				SIGN_SECRET_TEXT_MAX);
	for (size_t i = 0; i < len; i++) {
		if (secret[i] <= ' ' || secret[i] > '~')
			return ch_err_set(err, CH_EINVAL,
					"the secret must be printable ASCII without spaces (character %zu is "
					"not)",
					i + 1);
	}
	return 0;
}

static int decode_checked(const char *secret, size_t len, struct sign_secret_bytes *ret, struct ch_err *err)
{
	if (sign_secret_decode(secret, len, ret) != 0)
		return ch_err_set(err, CH_EINVAL, "what follows whsec_ is not base64 of 1 to %d bytes",
				SIGN_SECRET_BYTES_MAX);
	return 0;
}

int sign_secret_check(const char *secret, size_t len, struct ch_err *err)
{
	struct sign_secret_bytes bytes;
	int r = usable_check(secret, len, err);
	if (r != 0)
		return r;
	if (!sign_secret_has_prefix(secret, len)) {
		if (len < BROUGHT_TEXT_MIN)
			return ch_err_set(err, CH_EINVAL, "the secret is shorter than %d characters",
					BROUGHT_TEXT_MIN);
		return 0;
	}
	r = decode_checked(secret, len, &bytes, err);
	if (r != 0)
		return r;
	ch_wipe(&bytes.b, sizeof(bytes.b));
	if (bytes.len < BROUGHT_BYTES_MIN)
		return ch_err_set(err, CH_EINVAL,
				"the secret has %zu bytes after whsec_; at least %d are needed", bytes.len,
				BROUGHT_BYTES_MIN);
	return 0;
}

int sign_key_init(struct sign_key *k, const char *secret, size_t len, struct ch_err *err)
{
	struct sign_secret_bytes bytes = {.len = 0};
	struct sign_key key = {.plain = {NULL}};
	const void *standard = secret;
	size_t standard_len = len;
	int r = usable_check(secret, len, err);
	if (r == 0 && sign_secret_has_prefix(secret, len)) {
		r = decode_checked(secret, len, &bytes, err);
		standard = bytes.b;
		standard_len = bytes.len;
	}
	if (r != 0)
		return r;
	r = ch_hmac_init(&key.plain, secret, len);
	if (r == 0)
		r = ch_hmac_init(&key.standard, standard, standard_len);
	ch_wipe(&bytes, sizeof(bytes));
	if (r != 0) {
		sign_key_fini(&key);
		return ch_err_set(err, r, "no memory for a signing key");
	}
	*k = key;
	return 0;
}

void sign_key_fini(struct sign_key *k)
{
	ch_hmac_fini(&k->plain);
	ch_hmac_fini(&k->standard);
}

void sign_body_hex(struct sign_key *k, const void *body, size_t len, char out[SIGN_HEX_LEN + 1])
{
	uint8_t mac[CH_SHA256_BYTES];
	ch_hmac_begin(&k->plain);
	ch_hmac_update(&k->plain, body, len);
	ch_hmac_end(&k->plain, mac);
	ch_hex(mac, sizeof(mac), out);
	out[SIGN_HEX_LEN] = '\0';
}

void sign_body_standard(struct sign_key *k, const char *id, int64_t timestamp_s, const void *body, size_t len,
		char out[SIGN_STD_LEN + 1])
{
	uint8_t mac[CH_SHA256_BYTES];
	char middle[24];
	int n = snprintf(middle, sizeof(middle), ".%lld.", (long long)timestamp_s);
	CH_ASSERT(n > 0 && (size_t)n < sizeof(middle));
	ch_hmac_begin(&k->standard);
	ch_hmac_update(&k->standard, id, strlen(id));
	ch_hmac_update(&k->standard, middle, (size_t)n);
	ch_hmac_update(&k->standard, body, len);
	ch_hmac_end(&k->standard, mac);
	memcpy(out, "v1,", 3);
	ch_base64(mac, sizeof(mac), out + 3);
	out[SIGN_STD_LEN] = '\0';
}
