#include <stdio.h>
#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "base/time_text.h"

#define STATES_DEFAULT ((uint8_t)(1u << DELIVERY_FAILED | 1u << DELIVERY_PARKED))
#define STATES_POSSIBLE ((uint8_t)(STATES_DEFAULT | 1u << DELIVERY_DELIVERED))

/* ---- the answer ---- */

static const char *state_name(enum replay_state s)
{
	static const char *const names[REPLAY_STATE_COUNT] = {"RUNNING", "DONE", "CANCELED"};

	return names[s];
}

static void write_filters(struct json_out *o, const struct replay *p)
{
	json_out_open(o, "callStatuses", '[');
	for (int i = 0; i < CALL_STATUS_COUNT; i++)
		if (p->statuses & 1u << i)
			json_out_text(o, NULL, call_status_name((enum call_status)i));
	json_out_close(o, ']');
	json_out_open(o, "states", '[');
	for (int i = 0; i < DELIVERY_STATE_COUNT; i++)
		if (p->states & 1u << i)
			json_out_text(o, NULL, delivery_state_name((enum delivery_state)i));
	json_out_close(o, ']');
	json_out_bool(o, "missing", p->missing);
	if (p->rate)
		json_out_int(o, "rate", p->rate);
	else
		json_out_text(o, "rate", NULL);
}

/* How many there are to look at is known at the end: counting them first would be the walk itself. */
static void write_replay(struct json_out *o, const struct replay *p)
{
	json_out_open(o, NULL, '{');
	json_out_id(o, "id", &p->id);
	json_out_id(o, "webhookId", &p->webhook_id);
	json_out_text(o, "state", state_name(p->state));
	json_out_text(o, "reason", *p->reason ? p->reason : NULL);
	json_out_time(o, "from", p->from_ms);
	json_out_time(o, "to", p->to_ms);
	write_filters(o, p);
	json_out_time(o, "created", p->created_ms);
	json_out_time(o, "finished", p->finished_ms);
	if (p->state == REPLAY_DONE)
		json_out_int(o, "total", p->examined);
	else
		json_out_text(o, "total", NULL);
	json_out_int(o, "examined", p->examined);
	json_out_int(o, "resent", p->resent);
	json_out_int(o, "made", p->made);
	json_out_int(o, "skipped", p->skipped);
	json_out_close(o, '}');
}

static void reply_one(struct api_request *r, int status, const struct replay *p)
{
	char id[ID_TEXT_LEN + 1], place[64];
	struct http_header location = {"Location", place};
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	id_format(&p->id, id);
	snprintf(place, sizeof(place), "/v1/replays/%s", id);
	ch_buf_init(&out, API_JSON_MAX);
	write_replay(&o, p);
	api_reply_json_with(r, status, &out, &location, status == 202);
}

/* ---- the input: types, ranges and which members there are, api/rules has checked ---- */

static void take_moment(const json_t *json, const char *key, const char *pointer, int64_t *ret_ms,
		struct problems *problems)
{
	const json_t *value = json_object_get(json, key);
	int64_t s = 0;

	if (!value)
		return;
	if (!json_is_string(value) ||
			time_text_parse(json_string_value(value), json_string_length(value), &s) != 0)
		problems_add(problems, pointer, "must be an RFC 3339 date-time");
	else
		*ret_ms = s * 1000;
}

static bool parse_status(const json_t *v, uint32_t *set)
{
	enum call_status status;

	if (!json_is_string(v) ||
			call_status_parse(json_string_value(v), json_string_length(v), &status) != 0 ||
			!call_status_is_final(status))
		return false;
	*set |= 1u << status;
	return true;
}

static bool parse_state(const json_t *v, uint32_t *set)
{
	enum delivery_state state;

	if (!json_is_string(v) ||
			delivery_state_parse(json_string_value(v), json_string_length(v), &state) != 0 ||
			(STATES_POSSIBLE & 1u << state) == 0)
		return false;
	*set |= 1u << state;
	return true;
}

/* 0 when the member is not there. */
static uint32_t take_set(const json_t *json, const char *key, bool (*parse)(const json_t *v, uint32_t *set),
		const char *words, struct problems *problems)
{
	const json_t *list = json_object_get(json, key);
	char pointer[48];
	uint32_t set = 0;
	json_t *v;
	size_t i;

	if (!list)
		return 0;
	snprintf(pointer, sizeof(pointer), "/%s", key);
	if (!json_is_array(list) || json_array_size(list) == 0)
		problems_add(problems, pointer, "must be a list with something in it");
	json_array_foreach(list, i, v)
	{
		snprintf(pointer, sizeof(pointer), "/%s/%zu", key, i);
		if (!parse(v, &set))
			problems_add(problems, pointer, "%s", words);
	}
	return set;
}

