#include <string.h>

#include "base/assert.h"
#include "store/store.h"

static const char *after_prefix(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

int store_open(const char *url, const struct store_conf *conf, struct store **ret, struct ch_err *err)
{
	const char *rest;

	if (after_prefix(url, "postgres://") != NULL || after_prefix(url, "postgresql://") != NULL)
		return ch_err_set(err, CH_EINVAL,
				"PostgreSQL stores are not part of this build; use sqlite:PATH");
	rest = after_prefix(url, "sqlite:");
	if (rest != NULL) {
		if (*rest == '\0')
			return ch_err_set(
					err, CH_EINVAL, "the store's URL lacks the path behind \"sqlite:\"");
		return store_sqlite_open(rest, conf, ret, err);
	}
	rest = after_prefix(url, "memory:");
	if (rest != NULL) {
		if (*rest != '\0')
			return ch_err_set(err, CH_EINVAL,
					"a store in memory is \"memory:\" with nothing behind it");
		return store_memory_open(conf, ret, err);
	}
	/* Not echoed: what was meant as another kind of URL may hold a password. */
	return ch_err_set(err, CH_EINVAL, "not a store's URL; use sqlite:PATH or memory:");
}

void store_close(struct store **s)
{
	if (*s == NULL)
		return;
	CH_ASSERT((*s)->ops != NULL);
	(*s)->ops->close(*s);
	*s = NULL;
}
