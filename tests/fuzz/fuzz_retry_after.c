/* Retry-After and Date as a receiver may write them, one a line: any bytes give -1 or a pause within bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "policy/outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *value = (const char *)data;
	const char *end = size == 0 ? NULL : memchr(value, '\n', size);
	size_t len = end == NULL ? size : (size_t)(end - value);
	const char *date = end == NULL ? NULL : end + 1;
	size_t date_len = end == NULL ? 0 : size - len - 1;
	int64_t s = retry_after_parse(value, len, date, date_len, 1722350100);
	CH_ASSERT(s == -1 || (s >= RETRY_AFTER_MIN_S && s <= RETRY_AFTER_MAX_S));
	/* Whether it is one does not depend on the Date. */
	CH_ASSERT((s == -1) == (retry_after_parse(value, len, NULL, 0, 1722350100) == -1));

	const struct attempt a = {.outcome = ATTEMPT_ANSWERED, .status = 429, .retry_after_s = s};
	struct outcome o = outcome_of(&a, 0);
	CH_ASSERT(o.endpoint == OUTCOME_SUSPENDED && o.suspend_s == (s == -1 ? 30 : s));
	return 0;
}
