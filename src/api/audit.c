#include <string.h>

#include "api/api_core.h"
#include "api/cursor.h"
#include "api/handlers.h"

#define SIZE_DEFAULT 20
#define SIZE_MAX_ROWS 100

/* A row's number as an id, so that cursors and ids look like all others. */
static struct id id_of_number(int64_t number)
{
	struct id id = {{0}};

	for (int i = 0; i < 8; i++)
		id.b[15 - i] = (uint8_t)((uint64_t)number >> (8 * i));
	return id;
}

static bool number_of_id(const struct id *id, int64_t *ret)
{
	static const uint8_t none[8];
	uint64_t number = 0;

	for (int i = 8; i < 16; i++)
		number = number << 8 | id->b[i];
	*ret = (int64_t)number;
	return memcmp(id->b, none, sizeof(none)) == 0 && *ret > 0;
}

static void take_size(const char *size, struct store_audit_list *list, struct problems *problems)
{
	size_t n = 0;

	for (const char *p = size; *p >= '0' && *p <= '9' && n <= SIZE_MAX_ROWS; p++)
		n = n * 10 + (size_t)(*p - '0');
	if (strspn(size, "0123456789") != strlen(size) || n < 1 || n > SIZE_MAX_ROWS)
		problems_add(problems, "", "query parameter \"size\" is not a number from 1 to %d",
				SIZE_MAX_ROWS);
	list->in.limit = n;
}

static void take_after(const char *after, struct store_audit_list *list, struct problems *problems)
{
	struct id id;

	if (cursor_parse(after, &id) != 0 || !number_of_id(&id, &list->in.before))
		problems_add(problems, "",
				"query parameter \"after\" is not a cursor that was given out as \"next\"");
}

static void write_entry(struct json_out *o, const struct store_audit *a)
{
	struct id id = id_of_number(a->number);

	json_out_open(o, NULL, '{');
	json_out_id(o, "id", &id);
	json_out_time(o, "time", a->at_ms);
	json_out_text(o, "actor", a->actor);
	json_out_text(o, "action", a->action);
	json_out_text(o, "objectId", a->target_id[0] ? a->target_id : NULL);
	json_out_text(o, "detail", a->detail);
	json_out_text(o, "address", a->address[0] ? a->address : NULL);
	json_out_close(o, '}');
}

static void list_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct store_audit_list *list = &s->u.audit_list;
	char next[CURSOR_TEXT_LEN + 1];
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
		write_entry(&o, &list->out.rows[i]);
	json_out_close(&o, ']');
	if (list->out.more) {
		struct id last = id_of_number(list->out.rows[list->out.count - 1].number);
		cursor_format(&last, next);
	}
	json_out_text(&o, "next", list->out.more ? next : NULL);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

void audit_list(struct api_request *r)
{
	static const char *const names[] = {"size", "after", NULL};
	struct problems problems;
	struct query q;

	if (!api_query(r, names, &q))
		return;
	problems_init(&problems);
	api_begin_store(r, STORE_AUDIT_LIST);
	struct store_audit_list *list = &r->store.u.audit_list;
	list->in.account = r->caller.account->number;
	list->in.limit = SIZE_DEFAULT;
	if (query_get(&q, "size"))
		take_size(query_get(&q, "size"), list, &problems);
	if (query_get(&q, "after"))
		take_after(query_get(&q, "after"), list, &problems);
	query_fini(&q);
	if (problems.count > 0)
		api_invalid(r, "the query is not valid", &problems);
	else
		api_submit(r, list_done);
}
