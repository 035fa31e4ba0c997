#include "base/crypto.h"

#include "base/err.h"

void ch_hex(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = data;
	for (size_t i = 0; i < len; i++) {
		*out++ = digits[from[i] >> 4];
		*out++ = digits[from[i] & 15];
	}
}

int ch_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int ch_unhex(const char *text, size_t len, uint8_t *out)
{
	if (len % 2)
		return CH_EINVAL;
	for (size_t i = 0; i < len; i += 2) {
		int high = ch_hex_value(text[i]);
		int low = ch_hex_value(text[i + 1]);
		if (high < 0 || low < 0)
			return CH_EINVAL;
		*out++ = (uint8_t)(high << 4 | low);
	}
	return 0;
}

size_t ch_base64_len(size_t len)
{
	return len / 3 * 4 + (len % 3 ? 4 : 0);
}

void ch_base64(const void *data, size_t len, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *from = data;
	for (; len >= 3; len -= 3, from += 3) {
		*out++ = digits[from[0] >> 2];
		*out++ = digits[(from[0] & 3) << 4 | from[1] >> 4];
		*out++ = digits[(from[1] & 15) << 2 | from[2] >> 6];
		*out++ = digits[from[2] & 63];
	}
	if (len == 0)
		return;
	uint8_t second = len == 2 ? from[1] : 0;
	out[0] = digits[from[0] >> 2];
	out[1] = digits[(from[0] & 3) << 4 | second >> 4];
	out[2] = '=';
	if (len == 2)
		out[2] = digits[(second & 15) << 2];
	out[3] = '=';
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

/* Four characters of which the last `pad` are "=": at most three bytes. Spare bits must be zero, or
 * two spellings would mean the same bytes. */
static int unbase64_group(const char *text, int pad, uint8_t *out)
{
	uint32_t bits = 0;
	for (int i = 0; i < 4 - pad; i++) {
		int value = base64_value(text[i]);
		if (value < 0)
			return CH_EINVAL;
		bits |= (uint32_t)value << (18 - 6 * i);
	}
	if (bits & ((1u << (8 * pad)) - 1))
		return CH_EINVAL;
	for (int i = 0; i < 3 - pad; i++)
		out[i] = (uint8_t)(bits >> (16 - 8 * i));
	return 0;
}

int ch_unbase64(const char *text, size_t len, uint8_t *out, size_t *ret_len)
{
	if (len % 4)
		return CH_EINVAL;
	int pad = 0;
	if (len && text[len - 1] == '=')
		pad = text[len - 2] == '=' ? 2 : 1;
	for (size_t at = 0; at < len; at += 4, out += 3) {
		int rc = unbase64_group(text + at, at + 4 == len ? pad : 0, out);
		if (rc)
			return rc;
	}
	*ret_len = len / 4 * 3 - (size_t)pad;
	return 0;
}
