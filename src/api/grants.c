#include "api/grants.h"

scope_set grants_scopes(const json_t *list)
{
	scope_set all = SCOPE_NONE;
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		enum scope s;
		if (json_is_string(one) &&
				scope_parse(json_string_value(one), json_string_length(one), &s) == 0)
			all |= (scope_set)s;
	}
	return all;
}

permit_set grants_permits(const json_t *list)
{
	permit_set all = PERMIT_NONE;
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		enum permit p;
		if (json_is_string(one) &&
				permit_parse(json_string_value(one), json_string_length(one), &p) == 0)
			all |= (permit_set)p;
	}
	return all;
}

void grants_write_scopes(struct json_out *o, const char *key, scope_set scopes)
{
	json_out_open(o, key, '[');
	for (int bit = 1; bit < SCOPE_ALL + 1; bit <<= 1)
		if (scopes & bit)
			json_out_text(o, NULL, scope_name((enum scope)bit));
	json_out_close(o, ']');
}

void grants_write_permits(struct json_out *o, const char *key, permit_set permits)
{
	json_out_open(o, key, '[');
	for (int bit = 1; bit < PERMIT_ALL + 1; bit <<= 1)
		if (permits & bit)
			json_out_text(o, NULL, permit_name((enum permit)bit));
	json_out_close(o, ']');
}
