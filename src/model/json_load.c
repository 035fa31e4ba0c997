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