static void take_replay(json_t *json, int64_t now_ms, struct replay *p, struct problems *problems)
{
	const json_t *missing = json_object_get(json, "missing");
	uint32_t states;

	p->to_ms = now_ms + 1;
	take_moment(json, "from", "/from", &p->from_ms, problems);
	take_moment(json, "to", "/to", &p->to_ms, problems);
	if (problems->count == 0 && p->from_ms >= p->to_ms)
		problems_add(problems, "/to", "must be later than \"from\"");
	p->statuses = (call_status_set)take_set(
			json, "callStatuses", parse_status, "is none of the final statuses", problems);
	states = take_set(json, "states", parse_state, "is none of DELIVERED, FAILED and PARKED", problems);
	p->states = states ? (uint8_t)states : STATES_DEFAULT;
	p->missing = json_is_true(missing);
	p->rate = (int)json_integer_value(json_object_get(json, "rate")); /* null: 0 */
	p->created_ms = now_ms;
}

/* ---- beginning one ---- */

static void created(struct store_request *s)
{
	struct api_request *r = api_request_of(s);

	if (s->result != 0)
		api_store_problem(r, "webhook");
	else
		reply_one(r, 202, &s->u.replay_create.in.replay);
}

static void submit(struct api_request *r, const struct replay *p)
{
	api_begin_store(r, STORE_REPLAY_CREATE);
	r->store.u.replay_create.in.account = r->caller.account->number;
	r->store.u.replay_create.in.replay = *p;
	api_audit(r, "webhook.replay", NULL);
	api_submit(r, created);
}

/* False: it has replied. */
static bool take_body(struct api_request *r, struct replay *ret)
{
	struct problems problems;
	json_t *json;

	if (!api_json_object(r, false, &json))
		return false;
	problems_init(&problems);
	take_replay(json, ch_clock_wall(&r->api->conf.clock).ms, ret, &problems);
	json_decref(json);
	if (problems.count == 0 && !problems.truncated)
		return true;
	api_invalid(r, "the body is not valid", &problems);
	return false;
}

/* The webhook's own statuses, where the body names none, are those of this moment. */
static void webhook_read(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	struct replay p = {.webhook_id = r->id};
	call_status_set own;

	if (s->result != 0) {
		api_store_problem(r, "webhook");
		return;
	}
	own = s->u.webhook_get.out.row.webhook.statuses;
	if (!take_body(r, &p))
		return;
	if (p.statuses == 0)
		p.statuses = own;
	p.id = id_gen_next(&r->api->ids);
	submit(r, &p);
}

void replays_post(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r))
		return;
	api_begin_store(r, STORE_WEBHOOK_GET);
	r->store.u.webhook_get.in.account = r->caller.account->number;
	r->store.u.webhook_get.in.id = r->id;
	api_submit(r, webhook_read);
}

/* ---- seeing and ending them ---- */

static void was_read(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "replay");
	else
		reply_one(api_request_of(s), 200, &s->u.replay_get.out.replay);
}

void replays_get(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r))
		return;
	api_begin_store(r, STORE_REPLAY_GET);
	r->store.u.replay_get.in.account = r->caller.account->number;
	r->store.u.replay_get.in.id = r->id;
	api_submit(r, was_read);
}

static void canceled(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "replay");
	else
		reply_one(api_request_of(s), 200, &s->u.replay_cancel.out.replay);
}

void replays_delete(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r))
		return;
	api_begin_store(r, STORE_REPLAY_CANCEL);
	r->store.u.replay_cancel.in.account = r->caller.account->number;
	r->store.u.replay_cancel.in.id = r->id;
	r->store.u.replay_cancel.in.now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	api_audit(r, "replay.cancel", NULL);
	api_submit(r, canceled);
}

static void listed(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct store_replay_list *list = &s->u.replay_list;
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
		write_replay(&o, &list->out.rows[i]);
	json_out_close(&o, ']');
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

void replays_list(struct api_request *r)
{
	static const char *const names[] = {"webhookId", NULL};
	struct query q;
	const char *webhook;
	struct store_replay_list *list = &r->store.u.replay_list;
	bool is_bad;

	if (!api_query(r, names, &q))
		return;
	api_begin_store(r, STORE_REPLAY_LIST);
	list->in.account = r->caller.account->number;
	webhook = query_get(&q, "webhookId");
	list->in.has_webhook = webhook != NULL;
	is_bad = webhook && id_parse(webhook, strlen(webhook), &list->in.webhook_id) != 0;
	query_fini(&q);
	if (is_bad)
		api_problem(r, 400, "query parameter \"webhookId\" is not a UUID in lower case");
	else
		api_submit(r, listed);
}
