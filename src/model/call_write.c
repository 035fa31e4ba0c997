#include "base/assert.h"
#include "base/err.h"
#include "base/time_text.h"
#include "model/call_writer.h"
#include "model/json_keys.h"

#define WINDOW_BYTES 4096

void call_writer_init(struct call_writer *w, struct ch_buf *out, size_t max_bytes, struct json_doc *doc)
{
	*w = (struct call_writer){.out = out, .max_bytes = max_bytes, .doc = doc};
	if (w->max_bytes > out->limit)
		w->max_bytes = out->limit;
}

bool call_writer_more(struct call_writer *w, size_t len)
{
	if (w->p)
		ch_buf_commit(w->out, (size_t)(w->p - (w->out->data + w->out->len)));
	w->p = w->end = NULL;
	if (w->err)
		return false;
	size_t left = w->max_bytes - w->out->len;
	if (len > left) {
		w->err = CH_ELIMIT;
		return false;
	}
	size_t want = w->out->cap > w->out->len + 1 ? w->out->cap - w->out->len - 1 : w->out->len;
	if (want < WINDOW_BYTES)
		want = WINDOW_BYTES;
	if (want < len)
		want = len;
	if (want > left)
		want = left;
	w->p = ch_buf_reserve(w->out, want);
	if (!w->p) {
		w->err = w->out->err;
		return false;
	}
	w->end = w->p + want;
	return true;
}

int call_writer_finish(struct call_writer *w)
{
	if (w->p)
		ch_buf_commit(w->out, (size_t)(w->p - (w->out->data + w->out->len)));
	w->p = w->end = NULL;
	return w->err ? w->err : w->out->err;
}

static void put_value(struct call_writer *w, uint32_t at);

static void put_array(struct call_writer *w, uint32_t at)
{
	const struct json_node *n = json_node(w->doc, at);
	CALL_PUT(w, "[");
	for (uint32_t i = at + 1; i < n->end && !w->err; i = json_node(w->doc, i)->end) {
		if (i > at + 1)
			CALL_PUT(w, ",");
		put_value(w, i);
	}
	CALL_PUT(w, "]");
}

static void put_member(struct call_writer *w, uint32_t at, bool is_first)
{
	const struct json_node *n = json_node(w->doc, at);
	if (!is_first)
		CALL_PUT(w, ",");
	call_put_quoted(w, n->key, n->key_len);
	CALL_PUT(w, ":");
	put_value(w, at);
}

static void put_ordered_object(struct call_writer *w, uint32_t at)
{
	struct json_doc *d = w->doc;
	uint32_t from;
	int rc = json_keys_order(d, at, &from);
	if (rc) {
		w->err = rc;
		return;
	}
	uint32_t to = d->scratch_len;
	CALL_PUT(w, "{");
	for (uint32_t i = from; i < to && !w->err; i++)
		put_member(w, d->scratch[i], i == from);
	CALL_PUT(w, "}");
	d->scratch_len = from;
}

static void put_object(struct call_writer *w, uint32_t at)
{
	const struct json_node *n = json_node(w->doc, at);
	if (n->flags & JSON_F_INDEX_KEYS) {
		put_ordered_object(w, at);
		return;
	}
	CALL_PUT(w, "{");
	for (uint32_t i = at + 1; i < n->end && !w->err; i = json_node(w->doc, i)->end)
		put_member(w, i, i == at + 1);
	CALL_PUT(w, "}");
}

/* Recursion is as deep as the context may be. */
static void put_value(struct call_writer *w, uint32_t at)
{
	const struct json_node *n = json_node(w->doc, at);
	switch ((enum json_type)n->type) {
	case JSON_T_NULL:
		CALL_PUT(w, "null");
		return;
	case JSON_T_FALSE:
		CALL_PUT(w, "false");
		return;
	case JSON_T_TRUE:
		CALL_PUT(w, "true");
		return;
	case JSON_T_NUMBER:
		call_put_text(w, n->text, n->text_len);
		return;
	case JSON_T_STRING:
		call_put_quoted(w, n->text, n->text_len);
		return;
	case JSON_T_ARRAY:
		put_array(w, at);
		return;
	case JSON_T_OBJECT:
		put_object(w, at);
		return;
	}
	CH_UNREACHABLE();
}

static void put_extractors(struct call_writer *w, uint32_t list);

static void put_extractor(struct call_writer *w, uint32_t at)
{
	const struct json_node *n = json_node(w->doc, at);
	uint32_t value = n->text;
	CALL_PUT(w, "{\"name\":");
	call_put_quoted(w, n->key, n->key_len);
	CALL_PUT(w, ",\"value\":");
	if (json_node(w->doc, value)->text_len > 0 && json_node(w->doc, value + 1)->type == JSON_T_OBJECT)
		put_extractors(w, value);
	else
		put_array(w, value);
	CALL_PUT(w, "}");
}

static void put_extractors(struct call_writer *w, uint32_t list)
{
	uint32_t end = json_node(w->doc, list)->end;
	CALL_PUT(w, "[");
	for (uint32_t i = list + 1; i < end && !w->err; i = json_node(w->doc, i)->end) {
		if (i > list + 1)
			CALL_PUT(w, ",");
		put_extractor(w, i);
	}
	CALL_PUT(w, "]");
}

