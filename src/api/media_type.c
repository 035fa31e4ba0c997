#include "api/media_type.h"

#include <string.h>
#include <strings.h>

static bool is_utf8_param(const char *p)
{
	p += strspn(p, " \t");
	if (strncasecmp(p, "charset=", 8) != 0)
		return false;
	p += 8;
	size_t quote = *p == '"';
	if (strncasecmp(p + quote, "utf-8", 5) != 0)
		return false;
	p += quote + 5;
	if (quote && *p++ != '"')
		return false;
	return p[strspn(p, " \t")] == '\0';
}

bool media_type_is(const char *value, const char *wanted)
{
	size_t len = strlen(wanted);

	if (!value || strncasecmp(value, wanted, len) != 0)
		return false;
	value += len;
	value += strspn(value, " \t");
	return *value == '\0' || (*value == ';' && is_utf8_param(value + 1));
}
