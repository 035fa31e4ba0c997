#include "model/json_load.h"

#include "base/alloc.h"
#include "base/err.h"

void json_load_setup(void)
{
	json_set_alloc_funcs(ch_alloc, ch_free);
}

int json_load(const char *text, size_t len, size_t flags, json_t **ret, json_error_t *error)
{
	json_error_t own;
	json_error_t *e = error ? error : &own;
	unsigned failures = ch_alloc_failures();

	e->text[0] = '\0';
	json_t *json = json_loadb(text, len, flags, e);
	if (ch_alloc_failures() != failures) {
		json_decref(json);
		return CH_ENOMEM;
	}
	if (!json) {
		/* No words: an object, or the reader's own buffer, could not be had. */
		return e->text[0] == '\0' || json_error_code(e) == json_error_out_of_memory ? CH_ENOMEM
											    : CH_EINVAL;
	}
	*ret = json;
	return 0;
}

/* jansson has made sure of the UTF-8, so two bytes are enough to see a C1 control (U+0080 to U+009F). */
bool json_has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < ' ' || c == 0x7f || (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0))
			return true;
	}
	return false;
}
