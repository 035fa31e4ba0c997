#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "api/paging.h"
#include "base/assert.h"
#include "base/time_text.h"

/* What api/rules has checked against openapi.json is not checked again here. */

#define DAY_S 86400
/* Of records in one answer, which is put together in memory; what is left is for the commas between them. */
#define PAGE_MAX_BYTES (API_JSON_MAX - 64 * 1024)

static int64_t day_of(const char *date)
{
	char whole[TIME_TEXT_LEN + 1] = "yyyy-MM-ddT00:00:00Z";
	int64_t s = 0;

	memcpy(whole, date, 10);
	int rc = time_text_parse(whole, TIME_TEXT_LEN, &s);
	CH_ASSERT(rc == 0);
	return s;
}

static void take_days(const struct query *q, struct store_call_list *list, struct problems *problems)
{
	const char *from = query_get(q, "from"), *to = query_get(q, "to");

	list->in.from_s = from ? day_of(from) : INT64_MIN;
	list->in.to_s = to ? day_of(to) + DAY_S - 1 : INT64_MAX;
	if (!from != !to)
		problems_add(problems, "", "query parameters \"from\" and \"to\" go together: both or none");
	else if (list->in.from_s > list->in.to_s)
		problems_add(problems, "", "query parameter \"from\" is later than \"to\"");
}

static void take_phone(const struct query *q, struct store_call_list *list, struct problems *problems)
{
	const char *phone = query_get(q, "phone");
	size_t len = phone ? strlen(phone) : 0;

	if (!phone)
		return;
	if (phone[0] != '+' || phone[1] == '0' || strspn(phone + 1, "0123456789") != len - 1 || len < 3 ||
			len >= sizeof(list->in.phone))
		problems_add(problems, "",
				"query parameter \"phone\" is not a number in E.164, such as +33612345678 "
				"(the + "
				"must be sent as %%2B)");
	else
		memcpy(list->in.phone, phone, len + 1);
}

static void take_words(const struct query *q, struct store_call_list *list)
{
	const char *agent = query_get(q, "agentId"), *status = query_get(q, "status");
	const char *type = query_get(q, "type"), *sort = query_get(q, "sort");
	enum call_status s = CALL_IN_PROGRESS;
	int rc = 0;

	list->in.has_agent = agent != NULL;
	if (agent)
		rc = id_parse(agent, strlen(agent), &list->in.agent_id);
	CH_ASSERT(rc == 0);
	if (status)
		rc = call_status_parse(status, strlen(status), &s);
	CH_ASSERT(rc == 0);
	list->in.statuses = (call_status_set)(status ? 1u << s : 0);
	list->in.has_type = type != NULL;
	if (type)
		rc = call_type_parse(type, strlen(type), &list->in.type);
	CH_ASSERT(rc == 0);
	list->in.is_ascending = sort && strcmp(sort, "created,ASC") == 0;
}

static void reply_page(struct api_request *r)
{
	const struct store_call_list *list = &r->store.u.call_list;
	int64_t size = (int64_t)list->in.limit;
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_open(&o, "content", '[');
	for (size_t i = 0; i < list->out.count; i++)
		json_out_raw(&o, NULL, list->out.bodies[i]->data, list->out.bodies[i]->len);
	json_out_close(&o, ']');
	json_out_int(&o, "size", size);
	json_out_int(&o, "page", list->in.skip / size + 1);
	json_out_int(&o, "totalElements", list->out.total);
	json_out_int(&o, "totalPages", (list->out.total + size - 1) / size);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

static void list_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);

	if (s->result == CH_ELIMIT)
		api_problem(r, 400, "the records of this page are more than %zu MiB: ask for a smaller size",
				API_JSON_MAX >> 20);
	else if (s->result != 0)
		api_store_problem(r, "account");
	else
		reply_page(r);
}

void calls_list(struct api_request *r)
{
	static const char *const names[] = {
			"agentId", "phone", "status", "type", "from", "to", "page", "size", "sort", NULL};
	struct store_call_list *list = &r->store.u.call_list;
	struct problems problems;
	struct query q;

	if (!api_query(r, names, &q))
		return;
	problems_init(&problems);
	api_begin_store(r, STORE_CALL_LIST);
	list->in.account = r->caller.account->number;
	list->in.max_bytes = PAGE_MAX_BYTES;
	list->in.limit = paging_size(&q, &problems);
	list->in.skip = (paging_page(&q) - 1) * (int64_t)list->in.limit;
	take_words(&q, list);
	take_phone(&q, list, &problems);
	take_days(&q, list, &problems);
	query_fini(&q);
	if (problems.count > 0)
		api_invalid(r, "the query is not valid", &problems);
	else
		api_submit(r, list_done);
}
