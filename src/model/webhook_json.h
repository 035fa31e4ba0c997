/* model/webhook_json.h - the members of a webhook's JSON, read one by one.
 *
 * Role:      what reading a request and reading the stored settings share; nobody else includes this.
 * Ownership: the reader borrows all it points to.
 * Errors:    kept in the reader: wrong input counts in bad, no memory sets no_memory; the webhook
 *            that was written to is only fit to be finished then.
 */
#ifndef CH_MODEL_WEBHOOK_JSON_H
#define CH_MODEL_WEBHOOK_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/webhook.h"

struct webhook_reader {
	const struct url_rules *rules; /* NULL with is_stored: there is no url among the settings */
	struct problems *problems;
	bool is_stored; /* written by callhook itself: reserved header names are not asked about */
	bool is_merge; /* null inside "headers" removes a header; without, it is a mistake */
	size_t bad;
	bool no_memory;
};

#define WEBHOOK_POINTER_MAX 512

/* Adds a problem and counts it. */
void webhook_bad(struct webhook_reader *r, const char *pointer, const char *fmt, ...) CH_PRINTF(3, 4);
/* prefix + "/" + key as RFC 6901 escapes it, cut between characters when it is very long. */
void webhook_pointer_write(char out[WEBHOOK_POINTER_MAX], const char *prefix, const char *key);
/* A whole number from 1 to max into out; otherwise a problem, and out is untouched. */
void webhook_integer_read(
		struct webhook_reader *r, const json_t *value, const char *pointer, int max, int *out);

/* The members that hold more than one value. value is NULL when the default is wanted. */
void webhook_agents_read(struct webhook_reader *r, const json_t *value, struct webhook *w);
void webhook_statuses_read(struct webhook_reader *r, const json_t *value, struct webhook *w);
void webhook_headers_read(struct webhook_reader *r, const json_t *value, struct webhook *w);
void webhook_rate_read(struct webhook_reader *r, const json_t *value, struct webhook *w);

/* Puts every member of json (an object or it is refused) into w. */
void webhook_members_read(struct webhook_reader *r, const json_t *json, struct webhook *w);

/* A writable view for jansson's iterators, which do not write but are declared so. */
static inline json_t *webhook_json_view(const json_t *json)
{
	return (json_t *)(uintptr_t)json;
}

#endif
