#include "api/webhook_answer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/time_text.h"
#include "policy/rotation.h"

/* What an answer is made of while the loops are asked. Its items lie in the question. */
struct answer {
	struct api_request *r;
	int status;
	bool is_list;
	const struct webhook *one;
	int64_t one_parked;
};

static size_t count_of(const struct answer *a)
{
	return a->is_list ? a->r->store.u.webhook_list.out.count : 1;
}

static const struct webhook *webhook_at(const struct answer *a, size_t i)
{
	return a->is_list ? &a->r->store.u.webhook_list.out.rows[i].webhook : a->one;
}

static int64_t parked_at(const struct answer *a, size_t i)
{
	return a->is_list ? a->r->store.u.webhook_list.out.rows[i].counts.parked : a->one_parked;
}

/* The switch is the store's word and goes before what a loop may not have heard of yet. */
void webhook_answer_lane(
		const struct worker_question *q, size_t i, const struct webhook *w, struct lane_info *ret)
{
	*ret = (struct lane_info){.state = w->enabled ? LANE_READY : LANE_DISABLED};
	if (q->items[i].has_lane && (q->items[i].lane.state == LANE_DISABLED) == !w->enabled)
		*ret = q->items[i].lane;
	if (!w->enabled && w->disabled_reason)
		snprintf(ret->reason, sizeof(ret->reason), "%s", w->disabled_reason);
}

/* What the lane does at this moment; window is null while no loop knows the webhook. */
static int set_live(json_t *json, const struct lane_info *lane)
{
	char until[25];

	if (lane->until_wall_ms)
		time_text_format_ms(lane->until_wall_ms, until);
	return json_object_set_new(json, "state", json_string(lane_state_name(lane->state))) |
	       json_object_set_new(
			       json, "reason", lane->reason[0] ? json_string(lane->reason) : json_null()) |
	       json_object_set_new(json, "until", lane->until_wall_ms ? json_string(until) : json_null()) |
	       json_object_set_new(json, "inFlight", json_integer(lane->busy)) |
	       json_object_set_new(json, "window", lane->window ? json_integer(lane->window) : json_null()) |
	       json_object_set_new(json, "slow", json_boolean(lane->is_slow));
}

/* A rotation whose time is over is none, whatever the store says yet. */
static int set_rotation(json_t *json, const struct webhook *w, int64_t now_ms)
{
	char started[25], ends[25];

	if (rotation_phase_of(w, now_ms) != ROTATION_OVERLAP)
		return json_object_set_new(json, "rotation", json_null());
	time_text_format_ms(w->rotation_started_ms, started);
	time_text_format_ms(w->rotation_ends_ms, ends);
	return json_object_set_new(
			json, "rotation", json_pack("{s:s, s:s}", "started", started, "ends", ends));
}

static int dump(const char *data, size_t len, void *ctx)
{
	ch_buf_add(ctx, data, len);
	return 0;
}

static void write_webhook(const struct answer *a, size_t i, struct ch_buf *out)
{
	struct lane_info lane;
	json_t *json = webhook_to_json(webhook_at(a, i));
	int64_t now_ms = ch_clock_wall(&a->r->api->conf.clock).ms;

	webhook_answer_lane(&a->r->question, i, webhook_at(a, i), &lane);
	if (!json || set_rotation(json, webhook_at(a, i), now_ms) != 0 || set_live(json, &lane) != 0 ||
			json_object_set_new(json, "parked", json_integer(parked_at(a, i))) != 0 ||
			json_dump_callback(json, dump, out, JSON_COMPACT) != 0)
		out->err = CH_ENOMEM;
	json_decref(json);
}

static void write_list(const struct answer *a, struct ch_buf *out)
{
	ch_buf_adds(out, "{\"content\":[");
	for (size_t i = 0; i < count_of(a); i++) {
		if (i > 0)
			ch_buf_addc(out, ',');
		write_webhook(a, i, out);
	}
	ch_buf_adds(out, "]}");
}

static void asked(struct worker_question *q)
{
	struct answer *a = q->ctx;
	struct api_request *r = a->r;
	char location[sizeof("/v1/webhooks/") + ID_TEXT_LEN] = "/v1/webhooks/";
	const struct http_header header = {"Location", location};
	struct ch_buf out;
	int status = a->status;

	ch_buf_init(&out, API_JSON_MAX);
	if (a->is_list)
		write_list(a, &out);
	else
		write_webhook(a, 0, &out);
	if (a->one)
		id_format(&a->one->id, location + strlen(location));
	ch_free(q->items);
	ch_free(a);
	api_reply_json_with(r, status, &out, &header, status == 201);
}

static void ask(struct api_request *r, const struct answer *from)
{
	struct worker_question *q = &r->question;
	struct answer *a = ch_alloc(sizeof(*a));
	size_t count = count_of(from);

	*q = (struct worker_question){.count = count, .reply_to = r->api->conf.port, .done = asked, .ctx = a};
	q->items = ch_calloc(count ? count : 1, sizeof(*q->items));
	if (!a || !q->items) {
		ch_free(a);
		ch_free(q->items);
		api_out_of_memory(r);
		return;
	}
	*a = *from;
	for (size_t i = 0; i < count; i++)
		q->items[i].webhook = webhook_at(a, i)->id;
	workers_ask(r->api->conf.workers, q);
}

void webhook_answer_one(struct api_request *r, int status, const struct webhook *webhook, int64_t parked)
{
	ask(r, &(struct answer){.r = r, .status = status, .one = webhook, .one_parked = parked});
}

void webhook_answer_list(struct api_request *r)
{
	CH_ASSERT(r->store.kind == STORE_WEBHOOK_LIST);
	ask(r, &(struct answer){.r = r, .status = 200, .is_list = true});
}
