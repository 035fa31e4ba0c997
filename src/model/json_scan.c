#include "model/json_scan.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "model/json_utf8.h"

#define EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

static const char REPLACEMENT[] = "\xef\xbf\xbd";

/* The high bit of the lowest byte that is a quote, a backslash, a control character or not ASCII is
 * set; bits above it may be set falsely by the borrow. word has the first character lowest. */
static inline uint64_t special_bytes(uint64_t word)
{
	uint64_t quote = word ^ EVERY_BYTE('"'), backslash = word ^ EVERY_BYTE('\\');
	uint64_t found = (quote - EVERY_BYTE(1)) | (backslash - EVERY_BYTE(1)) | (word - EVERY_BYTE(0x20));
	/* Only a byte that was ASCII itself can say anything by its borrow; the others speak anyway. */
	return (found | word) & EVERY_BYTE(0x80);
}

static inline bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static inline const char *skip_ascii(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t word;
		memcpy(&word, p, sizeof word);
		uint64_t found = special_bytes(le64toh(word));
		if (found)
			return p + (__builtin_ctzll(found) >> 3);
		p += 8;
	}
	while (p < end && is_plain((unsigned char)*p))
		p++;
	return p;
}

static void note_bad(struct json_scan *s, const char *at, const char *words)
{
	if (s->bad)
		return;
	s->bad = words;
	s->bad_at = at;
}

/* To the next quote, backslash or control character, or the end. */
static inline const char *skip_plain(struct json_scan *s, const char *p, const char *end)
{
	for (;;) {
		p = skip_ascii(p, end);
		if (p == end || (unsigned char)*p < 0x80)
			return p;
		size_t len = json_utf8_len(p, end);
		if (len == 0) {
			bool is_surrogate = (unsigned char)*p == 0xed && end - p > 1 &&
					    (unsigned char)p[1] >= 0xa0;
			note_bad(s, p, is_surrogate ? "contains an encoded surrogate" : "is not valid UTF-8");
			len = 1;
		}
		p += len;
	}
}

static int fail(struct json_scan *s, const char *at, const char *words)
{
	s->at = at;
	s->fatal = words;
	return CH_EINVAL;
}

static int fail_at_stop(struct json_scan *s, const char *p, const char *end)
{
	if (p == end)
		return fail(s, p, "the string does not end");
	if (*p == '\0')
		return fail(s, p, "a NUL byte in a string");
	return fail(s, p, "a control character in a string must be escaped");
}

/* Four hex digits as a number; -1 when they are not. */
static int hex4(const char *p, const char *end)
{
	if (end - p < 4)
		return -1;
	int value = 0;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static char *put_utf8(char *out, uint32_t c)
{
	if (c >= 0x10000) {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	} else if (c >= 0x800) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		*out++ = (char)(0xc0 | c >> 6);
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* An ASCII character as JSON.stringify writes it. */
static char *put_ascii(char *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char short_forms[0x20] = {
			['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	if (c >= 0x20) {
		if (c == '"' || c == '\\')
			*out++ = '\\';
		*out++ = (char)c;
		return out;
	}
	*out++ = '\\';
	if (short_forms[c]) {
		*out++ = short_forms[c];
		return out;
	}
	memcpy(out, "u00", 3);
	out[3] = hex[c >> 4];
	out[4] = hex[c & 15];
	return out + 5;
}

static char *put_replacement(char *out)
{
	memcpy(out, REPLACEMENT, sizeof REPLACEMENT - 1);
	return out + sizeof REPLACEMENT - 1;
}

/* p: at the u. Advances it past the escape, or past both of a pair. NULL: malformed. */
static char *put_unicode_escape(struct json_scan *s, const char **p, const char *end, char *out)
{
	const char *at = *p - 1;
	int unit = hex4(*p + 1, end);
	if (unit < 0)
		return NULL;
	*p += 5;
	if (unit == 0) {
		note_bad(s, at, "contains NUL");
		return put_replacement(out);
	}
	if (unit < 0x80)
		return put_ascii(out, (unsigned char)unit);
	if (unit < 0xd800 || unit > 0xdfff)
		return put_utf8(out, (uint32_t)unit);
	if (unit < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		int low = hex4(*p + 2, end);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return put_utf8(out, 0x10000u + ((uint32_t)(unit - 0xd800) << 10) +
							     (uint32_t)(low - 0xdc00));
		}
	}
	note_bad(s, at, "contains a lone surrogate");
	return put_replacement(out);
}

/* *p: at the backslash. Advances it past the escape. NULL: malformed. */
static char *put_escape(struct json_scan *s, const char **p, const char *end, char *out)
{
	if (end - *p < 2)
		return NULL;
	char c = *++*p;
	if (c == 'u')
		return put_unicode_escape(s, p, end, out);
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *letter = c ? strchr(letters, c) : NULL;
	if (!letter)
		return NULL;
	++*p;
	return put_ascii(out, (unsigned char)meanings[letter - letters]);
}

/* The string began at start and stops at p, at its first escape. No escape becomes longer by being
 * made canonical, and a replacement for one is shorter, so the input that is left is room enough. */
static int scan_escaped(struct json_doc *d, const char *start, const char *p, struct json_scan *s)
{
	const char *end = d->input + d->input_len;
	if (json_doc_grow_arena(d, (size_t)(end - start)))
		return CH_ENOMEM;
	char *text = d->arena + d->arena_len, *out = text;
	for (;;) {
		memcpy(out, start, (size_t)(p - start));
		out += p - start;
		if (p == end || *p != '\\')
			break;
		const char *escape = p;
		out = put_escape(s, &p, end, out);
		if (!out)
			return fail(s, escape, "an unknown or unfinished escape in a string");
		start = p;
		p = skip_plain(s, p, end);
	}
	if (p == end || *p != '"')
		return fail_at_stop(s, p, end);
	s->text = d->arena_len | JSON_IN_ARENA;
	s->text_len = (uint32_t)(out - text);
	s->at = p + 1;
	d->arena_len += s->text_len;
	return 0;
}

int json_scan_string(struct json_doc *d, const char *p, struct json_scan *s)
{
	const char *end = d->input + d->input_len, *start = p;
	s->fatal = s->bad = NULL;
	p = skip_plain(s, p, end);
	if (p < end && *p == '"') {
		s->text = (uint32_t)(start - d->input);
		s->text_len = (uint32_t)(p - start);
		s->at = p + 1;
		return 0;
	}
	if (p < end && *p == '\\')
		return scan_escaped(d, start, p, s);
	return fail_at_stop(s, p, end);
}
