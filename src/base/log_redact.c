#include "base/log_redact.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"

#define KEY_CHARS_MIN 32 /* 128 bits in hex; base64 of 256 bits has 43 */
#define PHONE_DIGITS_MIN 4
#define PHONE_DIGITS_WHOLE 8 /* so many in one piece are a number that does not go on behind a space */
#define PHONE_DIGITS_MAX 15 /* E.164 */

struct text {
	const char *begin;
	const char *end;
};

/* What a recogniser found: all from the place it was asked about up to end gives way to keep bytes
 * of itself, and then to with. */
struct found {
	const char *end; /* NULL: nothing */
	size_t keep;
	const char *with;
	char with_digits[8];
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
	return is_digit(c) || is_letter(c) || c == '_' || c == '-';
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool starts(const struct text *t, const char *at, const char *with)
{
	size_t len = strlen(with);
	return (size_t)(t->end - at) >= len && strncasecmp(at, with, len) == 0;
}

static const char *skip_words(const struct text *t, const char *at, const char *or_these)
{
	while (at < t->end && (is_word(*at) || is_one_of(*at, or_these)))
		at++;
	return at;
}

static const char *skip_until(const struct text *t, const char *at, const char *these)
{
	while (at < t->end && !is_one_of(*at, these))
		at++;
	return at;
}

bool ch_log_name_is_secret(const char *name, size_t len)
{
	static const char *const ends[] = {"secret", "token", "password", "passwd", "api_key", "api-key",
			"apikey", "authorization"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i]);
		if (len >= n && strncasecmp(name + len - n, ends[i], n) == 0)
			return true;
	}
	return false;
}

/* Where the next piece of a number begins, behind at most two of the signs that people put there. */
static const char *next_piece(const struct text *t, const char *at)
{
	const char *p = at;
	while (p < t->end && p - at < 2 && is_one_of(*p, " .-()"))
		p++;
	return p > at && p < t->end && is_digit(*p) ? p : NULL;
}

static const char *skip_digits(const struct text *t, const char *at)
{
	while (at < t->end && is_digit(*at))
		at++;
	return at;
}

static bool find_phone(const struct text *t, const char *at, struct found *f)
{
	static const char *const pluses[] = {"+", "%2B", "\\u002B"};
	const char *p = NULL;
	for (size_t i = 0; i < 3 && !p; i++)
		if (starts(t, at, pluses[i]))
			p = at + strlen(pluses[i]);
	if (p && p < t->end && *p == '(')
		p++;
	int digits = 0;
	char last_two[2] = {0};
	const char *end = NULL;
	while (p && digits < PHONE_DIGITS_MAX) {
		end = skip_digits(t, p);
		for (const char *d = p; d < end; d++) {
			last_two[0] = last_two[1];
			last_two[1] = *d;
		}
		digits += (int)(end - p < PHONE_DIGITS_MAX ? end - p : PHONE_DIGITS_MAX);
		p = end - p >= PHONE_DIGITS_WHOLE ? NULL : next_piece(t, end);
	}
	if (digits < PHONE_DIGITS_MIN)
		return false;
	memcpy(f->with_digits, "+" CH_LOG_ELLIPSIS, 4);
	memcpy(f->with_digits + 4, last_two, 2);
	f->with_digits[6] = '\0';
	f->with = f->with_digits;
	f->end = end;
	return true;
}

static bool find_whsec(const struct text *t, const char *at, struct found *f)
{
	if (!starts(t, at, "whsec_"))
		return false;
	f->end = skip_words(t, at + 6, "+/=%");
	return true;
}

/* "scheme://user:password@": asked at the "://". */
static bool find_userinfo(const struct text *t, const char *at, struct found *f)
{
	if (!starts(t, at, "://"))
		return false;
	const char *colon = NULL;
	const char *last_at = NULL;
	for (const char *p = at + 3; p < t->end && !is_one_of(*p, "/?# \t\r\n\"'<>"); p++) {
		if (*p == ':' && !colon)
			colon = p;
		if (*p == '@')
			last_at = p;
	}
	if (!colon || !last_at || last_at <= colon)
		return false;
	f->keep = (size_t)(colon + 1 - at);
	f->end = last_at;
	return true;
}

/* name=value, "name":"value", Header-Name: value; asked at the sign between them. A plain word
 * before ": " is prose ("token: expired") and is left alone. */
