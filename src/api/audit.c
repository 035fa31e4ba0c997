#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "api/paging.h"

static void write_entry(struct json_out *o, const struct store_audit *a)
{
	struct id id = paging_id_of(a->number);

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
	if (list->out.more)
		paging_cursor(list->out.rows[list->out.count - 1].number, next);
	json_out_text(&o, "next", list->out.more ? next : NULL);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

/* The installation's log holds what the operator did to accounts: an account's own goes with it. False: it
 * has replied. */
static bool choose_log(struct api_request *r, const struct query *q, struct problems *problems)
{
	const char *log = query_get(q, "log");

	r->store.u.audit_list.in.account = r->caller.account->number;
	if (!log)
		return true;
	if (strcmp(log, "installation") != 0)
		problems_add(problems, "", "query parameter \"log\" can only be \"installation\"");
	r->store.u.audit_list.in.account = STORE_AUDIT_INSTALLATION;
	if (r->caller.is_operator)
		return true;
	problems_fini(problems);
	api_problem(r, 403, "only the operator may read the installation's log");
	return false;
}

void audit_list(struct api_request *r)
{
	static const char *const names[] = {"size", "after", "log", NULL};
	struct problems problems;
	struct query q;

	if (!api_query(r, names, &q))
		return;
	problems_init(&problems);
	api_begin_store(r, STORE_AUDIT_LIST);
	r->store.u.audit_list.in.limit = paging_size(&q, &problems);
	r->store.u.audit_list.in.before = paging_after(&q, &problems);
	bool is_allowed = choose_log(r, &q, &problems);
	query_fini(&q);
	if (!is_allowed)
		return;
	if (problems.count > 0)
		api_invalid(r, "the query is not valid", &problems);
	else
		api_submit(r, list_done);
}
