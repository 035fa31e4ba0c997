#include "model/call_writer.h"
#include "model/json_keys.h"

/* Calls write for the value of each item, the object's keys being the items' names. */
static void put_object(struct call_writer *w, uint32_t list,
		void (*put_value)(struct call_writer *w, const struct json_node *item))
{
	struct json_doc *d = w->doc;
	uint32_t from;
	int rc = json_keys_order(d, list, &from);
	if (rc) {
		w->err = rc;
		return;
	}
	uint32_t to = d->scratch_len;
	CALL_PUT(w, "{");
	for (uint32_t i = from; i < to && !w->err; i++) {
		const struct json_node *item = json_node(d, d->scratch[i]);
		if (i > from)
			CALL_PUT(w, ",");
		call_put_quoted(w, item->key, item->key_len);
		CALL_PUT(w, ":");
		put_value(w, item);
	}
	CALL_PUT(w, "}");
	d->scratch_len = from;
}

static void put_extractor_value(struct call_writer *w, const struct json_node *item)
{
	uint32_t list = item->text;
	const struct json_node *first = json_node(w->doc, list + 1);
	if (json_node(w->doc, list)->text_len == 0)
		CALL_PUT(w, "null");
	else if (first->type == JSON_T_STRING)
		call_put_quoted(w, first->text, first->text_len);
	else
		call_derive_extractors(w, list);
}

static void put_classifier_value(struct call_writer *w, const struct json_node *item)
{
	const struct json_node *value = json_node(w->doc, item->text);
	call_put_quoted(w, value->text, value->text_len);
}

void call_derive_extractors(struct call_writer *w, uint32_t list)
{
	put_object(w, list, put_extractor_value);
}

void call_derive_classifiers(struct call_writer *w, uint32_t list)
{
	put_object(w, list, put_classifier_value);
}
