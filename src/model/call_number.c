#include "model/call_number.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "model/call_codec.h"

/* No double needs more decimal digits than this to be told from its neighbours' midpoints (767);
 * what follows only counts as "and a little more". */
#define DIGITS_MAX 800
#define DIGITS_ALWAYS_ENOUGH 17
#define SAFE_INTEGER 9007199254740991.0
#define EXPONENT_FROM 1e21 /* the least that Number::toString prints with an exponent */
#define EXPONENT_SATURATED 1000000000

/* 0.DIGITS times ten to the point; no leading and no trailing zero; count 0 is zero. */
struct decimal {
	bool is_negative;
	int64_t point;
	int count;
	char digits[DIGITS_MAX + 1];
};

static void decimal_add(struct decimal *d, char digit)
{
	if (d->count < DIGITS_MAX)
		d->digits[d->count++] = digit;
	else if (digit != '0')
		d->digits[DIGITS_MAX - 1] = '1'; /* sticky: never a tie, and far past any digit that counts */
}

static int64_t parse_exponent(const char *p, const char *end)
{
	bool is_negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	int64_t value = 0;
	for (; p < end; p++) {
		if (value < EXPONENT_SATURATED)
			value = value * 10 + (*p - '0');
	}
	return is_negative ? -value : value;
}

static void decimal_parse(struct decimal *d, const char *p, const char *end)
{
	d->is_negative = *p == '-';
	d->point = 0;
	d->count = 0;
	bool is_fraction = false;
	for (p += d->is_negative; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			is_fraction = true;
			continue;
		}
		bool leads = d->count == 0 && *p == '0';
		if (!leads)
			decimal_add(d, *p);
		if (is_fraction && leads)
			d->point--;
		else if (!is_fraction && !leads)
			d->point++;
	}
	if (p < end)
		d->point += parse_exponent(p + 1, end);
	while (d->count > 0 && d->digits[d->count - 1] == '0')
		d->count--;
}

