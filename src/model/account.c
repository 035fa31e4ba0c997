#include "model/account.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"

static bool is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_' || c == '.';
}

int account_id_check(const char *text, size_t len)
{
	if (len == 0 || len > ACCOUNT_ID_MAX)
		return CH_EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!is_id_char(text[i]))
			return CH_EINVAL;
	}
	/* An id stands in a path, where these two mean another place. */
	if (text[0] == '.' && (len == 1 || (len == 2 && text[1] == '.')))
		return CH_EINVAL;
	return 0;
}
