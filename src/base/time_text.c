#include "base/time_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"

#define DAY_S 86400
#define YEAR_0000_S (-62167219200)
#define YEAR_9999_END_S 253402300799

struct civil {
	int year;
	int month; /* 1..12 */
	int day;
	int hour;
	int minute;
	int second; /* 0..60 */
};

static const char month_names[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
/* In the order of days since the epoch, which was a Thursday. */
static const char weekday_names[7][10] = {
		"Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"};

/* Years are counted from March, so that the leap day is the last of its year; 400 years (an era)
 * have 146097 days, and 0000-03-01 lies 719468 days before the epoch. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static struct civil civil_of(int64_t unix_s)
{
	int64_t days = unix_s / DAY_S;
	int rest = (int)(unix_s % DAY_S);
	if (rest < 0) {
		rest += DAY_S;
		days--;
	}
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era =
			(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
	return (struct civil){
			.year = (int)(year_of_era + era * 400 + (month <= 2)),
			.month = month,
			.day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
			.hour = rest / 3600,
			.minute = rest / 60 % 60,
			.second = rest % 60,
	};
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

static bool civil_valid(const struct civil *c)
{
	return c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= days_in_month(c->year, c->month) &&
	       c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

static int64_t seconds_of(const struct civil *c)
{
	int second = c->second == 60 ? 59 : c->second;
	return days_of(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 + second;
}

struct cursor {
	const char *at;
	const char *end;
};

static bool take_digits(struct cursor *c, int count, int *ret)
{
	if (c->end - c->at < count)
		return false;
	int value = 0;
	for (int i = 0; i < count; i++) {
		if (c->at[i] < '0' || c->at[i] > '9')
			return false;
		value = value * 10 + (c->at[i] - '0');
	}
	c->at += count;
	*ret = value;
	return true;
}

static bool take_text(struct cursor *c, const char *text)
{
	size_t len = strlen(text);
	if ((size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0)
		return false;
	c->at += len;
	return true;
}

static bool take_time(struct cursor *c, struct civil *t)
{
	return take_digits(c, 2, &t->hour) && take_text(c, ":") && take_digits(c, 2, &t->minute) &&
	       take_text(c, ":") && take_digits(c, 2, &t->second);
}

static bool take_fraction(struct cursor *c)
{
	if (!take_text(c, "."))
		return true;
	int digit;
	if (!take_digits(c, 1, &digit))
		return false;
	while (take_digits(c, 1, &digit))
		;
	return true;
}

static bool take_offset(struct cursor *c, int *ret_s)
{
	*ret_s = 0;
	if (take_text(c, "Z"))
		return true;
	int sign = take_text(c, "+") ? 1 : take_text(c, "-") ? -1 : 0;
	int hours;
	int minutes;
	if (sign == 0 || !take_digits(c, 2, &hours) || !take_text(c, ":") || !take_digits(c, 2, &minutes))
		return false;
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return hours <= 23 && minutes <= 59;
}

int time_text_parse(const char *text, size_t len, int64_t *ret_unix_s)
{
	struct cursor c = {.at = text, .end = text + len};
	struct civil t = {0};
	int offset_s = 0;
	bool ok = take_digits(&c, 4, &t.year) && take_text(&c, "-") && take_digits(&c, 2, &t.month) &&
		  take_text(&c, "-") && take_digits(&c, 2, &t.day) && take_text(&c, "T") &&
		  take_time(&c, &t) && take_fraction(&c) && take_offset(&c, &offset_s) && c.at == c.end &&
		  civil_valid(&t);
	if (!ok)
		return CH_EINVAL;
	int64_t unix_s = seconds_of(&t) - offset_s;
	if (unix_s < YEAR_0000_S || unix_s > YEAR_9999_END_S)
		return CH_EINVAL;
	*ret_unix_s = unix_s;
	return 0;
}

static void put_digits(char *out, int count, int value)
{
	for (int i = count - 1; i >= 0; i--, value /= 10)
		out[i] = (char)('0' + value % 10);
}

static void put_time(char *out, const struct civil *c)
{
	put_digits(out, 2, c->hour);
	out[2] = ':';
	put_digits(out + 3, 2, c->minute);
	out[5] = ':';
	put_digits(out + 6, 2, c->second);
}

void time_text_format(int64_t unix_s, char *out)
{
	CH_ASSERT(unix_s >= YEAR_0000_S && unix_s <= YEAR_9999_END_S);
	struct civil c = civil_of(unix_s);
	put_digits(out, 4, c.year);
	out[4] = '-';
	put_digits(out + 5, 2, c.month);
	out[7] = '-';
	put_digits(out + 8, 2, c.day);
	out[10] = 'T';
	put_time(out + 11, &c);
	out[19] = 'Z';
}

void time_text_format_ms(int64_t unix_ms, char out[25])
{
	int64_t unix_s = unix_ms / 1000;
	int ms = (int)(unix_ms % 1000);
	if (ms < 0) {
		ms += 1000;
		unix_s--;
	}
	time_text_format(unix_s, out);
	out[19] = '.';
	put_digits(out + 20, 3, ms);
	out[23] = 'Z';
	out[24] = '\0';
}

static bool take_month(struct cursor *c, int *ret)
{
	for (int i = 0; i < 12; i++) {
		if (take_text(c, month_names[i])) {
			*ret = i + 1;
			return true;
		}
	}
	return false;
}

/* A weekday must be one, but need not be the right one: a recipient has no use for the check, and a
 * sender's slip there says nothing about the date. */
static bool take_weekday(struct cursor *c, bool in_full)
{
	for (int i = 0; i < 7; i++) {
		char name[10];
		memcpy(name, weekday_names[i], sizeof(name));
		if (!in_full)
			name[3] = '\0';
		if (take_text(c, name))
			return true;
	}
	return false;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool imf_fixdate(struct cursor c, struct civil *t)
{
	return take_weekday(&c, false) && take_text(&c, ", ") && take_digits(&c, 2, &t->day) &&
	       take_text(&c, " ") && take_month(&c, &t->month) && take_text(&c, " ") &&
	       take_digits(&c, 4, &t->year) && take_text(&c, " ") && take_time(&c, t) &&
	       take_text(&c, " GMT") && c.at == c.end;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT". RFC 9110 turns the century at 50 years from now; without a clock
 * the turn stays at 1970, the epoch, before which no server has anything to say. */
static bool rfc850_date(struct cursor c, struct civil *t)
{
	bool ok = take_weekday(&c, true) && take_text(&c, ", ") && take_digits(&c, 2, &t->day) &&
		  take_text(&c, "-") && take_month(&c, &t->month) && take_text(&c, "-") &&
		  take_digits(&c, 2, &t->year) && take_text(&c, " ") && take_time(&c, t) &&
		  take_text(&c, " GMT") && c.at == c.end;
	if (ok)
		t->year += t->year >= 70 ? 1900 : 2000;
	return ok;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool asctime_date(struct cursor c, struct civil *t)
{
	if (!take_weekday(&c, false) || !take_text(&c, " ") || !take_month(&c, &t->month) ||
			!take_text(&c, " "))
		return false;
	bool day_ok = take_text(&c, " ") ? take_digits(&c, 1, &t->day) : take_digits(&c, 2, &t->day);
	return day_ok && take_text(&c, " ") && take_time(&c, t) && take_text(&c, " ") &&
	       take_digits(&c, 4, &t->year) && c.at == c.end;
}

int time_text_parse_http(const char *text, size_t len, int64_t *ret_unix_s)
{
	struct cursor c = {.at = text, .end = text + len};
	struct civil t = {0};
	if (!imf_fixdate(c, &t) && !rfc850_date(c, &t) && !asctime_date(c, &t))
		return CH_EINVAL;
	if (!civil_valid(&t))
		return CH_EINVAL;
	*ret_unix_s = seconds_of(&t);
	return 0;
}

void time_text_format_http(int64_t unix_s, char out[30])
{
	CH_ASSERT(unix_s >= YEAR_0000_S && unix_s <= YEAR_9999_END_S);
	struct civil c = civil_of(unix_s);
	int64_t days = days_of(c.year, c.month, c.day);
	memcpy(out, weekday_names[(days % 7 + 7) % 7], 3);
	memcpy(out + 3, ", 00 Mon 0000 00:00:00 GMT", 27);
	put_digits(out + 5, 2, c.day);
	memcpy(out + 8, month_names[c.month - 1], 3);
	put_digits(out + 12, 4, c.year);
	put_time(out + 17, &c);
}
