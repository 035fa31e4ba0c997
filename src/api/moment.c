#include "api/moment.h"

#include <string.h>

#include "base/err.h"
#include "base/time_text.h"

int moment_parse(const char *text, bool is_end, int64_t *ret_ms)
{
	char whole[TIME_TEXT_LEN + 1] = "yyyy-MM-ddT00:00:00Z";
	int64_t s;

	if (strlen(text) == 10) {
		memcpy(whole, text, 10);
		if (time_text_parse(whole, TIME_TEXT_LEN, &s) != 0)
			return CH_EINVAL;
		*ret_ms = s * 1000 + (is_end ? 86399999 : 0);
		return 0;
	}
	if (time_text_parse(text, strlen(text), &s) != 0)
		return CH_EINVAL;
	*ret_ms = s * 1000 + (is_end ? 999 : 0);
	return 0;
}
