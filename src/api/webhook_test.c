#include <string.h>

#include "api/api_core.h"
#include "api/delivery_answer.h"
#include "api/handlers.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/time_text.h"
#include "delivery/worker_test.h"

/* A test call: what the webhook's receiver would get, and what it answers. */

#define LASTS_S 360
#define EXAMPLE_MAX_BYTES 4096
#define EXAMPLE_AGENT "00000000-0000-4000-8000-000000000000"

struct testing {
	struct worker_test ask;
	char *url;
};

static void testing_destroy(void *state)
{
	struct testing *t = state;

	attempt_fini(&t->ask.test.attempt);
	ch_bytes_unref(&t->ask.test.body);
	ch_free(t->url);
	ch_free(t);
}

/* One that the webhook asks for: COMPLETED, as most do, else the first. */
static enum call_status status_of(const struct webhook *w)
{
	int status = CALL_COMPLETED;

	if (!(w->statuses & 1u << CALL_COMPLETED))
		for (status = 0; !(w->statuses & 1u << status); status++)
			CH_ASSERT(status < 31);
	return (enum call_status)status;
}

/* What a platform would hand over; the codec makes of it what GET /v1/calls/{id} would answer. */
static void write_input(struct api_request *r, const struct webhook *w, int64_t now_s, struct ch_buf *out)
{
	struct id call = id_gen_next(&r->api->ids);
	char id[ID_TEXT_LEN + 1], agent[ID_TEXT_LEN + 1] = EXAMPLE_AGENT;
	char from[TIME_TEXT_LEN + 1] = "", to[TIME_TEXT_LEN + 1] = "";

	id_format(&call, id);
	if (w->agent_count > 0)
		id_format(&w->agent_ids[0], agent);
	time_text_format(now_s - LASTS_S, from);
	time_text_format(now_s, to);
	ch_buf_addf(out,
			"{\"id\":\"%s\",\"agentId\":\"%s\",\"phone\":\"+33612345678\",\"type\":\"INBOUND\","
			"\"duration\":%d,\"startTime\":\"%s\",\"endTime\":\"%s\",\"status\":\"%s\",",
			id, agent, LASTS_S, from, to, call_status_name(status_of(w)));
	ch_buf_adds(out, "\"extractors\":[{\"name\":\"customer\",\"value\":[{\"name\":\"firstname\","
			 "\"value\":[\"John\"]},{\"name\":\"lastname\",\"value\":[\"Doe\"]}]}],"
			 "\"classifiers\":[{\"name\":\"Sentiment\",\"value\":\"Positive\",\"type\":"
			 "\"PRIMARY\"}],"
			 "\"context\":{\"test\":\"true\"},\"summary\":\"A test: no call took place.\"}");
}

/* NULL: no memory. */
static struct ch_bytes *example_of(struct api_request *r, const struct webhook *w)
{
	int64_t now_s = ch_clock_wall(&r->api->conf.clock).ms / 1000;
	struct ch_bytes *body = NULL;
	struct problems problems;
	struct call_facts facts;
	struct ch_buf in, out;
	int rc = CH_ENOMEM;

	problems_init(&problems);
	ch_buf_init(&in, EXAMPLE_MAX_BYTES);
	ch_buf_init(&out, EXAMPLE_MAX_BYTES);
	write_input(r, w, now_s, &in);
	if (!in.err)
		rc = call_codec_run(r->api->codec, in.data, in.len, NULL, now_s, &out, &facts, &problems);
	CH_ASSERT(rc == 0 || rc == CH_ENOMEM);
	if (rc == 0)
		body = ch_bytes_create(out.data, out.len);
	problems_fini(&problems);
	ch_buf_fini(&in);
	ch_buf_fini(&out);
	return body;
}

static void reply_tested(struct api_request *r, const struct testing *t)
{
	const struct attempt *a = &t->ask.test.attempt;
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_bool(&o, "ok", a->outcome == ATTEMPT_ANSWERED && a->status >= 200 && a->status < 300);
	json_out_text(&o, "url", t->url);
	json_out_bytes(&o, "body", t->ask.test.body->data, t->ask.test.body->len);
	delivery_attempt(&o, "attempt", a);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

static void tested(struct worker_test *ask)
{
	struct api_request *r = ask->ctx;

	switch (ask->test.result) {
	case 0:
		reply_tested(r, r->state);
		break;
	case CH_EBUSY:
		api_problem(r, 409, "a test of this webhook is under way");
		break;
	case CH_ELIMIT:
		api_problem(r, 429, "too many tests are under way");
		break;
	case CH_ENOMEM:
		api_out_of_memory(r);
		break;
	default:
		api_problem(r, 503,
				ask->test.result == CH_EAGAIN
						? "no delivery loop has taken the webhook up yet"
						: "the service is stopping");
		break;
	}
}

static void found(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct webhook *w = &s->u.webhook_get.out.row.webhook;

	if (s->result != 0) {
		api_store_problem(r, "webhook");
		return;
	}
	struct testing *t = ch_calloc(1, sizeof(*t));
	if (!t) {
		api_out_of_memory(r);
		return;
	}
	r->state = t;
	r->state_fini = testing_destroy;
	t->url = ch_strdup(w->url);
	t->ask.test.body = example_of(r, w);
	if (!t->url || !t->ask.test.body) {
		api_out_of_memory(r);
		return;
	}
	t->ask.test.webhook = w->id;
	t->ask.reply_to = r->api->conf.port;
	t->ask.done = tested;
	t->ask.ctx = r;
	workers_test(r->api->conf.workers, &t->ask);
}

void webhooks_test(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r) || !api_no_members(r))
		return;
	api_begin_store(r, STORE_WEBHOOK_GET);
	r->store.u.webhook_get.in.account = r->caller.account->number;
	r->store.u.webhook_get.in.id = r->id;
	api_submit(r, found);
}
