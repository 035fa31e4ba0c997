#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Text from outside may end up in the words; it must neither start a new line nor end in half a
 * character. */
static void tidy(char *text, bool was_cut)
{
	size_t len = strlen(text);
	if (was_cut) {
		size_t start = len;
		while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
			start--;
		unsigned char lead = start > 0 ? (unsigned char)text[start - 1] : 0;
		size_t follow = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
		if (follow > len - start)
			text[start - 1] = '\0';
	}
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = ' ';
}

int ch_err_set(struct ch_err *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	err->code = code;
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	if (n < 0)
		err->text[0] = '\0';
	tidy(err->text, n >= (int)sizeof(err->text));
	return code;
}

const char *ch_err_name(int code)
{
	static const char *const names[] = {"CH_OK", "CH_ENOMEM", "CH_EINVAL", "CH_ELIMIT", "CH_ENOENT",
			"CH_EEXIST", "CH_ECONFLICT", "CH_EPRECOND", "CH_EBUSY", "CH_EFULL", "CH_EIO",
			"CH_EVERSION", "CH_ECRYPT", "CH_ETIME", "CH_ECANCELED", "CH_EAGAIN", "CH_EDAMAGED",
			"CH_EGONE"};
	_Static_assert(sizeof(names) / sizeof(names[0]) == -CH_EGONE + 1, "a name for each code");
	if (code > 0 || code < CH_EGONE)
		return "CH_E?";
	return names[-code];
}
