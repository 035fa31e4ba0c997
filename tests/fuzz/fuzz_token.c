/* Tokens that strangers bring. No noise is one; and header and claims that are signed rightly (a key that
 * leaked would be worse) are refused, or read into values within their bounds. data: header, a line feed,
 * claims. */
#include <stdint.h>
#include <string.h>

#include "api/token.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[TOKEN_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static void add_part(struct ch_buf *out, const void *data, size_t len)
{
	size_t n = ch_base64_len(len);
	char *to = ch_buf_reserve(out, n);

	CH_ASSERT(to);
	ch_base64(data, len, to);
	while (n > 0 && to[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		to[i] = (char)(to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i]);
	ch_buf_commit(out, n);
}

static void check_signed(const uint8_t *data, size_t size)
{
	const uint8_t *lf = memchr(data, '\n', size);
	size_t head = lf ? (size_t)(lf - data) : size, used = lf ? head + 1 : size;
	uint8_t signature[CH_SHA256_BYTES];
	struct ch_buf text;
	struct ch_hmac h;
	struct token t;

	ch_buf_init(&text, SIZE_MAX);
	add_part(&text, data, head);
	ch_buf_addc(&text, '.');
	add_part(&text, data + used, size - used);
	CH_ASSERT(ch_hmac_init(&h, key, sizeof(key)) == 0);
	ch_hmac_begin(&h);
	ch_hmac_update(&h, text.data, text.len);
	ch_hmac_end(&h, signature);
	ch_hmac_fini(&h);
	ch_buf_addc(&text, '.');
	add_part(&text, signature, sizeof(signature));
	int rc = token_read(key, ch_buf_text(&text), TOKEN_BEARER, 1000, &t);
	CH_ASSERT(rc == 0 || rc == CH_ECRYPT);
	if (rc == 0) {
		CH_ASSERT(t.use == TOKEN_BEARER && t.expires_s > 1000);
		CH_ASSERT(t.scopes <= SCOPE_ALL && t.permits <= PERMIT_ALL);
		CH_ASSERT(account_id_check(t.account, strlen(t.account)) == 0);
	}
	ch_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = ch_memdup0(data, size);
	struct token t;

	CH_ASSERT(copy);
	CH_ASSERT(token_read(key, copy, TOKEN_BEARER, 1000, &t) == CH_ECRYPT);
	ch_free(copy);
	if (size > 0)
		check_signed(data, size);
	return 0;
}
