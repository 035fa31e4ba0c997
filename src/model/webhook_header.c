#include "model/webhook_header.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

/* The second row is hop-by-hop: what a customer writes there would be said to a proxy, or would promise
 * something about the connection that libcurl does not keep. */
static const char *const reserved_names[] = {
		"content-type",
		"user-agent",
		"host",
		"content-length",
		"connection",
		"transfer-encoding",
		"expect",
		"keep-alive",
		"te",
		"trailer",
		"upgrade",
		"proxy-authorization",
		"proxy-connection",
};

static const char *const reserved_prefixes[] = {"x-webhook-", "webhook-"};

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool webhook_header_is_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof(reserved_names) / sizeof(reserved_names[0]); i++) {
		if (strcasecmp(name, reserved_names[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof(reserved_prefixes) / sizeof(reserved_prefixes[0]); i++) {
		if (strncasecmp(name, reserved_prefixes[i], strlen(reserved_prefixes[i])) == 0)
			return true;
	}
	return false;
}

const char *webhook_header_name_refusal(const char *name, size_t len)
{
	if (len == 0)
		return "a header name must not be empty";
	if (len > WEBHOOK_HEADER_NAME_MAX)
		return "a header name is at most 128 bytes";
	for (size_t i = 0; i < len; i++) {
		if (!is_token_char(name[i]))
			return "a header name is made of letters, digits and !#$%&'*+-.^_`|~";
	}
	return NULL;
}

const char *webhook_header_value_refusal(const char *value, size_t len)
{
	if (len == 0)
		return "must not be empty";
	if (len > WEBHOOK_HEADER_VALUE_MAX)
		return "must be at most 4096 bytes";
	for (size_t i = 0; i < len; i++) {
		if ((value[i] < ' ' || value[i] > '~') && value[i] != '\t')
			return "must be printable ASCII";
	}
	if (strchr(" \t", value[0]) != NULL || strchr(" \t", value[len - 1]) != NULL)
		return "must not begin or end with white space";
	return NULL;
}

int webhook_header_find(const struct webhook *w, const char *name)
{
	for (size_t i = 0; i < w->header_count; i++) {
		if (strcasecmp(w->headers[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

int webhook_header_set(struct webhook *w, const char *name, const char *value)
{
	int at = webhook_header_find(w, name);
	if (at < 0 && w->header_count == WEBHOOK_HEADERS_MAX)
		return CH_ELIMIT;
	struct webhook_header h = {ch_strdup(name), ch_strdup(value)};
	if (h.name == NULL || h.value == NULL) {
		ch_free(h.name);
		ch_free(h.value);
		return CH_ENOMEM;
	}
	if (at < 0) {
		w->headers[w->header_count++] = h;
		return 0;
	}
	ch_free(w->headers[at].name);
	ch_free(w->headers[at].value);
	w->headers[at] = h;
	return 0;
}

void webhook_header_remove(struct webhook *w, int at)
{
	CH_ASSERT(at >= 0 && (size_t)at < w->header_count);
	ch_free(w->headers[at].name);
	ch_free(w->headers[at].value);
	w->header_count--;
	memmove(&w->headers[at], &w->headers[at + 1],
			(w->header_count - (size_t)at) * sizeof(struct webhook_header));
}