static void put_classifiers(struct call_writer *w, uint32_t list)
{
	uint32_t end = json_node(w->doc, list)->end;
	CALL_PUT(w, "[");
	for (uint32_t i = list + 1; i < end && !w->err; i = json_node(w->doc, i)->end) {
		const struct json_node *n = json_node(w->doc, i), *value = json_node(w->doc, n->text);
		if (i > list + 1)
			CALL_PUT(w, ",");
		CALL_PUT(w, "{\"name\":");
		call_put_quoted(w, n->key, n->key_len);
		CALL_PUT(w, ",\"value\":");
		call_put_quoted(w, value->text, value->text_len);
		if (n->flags & CALL_F_PRIMARY)
			CALL_PUT(w, ",\"type\":\"PRIMARY\"}");
		else
			CALL_PUT(w, ",\"type\":\"SECONDARY\"}");
	}
	CALL_PUT(w, "]");
}

static void put_time(struct call_writer *w, int64_t unix_s)
{
	char text[TIME_TEXT_LEN + 2];
	text[0] = text[TIME_TEXT_LEN + 1] = '"';
	time_text_format(unix_s, text + 1);
	call_put(w, text, sizeof text);
}

static void put_time_or_null(struct call_writer *w, bool has, int64_t unix_s)
{
	if (has)
		put_time(w, unix_s);
	else
		CALL_PUT(w, "null");
}

/* The value of a field as it was given, or what stands for one that was not. */
static void put_field(struct call_writer *w, uint32_t at, const char *otherwise)
{
	if (at != JSON_NONE)
		put_value(w, at);
	else
		call_put(w, otherwise, strlen(otherwise));
}

static void put_duration(struct call_writer *w, const struct call_record *r)
{
	if (r->fields[CALL_DURATION] != JSON_NONE || !r->has_start || !r->has_end) {
		put_field(w, r->fields[CALL_DURATION], "null");
		return;
	}
	char digits[24], *p = digits + sizeof digits;
	uint64_t seconds = (uint64_t)(r->end_s - r->start_s);
	do {
		*--p = (char)('0' + seconds % 10);
		seconds /= 10;
	} while (seconds > 0);
	call_put(w, p, (size_t)(digits + sizeof digits - p));
}

static void put_head(struct call_writer *w, const struct call_record *r)
{
	CALL_PUT(w, "{\"id\":");
	put_value(w, r->fields[CALL_ID]);
	CALL_PUT(w, ",\"agentId\":");
	put_value(w, r->fields[CALL_AGENT_ID]);
	CALL_PUT(w, ",\"phone\":");
	put_field(w, r->fields[CALL_PHONE], "null");
	CALL_PUT(w, ",\"type\":");
	put_value(w, r->fields[CALL_TYPE]);
	CALL_PUT(w, ",\"duration\":");
	put_duration(w, r);
	CALL_PUT(w, ",\"startTime\":");
	put_time_or_null(w, r->has_start, r->start_s);
	CALL_PUT(w, ",\"endTime\":");
	put_time_or_null(w, r->has_end, r->end_s);
	CALL_PUT(w, ",\"anonymous\":");
	put_field(w, r->fields[CALL_ANONYMOUS], "false");
	CALL_PUT(w, ",\"status\":");
	put_value(w, r->fields[CALL_STATUS]);
}

static void put_lists(struct call_writer *w, const struct call_record *r)
{
	uint32_t extractors = r->fields[CALL_EXTRACTORS], classifiers = r->fields[CALL_CLASSIFIERS];
	if (extractors == JSON_NONE) {
		CALL_PUT(w, ",\"extractors\":[],\"extractorData\":{}");
	} else {
		CALL_PUT(w, ",\"extractors\":");
		put_extractors(w, extractors);
		CALL_PUT(w, ",\"extractorData\":");
		call_derive_extractors(w, extractors);
	}
	if (classifiers == JSON_NONE) {
		CALL_PUT(w, ",\"classifiers\":[],\"classifierData\":{}");
	} else {
		CALL_PUT(w, ",\"classifiers\":");
		put_classifiers(w, classifiers);
		CALL_PUT(w, ",\"classifierData\":");
		call_derive_classifiers(w, classifiers);
	}
}

int call_record_write(const struct call_record *r, size_t max_bytes, struct ch_buf *out)
{
	struct call_writer w;
	call_writer_init(&w, out, max_bytes, r->doc);
	put_head(&w, r);
	put_lists(&w, r);
	CALL_PUT(&w, ",\"context\":");
	put_field(&w, r->fields[CALL_CONTEXT], "{}");
	CALL_PUT(&w, ",\"recorded\":");
	put_field(&w, r->fields[CALL_RECORDED], "false");
	CALL_PUT(&w, ",\"summary\":");
	put_field(&w, r->fields[CALL_SUMMARY], "null");
	CALL_PUT(&w, ",\"created\":");
	put_time(&w, r->facts.created_s);
	CALL_PUT(&w, "}");
	return call_writer_finish(&w);
}