static bool find_assigned(const struct text *t, const char *at, struct found *f)
{
	const char *name_end = at;
	bool is_quoted = name_end > t->begin && is_one_of(name_end[-1], "\"'");
	name_end -= is_quoted;
	const char *name = name_end;
	while (name > t->begin && is_word(name[-1]))
		name--;
	size_t name_len = (size_t)(name_end - name);
	if (!ch_log_name_is_secret(name, name_len))
		return false;
	bool is_header = name_len == 13 && strncasecmp(name, "authorization", 13) == 0;
	if (*at == ':' && !is_quoted && !is_header && !memchr(name, '-', name_len) &&
			!memchr(name, '_', name_len))
		return false;
	const char *value = at + 1;
	while (value < t->end && is_one_of(*value, *at == ':' ? " \"'\\" : "\"'\\"))
		value++;
	f->keep = (size_t)(value - at);
	f->end = skip_until(t, value, is_header ? "\r\n\"'" : " \t\r\n\"'&;,}");
	return f->end > value;
}

static bool find_bearer(const struct text *t, const char *at, struct found *f)
{
	if (!starts(t, at, "bearer "))
		return false;
	f->keep = 7;
	f->end = skip_words(t, at + 7, "+/=.~");
	return f->end > at + 7;
}

static bool find_jwt(const struct text *t, const char *at, struct found *f)
{
	if (t->end - at < 3 || memcmp(at, "eyJ", 3) != 0)
		return false;
	f->end = skip_words(t, at, ".");
	return memchr(at, '.', (size_t)(f->end - at)) != NULL;
}

/* Long and of both cases, or long and without a joint: hex, base32, base64. Ids with dashes in one
 * case and snake_case words are neither. */
static bool looks_like_key(const char *at, const char *end)
{
	bool lower = false;
	bool upper = false;
	bool digit = false;
	bool joint = false;
	for (const char *p = at; p < end; p++) {
		lower |= *p >= 'a' && *p <= 'z';
		upper |= *p >= 'A' && *p <= 'Z';
		digit |= is_digit(*p);
		joint |= !is_digit(*p) && !is_letter(*p);
	}
	bool mixed = lower && upper;
	return end - at >= KEY_CHARS_MIN &&
	       ((mixed && (digit || !joint)) || ((lower || upper) && digit && !joint));
}

/* Base64 may hold slashes, and so do paths: what stands at a path's place in a URL must look like a
 * key in one piece, all else may do so as a whole. What hangs on a key goes with it. */
static bool find_key(const struct text *t, const char *at, struct found *f)
{
	bool is_key = looks_like_key(at, skip_words(t, at, ""));
	if (!is_key && at > t->begin && is_one_of(at[-1], "./:+"))
		return false; /* before the longer look, or a path of n pieces would be read n times */
	const char *end = skip_words(t, at, "/+");
	if (!is_key && !looks_like_key(at, end))
		return false;
	for (int pad = 0; pad < 2 && end < t->end && *end == '='; pad++)
		end++;
	f->end = end;
	return true;
}

static bool find_any(const struct text *t, const char *at, struct found *f)
{
	char c = *at;
	if (c == '+' || c == '%' || c == '\\')
		return find_phone(t, at, f);
	if (c == '=')
		return find_assigned(t, at, f);
	if (c == ':')
		return find_userinfo(t, at, f) || find_assigned(t, at, f);
	if (!is_word(c))
		return false;
	if ((c == 'w' || c == 'W') && find_whsec(t, at, f))
		return true;
	if (at > t->begin && is_word(at[-1]))
		return false;
	return find_bearer(t, at, f) || find_jwt(t, at, f) || find_key(t, at, f);
}

void ch_log_redact(struct ch_buf *out, const char *text, size_t len)
{
	const struct text t = {.begin = text, .end = text + len};
	const char *plain = text; /* seen, without a find, not yet written */
	const char *at = text;
	while (at < t.end) {
		struct found f = {.with = CH_LOG_SECRET};
		if (!find_any(&t, at, &f)) {
			at++;
			continue;
		}
		ch_buf_add(out, plain, (size_t)(at - plain));
		/* What is kept may hold a number itself: "sip://+33612345678:…@". No find keeps one whole, so
		 * this goes no deeper. */
		if (f.keep > 0)
			ch_log_redact(out, at, f.keep);
		ch_buf_adds(out, f.with);
		plain = at = f.end;
	}
	ch_buf_add(out, plain, (size_t)(t.end - plain));
}
