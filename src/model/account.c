#include "model/account.h"

#include <string.h>

#include "base/err.h"

#define KEY_PREFIX "chk_"
#define KEY_BYTES 32

static bool is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_' || c == '.';
}

int account_id_check(const char *text, size_t len)
{
	if (len == 0 || len > ACCOUNT_ID_MAX)
		return CH_EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!is_id_char(text[i]))
			return CH_EINVAL;
	}
	/* An id stands in a path, where these two mean another place. */
	if (text[0] == '.' && (len == 1 || (len == 2 && text[1] == '.')))
		return CH_EINVAL;
	return 0;
}

bool account_key_is_set(const struct account *a, int key)
{
	static const uint8_t none[CH_SHA256_BYTES];
	return memcmp(a->key_sha256[key], none, CH_SHA256_BYTES) != 0;
}

void account_key_make(const struct ch_rand *rand, char out[ACCOUNT_KEY_TEXT_LEN + 1])
{
	uint8_t bytes[KEY_BYTES];

	ch_rand_fill(rand, bytes, sizeof(bytes));
	memcpy(out, KEY_PREFIX, strlen(KEY_PREFIX));
	ch_hex(bytes, sizeof(bytes), out + strlen(KEY_PREFIX));
	out[ACCOUNT_KEY_TEXT_LEN] = '\0';
	ch_wipe(bytes, sizeof(bytes));
}
