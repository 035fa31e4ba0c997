/* Sealed secrets and the spellings of bytes. No noise opens; what was sealed opens with its key and place
 * alone, and not with one bit changed. Hex and base64 that are taken come back as they were written. */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[CH_SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static int unseal(const uint8_t *aad, size_t aad_len, const void *sealed, size_t len, struct ch_buf *out)
{
	ch_buf_init(out, SIZE_MAX);
	return ch_unseal(key, aad, aad_len, sealed, len, out);
}

static void check_refused(const uint8_t *aad, size_t aad_len, const void *sealed, size_t len)
{
	struct ch_buf out;
	CH_ASSERT(unseal(aad, aad_len, sealed, len, &out) == CH_ECRYPT && out.len == 0);
	ch_buf_fini(&out);
}

/* data: aad of 24 bytes at most, then the secret; the first two bytes say which bit to turn. */
static void check_sealed(const uint8_t *data, size_t size)
{
	struct ch_rand_seeded seed;
	struct ch_buf sealed;
	struct ch_buf plain;
	size_t aad_len = size < 24 ? size : 24;
	const uint8_t *secret = data + aad_len;
	size_t len = size - aad_len;

	ch_rand_seeded_init(&seed, size);
	const struct ch_rand rand = ch_rand_seeded_of(&seed);
	ch_buf_init(&sealed, SIZE_MAX);
	CH_ASSERT(ch_seal(key, &rand, data, aad_len, secret, len, &sealed) == 0);
	CH_ASSERT(sealed.len == len + CH_SEAL_EXTRA_BYTES);
	CH_ASSERT(unseal(data, aad_len, sealed.data, sealed.len, &plain) == 0 && plain.len == len);
	CH_ASSERT(len == 0 || memcmp(plain.data, secret, len) == 0);
	ch_buf_fini(&plain);
	if (aad_len > 0)
		check_refused(data, aad_len - 1, sealed.data, sealed.len);
	check_refused(data, aad_len, sealed.data, sealed.len - 1);
	size_t bit = (data[0] | (size_t)data[size - 1] << 8) % (sealed.len * 8);
	sealed.data[bit / 8] = (char)(sealed.data[bit / 8] ^ (1 << (bit % 8)));
	check_refused(data, aad_len, sealed.data, sealed.len);
	ch_buf_fini(&sealed);
}

static void check_texts(const char *text, size_t len)
{
	uint8_t *bytes = ch_alloc(len + 4);
	char *back = ch_alloc(len + 4);
	size_t got = 0;

	CH_ASSERT(bytes && back);
	if (ch_unbase64(text, len, bytes, &got) == 0) {
		CH_ASSERT(ch_base64_len(got) == len);
		ch_base64(bytes, got, back);
		CH_ASSERT(memcmp(back, text, len) == 0);
	}
	if (len % 2 == 0 && ch_unhex(text, len, bytes) == 0) {
		ch_hex(bytes, len / 2, back);
		for (size_t i = 0; i < len; i++)
			CH_ASSERT(ch_hex_value(back[i]) == ch_hex_value(text[i]));
	}
	ch_free(bytes);
	ch_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	check_refused(data, size < 24 ? size : 24, data, size);
	check_sealed(data, size);
	check_texts((const char *)data, size);
	return 0;
}
