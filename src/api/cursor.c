#include "api/cursor.h"

#include <string.h>

#include "base/crypto.h"
#include "base/err.h"

#define PADDED_LEN 24

void cursor_format(const struct id *id, char out[CURSOR_TEXT_LEN + 1])
{
	char padded[PADDED_LEN];

	ch_base64(id->b, sizeof(id->b), padded);
	for (size_t i = 0; i < CURSOR_TEXT_LEN; i++)
		out[i] = padded[i] == '+' ? '-' : padded[i] == '/' ? '_' : padded[i];
	out[CURSOR_TEXT_LEN] = '\0';
}

int cursor_parse(const char *text, struct id *ret)
{
	char padded[PADDED_LEN];
	uint8_t bytes[PADDED_LEN / 4 * 3];
	size_t len;

	if (strlen(text) != CURSOR_TEXT_LEN || strpbrk(text, "+/="))
		return CH_EINVAL;
	for (size_t i = 0; i < CURSOR_TEXT_LEN; i++)
		padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
	memset(padded + CURSOR_TEXT_LEN, '=', PADDED_LEN - CURSOR_TEXT_LEN);
	if (ch_unbase64(padded, sizeof(padded), bytes, &len) != 0 || len != sizeof(ret->b))
		return CH_EINVAL;
	memcpy(ret->b, bytes, len);
	return 0;
}
