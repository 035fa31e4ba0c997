/* base/time_text.h - moments as text, and back.
 *
 * Role:      strict parsers and writers; no locale, no time zone of the machine.
 * Units:     seconds since the Unix epoch, proleptic Gregorian; years 0000 to 9999.
 * Errors:    CH_EINVAL for text that is not exactly of the form; ret is untouched then.
 * Source:    RFC 3339 section 5.6; IMF-fixdate, RFC 850 date and asctime date of RFC 9110
 *            section 5.6.7; days from civil after Howard Hinnant's chrono algorithms.
 */
#ifndef CH_BASE_TIME_TEXT_H
#define CH_BASE_TIME_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define TIME_TEXT_LEN 20 /* "2024-07-30T14:35:00Z" without a NUL */

/* RFC 3339 date-time with Z or an offset; a fraction is cut off, not rounded; "t", "z" and a
 * space instead of T are refused; a leap second (:60) counts as :59 of the same minute. The moment
 * must stay within the years 0000 to 9999 after the offset is applied. */
int time_text_parse(const char *text, size_t len, int64_t *ret_unix_s) CH_MUST_USE;

/* Writes exactly TIME_TEXT_LEN bytes, no NUL. unix_s must lie within the years 0000 to 9999. */
void time_text_format(int64_t unix_s, char *out);

/* Writes "2024-07-30T14:35:00.123Z" and a NUL; 25 bytes. */
void time_text_format_ms(int64_t unix_ms, char out[25]);

/* An HTTP date in any of the three forms that RFC 9110 lets a recipient meet. */
int time_text_parse_http(const char *text, size_t len, int64_t *ret_unix_s) CH_MUST_USE;

/* "Tue, 30 Jul 2024 14:35:00 GMT" and a NUL; 30 bytes. */
void time_text_format_http(int64_t unix_s, char out[30]);

#endif
