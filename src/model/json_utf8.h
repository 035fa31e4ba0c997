/* model/json_utf8.h - one well-formed UTF-8 sequence.
 *
 * Role:      the length of the character at a place, or 0 when the bytes there are no character:
 *            overlong forms, surrogates and what lies beyond U+10FFFF are none.
 * Source:    RFC 3629 section 4 (the grammar of well-formed sequences).
 */
#ifndef CH_MODEL_JSON_UTF8_H
#define CH_MODEL_JSON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool json_utf8_is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* 1..4, or 0. s < end. */
static inline size_t json_utf8_len(const char *s, const char *end)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t left = (size_t)(end - s);
	unsigned char c = p[0];
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4 || left < 2)
		return 0;
	if (c < 0xe0)
		return json_utf8_is_tail(p[1]) ? 2 : 0;
	/* The second byte's range is narrower behind four leads: no overlong form, no surrogate, and
	 * nothing past U+10FFFF. */
	unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high || left < 3 || !json_utf8_is_tail(p[2]))
		return 0;
	if (c < 0xf0)
		return 3;
	return left >= 4 && json_utf8_is_tail(p[3]) ? 4 : 0;
}

#endif