static size_t format_integer(bool is_negative, uint64_t value, char *out)
{
	char reversed[24];
	size_t n = 0, len = 0;
	do {
		reversed[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	if (is_negative)
		out[len++] = '-';
	while (n > 0)
		out[len++] = reversed[--n];
	return len;
}

/* strtod reads the locale's decimal point; digits and an exponent have none. */
static double digits_to_double(const char *digits, int count, int64_t point)
{
	char text[DIGITS_MAX + 32];
	CH_ASSERT(count <= DIGITS_MAX);
	memcpy(text, digits, (size_t)count);
	char *p = text + count;
	*p++ = 'e';
	int64_t exponent = point - count;
	p += format_integer(exponent < 0, (uint64_t)(exponent < 0 ? -exponent : exponent), p);
	*p = '\0';
	return strtod(text, NULL);
}

static size_t put_zeros(char *out, int count)
{
	memset(out, '0', (size_t)count);
	return (size_t)count;
}

/* d.ddde±x, for what is very large or very small. */
static size_t format_scientific(const char *digits, int count, int point, char *out)
{
	char *p = out;
	*p++ = digits[0];
	if (count > 1) {
		*p++ = '.';
		memcpy(p, digits + 1, (size_t)count - 1);
		p += count - 1;
	}
	int exponent = point - 1;
	*p++ = 'e';
	*p++ = exponent < 0 ? '-' : '+';
	p += format_integer(false, (uint64_t)abs(exponent), p);
	return (size_t)(p - out);
}

/* The cases of Number::toString, in its order; point is its n. */
static size_t format_digits(bool is_negative, const char *digits, int count, int point, char *out)
{
	char *p = out;
	if (is_negative)
		*p++ = '-';
	if (point > 21 || point <= -6) {
		p += format_scientific(digits, count, point, p);
	} else if (point >= count) {
		memcpy(p, digits, (size_t)count);
		p += count;
		p += put_zeros(p, point - count);
	} else if (point > 0) {
		memcpy(p, digits, (size_t)point);
		p += point;
		*p++ = '.';
		memcpy(p, digits + point, (size_t)(count - point));
		p += count - point;
	} else {
		*p++ = '0';
		*p++ = '.';
		p += put_zeros(p, -point);
		memcpy(p, digits, (size_t)count);
		p += count;
	}
	return (size_t)(p - out);
}

/* value rounded to count digits; the digits and the point, as in struct decimal. */
static void round_digits(double value, int count, char digits[32], int *ret_point)
{
	char text[48];
	int len = snprintf(text, sizeof text, "%.*e", count - 1, value);
	CH_ASSERT(len > 0 && (size_t)len < sizeof text);
	int n = 0;
	const char *p = text;
	for (; *p != 'e'; p++) {
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	}
	CH_ASSERT(n == count);
	*ret_point = (int)strtol(p + 1, NULL, 10) + 1;
}

static int without_trailing_zeros(const char *digits, int count)
{
	while (count > 1 && digits[count - 1] == '0')
		count--;
	return count;
}

/* The next decimal of as many digits; false when a digit would have to be added. */
static bool next_up(char *digits, int count)
{
	for (int i = count - 1; i >= 0; i--) {
		if (digits[i] != '9') {
			digits[i]++;
			return true;
		}
		digits[i] = '0';
	}
	return false;
}

/* The fewest digits that read back as value, and of those the nearest. A normal double gives every
 * decimal of up to 15 digits back, so the search begins there. Rounding finds the nearest decimal,
 * and where the gap to both neighbours is the same, no other of that length can do better; at a
 * power of two the gap below is half as wide, and the decimal above may do where the nearest, below,
 * does not. */
static int shortest_digits(double value, char digits[32], int *ret_point)
{
	int unused;
	bool is_power_of_two = frexp(value, &unused) == 0.5;
	for (int count = value < DBL_MIN ? 1 : DBL_DIG;; count++) {
		round_digits(value, count, digits, ret_point);
		if (count == DIGITS_ALWAYS_ENOUGH)
			return without_trailing_zeros(digits, count);
		double back = digits_to_double(digits, count, *ret_point);
		bool is_found = back == value;
		if (!is_found && is_power_of_two && back < value && next_up(digits, count))
			is_found = digits_to_double(digits, count, *ret_point) == value;
		if (is_found)
			return without_trailing_zeros(digits, count);
	}
}

size_t call_number_text(double value, char out[CALL_NUMBER_TEXT_MAX])
{
	CH_ASSERT(isfinite(value));
	if (value == 0) {
		out[0] = '0';
		return 1;
	}
	double magnitude = fabs(value);
	if (magnitude <= SAFE_INTEGER && magnitude == floor(magnitude))
		return format_integer(value < 0, (uint64_t)magnitude, out);
	char digits[32];
	int point;
	int count = shortest_digits(magnitude, digits, &point);
	return format_digits(value < 0, digits, count, point, out);
}

void call_number_write(struct ch_buf *out, double value)
{
	char text[CALL_NUMBER_TEXT_MAX];
	ch_buf_add(out, text, call_number_text(value, text));
}

int call_number_canonical(const char *token, size_t len, char out[CALL_NUMBER_TEXT_MAX], size_t *ret_len)
{
	struct decimal d;
	decimal_parse(&d, token, token + len);
	if (d.count == 0 || d.point < -400) {
		out[0] = '0';
		*ret_len = 1;
		return 0;
	}
	if (d.point > 310)
		return CH_ELIMIT;
	/* Up to 15 digits are their own shortest form: a normal double gives them back, so no shorter
	 * decimal can mean the same double. Below 16 places no integer is too large. */
	if (d.count <= DBL_DIG && d.point <= DBL_DIG && d.point > -300) {
		*ret_len = format_digits(d.is_negative, d.digits, d.count, (int)d.point, out);
		return 0;
	}
	double value = digits_to_double(d.digits, d.count, d.point);
	if (isinf(value))
		return CH_ELIMIT;
	/* From 1e21 on ECMAScript prints an exponent, so a number that was written with one comes back
	 * as it was meant; all digits spelt out promise more than a double holds. */
	bool is_scientific = memchr(token, 'e', len) || memchr(token, 'E', len);
	if (value > SAFE_INTEGER && !(is_scientific && value >= EXPONENT_FROM))
		return CH_EINVAL;
	*ret_len = call_number_text(d.is_negative ? -value : value, out);
	return 0;
}
