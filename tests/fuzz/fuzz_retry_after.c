/* Retry-After and Date as a receiver may write them, one a line: any bytes give -1 or a pause within bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/time_text.h"
#include "policy/outcome.h"

#define NOW_S 1722350100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read a second time, simply: digits are seconds, a date is its distance from the answer's Date or from now.
 */
static int64_t expected(const char *value, size_t len, const char *date, size_t date_len)
{
	int64_t s = 0, at, from = NOW_S;
	size_t i = 0;
	for (; i < len && value[i] >= '0' && value[i] <= '9'; i++)
		s = s > RETRY_AFTER_MAX_S ? s : s * 10 + (value[i] - '0');
	if (len == 0 || i < len) {
		if (time_text_parse_http(value, len, &at) != 0)
			return -1;
		if (date != NULL && time_text_parse_http(date, date_len, &from) != 0)
			from = NOW_S;
		s = at - from;
	}
	return s < RETRY_AFTER_MIN_S ? RETRY_AFTER_MIN_S : s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *value = (const char *)data;
	const char *end = size == 0 ? NULL : memchr(value, '\n', size);
	size_t len = end == NULL ? size : (size_t)(end - value);
	const char *date = end == NULL ? NULL : end + 1;
	size_t date_len = end == NULL ? 0 : size - len - 1;
	int64_t s = retry_after_parse(value, len, date, date_len, NOW_S);
	CH_ASSERT(s == -1 || (s >= RETRY_AFTER_MIN_S && s <= RETRY_AFTER_MAX_S));
	CH_ASSERT(s == expected(value, len, date, date_len));
	/* Whether it is one does not depend on the Date. */
	CH_ASSERT((s == -1) == (retry_after_parse(value, len, NULL, 0, NOW_S) == -1));

	const struct attempt a = {.outcome = ATTEMPT_ANSWERED, .status = 429, .retry_after_s = s};
	struct outcome o = outcome_of(&a, 0);
	CH_ASSERT(o.endpoint == OUTCOME_SUSPENDED && o.suspend_s == (s == -1 ? 30 : s));
	return 0;
}
