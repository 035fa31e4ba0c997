#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "api/paging.h"
#include "base/alloc.h"

#define SIZE_DEFAULT 100

static void write_agent(struct json_out *o, const struct id *id, const char *name)
{
	json_out_open(o, NULL, '{');
	json_out_id(o, "id", id);
	json_out_text(o, "name", name);
	json_out_close(o, '}');
}

/* ---- GET ---- */

static void list_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct store_agent_list *list = &s->u.agent_list;
	int64_t size = (int64_t)list->in.limit;
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_open(&o, "content", '[');
	for (size_t i = 0; i < list->out.count; i++)
		write_agent(&o, &list->out.rows[i].id, list->out.rows[i].name);
	json_out_close(&o, ']');
	json_out_int(&o, "page_count", (list->out.total + size - 1) / size);
	json_out_int(&o, "total_items", list->out.total);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

void agents_list(struct api_request *r)
{
	static const char *const names[] = {"page", "size", NULL};
	struct store_agent_list *list = &r->store.u.agent_list;
	struct problems problems;
	struct query q;

	if (!api_query(r, names, &q))
		return;
	problems_init(&problems);
	api_begin_store(r, STORE_AGENT_LIST);
	list->in.account = r->caller.account->number;
	list->in.limit = query_get(&q, "size") ? paging_size(&q, &problems) : SIZE_DEFAULT;
	list->in.skip = (paging_page(&q) - 1) * (int64_t)list->in.limit;
	query_fini(&q);
	if (problems.count > 0)
		api_invalid(r, "the query is not valid", &problems);
	else
		api_submit(r, list_done);
}

/* ---- PUT ---- */

static void name_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct store_agent_name *q = &s->u.agent_name;
	char text[ID_TEXT_LEN + 1];
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	id_format(&q->in.id, text);
	ch_buf_init(&out, API_JSON_MAX);
	write_agent(&o, &q->in.id, q->in.name ? q->in.name : text);
	api_reply_json(r, 200, &out);
}

/* The name outlives the body that it came in: the store borrows it. */
void agents_put(struct api_request *r)
{
	json_t *json;

	if (!api_path_id(r) || !api_no_query(r) || !api_json_object(r, false, &json))
		return;
	const char *name = json_string_value(json_object_get(json, "name"));
	char *copy = name ? ch_strdup(name) : NULL;
	json_decref(json);
	if (name && !copy) {
		api_out_of_memory(r);
		return;
	}
	r->state = copy;
	r->state_fini = ch_free;
	api_begin_store(r, STORE_AGENT_NAME);
	r->store.u.agent_name.in.account = r->caller.account->number;
	r->store.u.agent_name.in.id = r->id;
	r->store.u.agent_name.in.name = copy;
	api_submit(r, name_done);
}
