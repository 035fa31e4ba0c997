/* Moments as text: RFC 3339 and the three forms of HTTP dates. What is read is written and read again as the
 * same moment, and the C library's calendar agrees with ours. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/time_text.h"

#define FIRST_S (-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST_S 253402300799 /* 9999-12-31T23:59:59Z */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_moment(int64_t s)
{
	char text[TIME_TEXT_LEN + 1] = {0};
	char http[30];
	char libc[64];
	struct tm tm;
	time_t t = s;
	int64_t again = -1;

	CH_ASSERT(s >= FIRST_S && s <= LAST_S);
	time_text_format(s, text);
	CH_ASSERT(time_text_parse(text, TIME_TEXT_LEN, &again) == 0 && again == s);
	CH_ASSERT(gmtime_r(&t, &tm) != NULL);
	(void)snprintf(libc, sizeof(libc), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
			tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	CH_ASSERT(strcmp(text, libc) == 0);
	time_text_format_http(s, http);
	CH_ASSERT(time_text_parse_http(http, strlen(http), &again) == 0 && again == s);
	char ms[25];
	time_text_format_ms(s * 1000, ms);
	CH_ASSERT(time_text_parse(ms, strlen(ms), &again) == 0 && again == s && memcmp(ms, text, 19) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	int64_t s = 12345;
	int64_t raw = 0;
	int rc = time_text_parse(text, size, &s);

	CH_ASSERT(rc == 0 || (rc == CH_EINVAL && s == 12345));
	if (rc == 0)
		check_moment(s);
	s = 12345;
	rc = time_text_parse_http(text, size, &s);
	CH_ASSERT(rc == 0 || (rc == CH_EINVAL && s == 12345));
	if (rc == 0)
		check_moment(s);
	memcpy(&raw, data, size < sizeof(raw) ? size : sizeof(raw));
	check_moment(FIRST_S + (int64_t)((uint64_t)raw % (uint64_t)(LAST_S - FIRST_S + 1)));
	return 0;
}
