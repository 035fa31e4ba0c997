#include <inttypes.h>

#include "api/api_core.h"
#include "api/delivery_answer.h"
#include "api/handlers.h"
#include "base/alloc.h"
#include "delivery/worker_check.h"

/* What would go wrong with a URL: the way of a delivery, step by step, without the POST. */

#define DAY_S 86400
#define SOON_DAYS 14 /* authorities renew at least a month before the end: by then somebody forgot */
#define DETAIL_MAX 4096

enum step { STEP_URL, STEP_DNS, STEP_ADDRESS, STEP_CONNECT, STEP_TLS, STEP_COUNT };
static const char *const step_names[STEP_COUNT] = {"url", "dns", "address", "connect", "tls"};

struct checking {
	struct worker_check ask;
	struct url url;
};

static void checking_destroy(void *state)
{
	struct checking *c = state;

	attempt_fini(&c->ask.check.job.attempt);
	url_fini(&c->url);
	ch_free(c);
}

/* ---- the answer ---- */

/* detail NULL or "": none. */
static void put_step(struct json_out *o, enum step step, const char *result, const char *detail)
{
	json_out_open(o, NULL, '{');
	json_out_text(o, "name", step_names[step]);
	json_out_text(o, "result", result);
	json_out_text(o, "detail", detail && detail[0] ? detail : NULL);
	json_out_close(o, '}');
}

/* What stood in the way; STEP_COUNT: nothing. */
static enum step failed_step(const struct engine_check *c)
{
	const struct attempt *a = &c->job.attempt;

	if (c->seen.is_ready)
		return STEP_COUNT;
	switch (a->outcome) {
	case ATTEMPT_DNS:
		return STEP_DNS;
	case ATTEMPT_ADDRESS:
		return STEP_ADDRESS;
	case ATTEMPT_TLS:
		return STEP_TLS;
	default:
		return c->url->is_tls && a->connect_us >= 0 ? STEP_TLS : STEP_CONNECT;
	}
}

/* Why there was nothing to do at this step; NULL: there was. */
static const char *skipped_words(const struct engine_check *c, enum step step)
{
	const struct transport_check *seen = &c->seen;

	switch (step) {
	case STEP_DNS:
		if (seen->is_proxied)
			return "the egress proxy looks names up";
		return c->url->is_literal ? "the host is an address" : NULL;
	case STEP_ADDRESS:
		return seen->is_proxied ? "the egress proxy checks addresses" : NULL;
	case STEP_CONNECT:
		return seen->is_unseen ? "the egress proxy connects when a request comes: only one would "
					 "show whether it gets through"
				       : NULL;
	case STEP_TLS:
		return c->url->is_tls ? NULL : "plain http: nothing is encrypted";
	default:
		return NULL;
	}
}

static void add_found(struct ch_buf *out, const struct transport_check *seen)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < seen->found_count; i++) {
		address_format(&seen->found[i].address, text);
		ch_buf_addf(out, "%s%s", i ? ", " : "", text);
	}
}

static size_t add_refused(struct ch_buf *out, const struct transport_check *seen)
{
	char text[ADDRESS_TEXT_MAX];
	size_t count = 0;

	for (size_t i = 0; i < seen->found_count; i++) {
		if (!seen->found[i].refusal)
			continue;
		address_format(&seen->found[i].address, text);
		ch_buf_addf(out, "%s%s is refused: %s", count++ ? "; " : "", text, seen->found[i].refusal);
	}
	return count;
}

static void add_peer(struct ch_buf *out, const struct engine_check *c)
{
	char text[ADDRESS_TEXT_MAX];

	if (c->job.attempt.address.len == 0) {
		ch_buf_adds(out, "through the egress proxy");
		return;
	}
	address_format(&c->job.attempt.address, text);
	ch_buf_addf(out, "%s port %u", text, c->url->port);
}

static void add_warning(struct ch_buf *out, const struct engine_check *c, int64_t now_s)
{
	int64_t days = (c->job.attempt.cert_end_s - now_s) / DAY_S;

	if (c->job.attempt.cert_end_s == 0 || days >= SOON_DAYS)
		return;
	if (days < 1)
		ch_buf_adds(out, "the certificate ends within a day");
	else
		ch_buf_addf(out, "the certificate ends in %" PRId64 " day%s", days, days == 1 ? "" : "s");
}

static void add_good_words(struct ch_buf *out, const struct engine_check *c, enum step step, int64_t now_s)
{
	switch (step) {
	case STEP_DNS:
		add_found(out, &c->seen);
		break;
	case STEP_ADDRESS:
		if (add_refused(out, &c->seen) > 0)
			ch_buf_adds(out, "; deliveries use the rest");
		break;
	case STEP_CONNECT:
		add_peer(out, c);
		break;
	case STEP_TLS:
		add_warning(out, c, now_s);
		break;
	default:
		break;
	}
}

/* The attempt names the first address only. */
static void add_failed_words(struct ch_buf *out, const struct engine_check *c, enum step step)
{
	if (step == STEP_ADDRESS && add_refused(out, &c->seen) > 0)
		return;
	ch_buf_adds(out, c->job.attempt.detail ? c->job.attempt.detail : "");
}

static void put_looked_at(struct json_out *o, const struct engine_check *c, enum step step, bool is_failed,
		int64_t now_s)
{
	struct ch_buf words;

	ch_buf_init(&words, DETAIL_MAX);
	if (is_failed)
		add_failed_words(&words, c, step);
	else
		add_good_words(&words, c, step, now_s);
	put_step(o, step, is_failed ? "failed" : "ok", ch_buf_text(&words));
	if (words.err && !o->buf->err)
		o->buf->err = words.err;
	ch_buf_fini(&words);
}

static void put_steps(struct json_out *o, const struct engine_check *c, enum step failed, int64_t now_s)
{
	for (enum step step = STEP_URL; step < STEP_COUNT; step++) {
		const char *skipped = skipped_words(c, step);
		if (step > failed)
			put_step(o, step, "skipped", NULL);
		else if (step < failed && skipped)
			put_step(o, step, "skipped", skipped);
		else
			put_looked_at(o, c, step, step == failed, now_s);
	}
}

static void reply_checked(struct api_request *r, const struct engine_check *c)
{
	int64_t now_s = ch_clock_wall(&r->api->conf.clock).ms / 1000;
	enum step failed = failed_step(c);
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_bool(&o, "ok", failed == STEP_COUNT);
	json_out_text(&o, "url", c->url->text);
	json_out_open(&o, "checks", '[');
	put_steps(&o, c, failed, now_s);
	json_out_close(&o, ']');
	delivery_connection(&o, &c->job.attempt);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

/* It is no URL that a webhook may have: nothing was looked up. */
static void reply_bad_url(struct api_request *r, const char *why)
{
	const struct attempt nothing = {0};
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_bool(&o, "ok", false);
	json_out_text(&o, "url", NULL);
	json_out_open(&o, "checks", '[');
	put_step(&o, STEP_URL, "failed", why);
	for (enum step step = STEP_DNS; step < STEP_COUNT; step++)
		put_step(&o, step, "skipped", NULL);
	json_out_close(&o, ']');
	delivery_connection(&o, &nothing);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

/* ---- the way ---- */

static void checked(struct worker_check *ask)
{
	struct api_request *r = ask->ctx;
	const struct engine_check *c = &ask->check;
	bool is_own_fault = !c->seen.is_ready && c->job.attempt.outcome == ATTEMPT_LOCAL;

	if (c->result == CH_ELIMIT)
		api_problem(r, 429, "too many checks are under way");
	else if (c->result != 0)
		api_problem(r, 503, "the service is stopping");
	else if (is_own_fault && c->job.attempt.detail)
		api_problem(r, 503, "it could not be checked: %s", c->job.attempt.detail);
	else if (is_own_fault)
		api_out_of_memory(r);
	else
		reply_checked(r, c);
}

/* Those that go out are few: they knock at strangers' doors. False: it has replied. */
static bool take_turn(struct api_request *r)
{
	struct request_quota quota;

	if (r->caller.is_operator)
		return true;
	int rc = request_limit_take(r->api->checks, r->caller.account->number, REQUEST_API,
			ch_clock_mono(&r->api->conf.clock), &quota);
	if (rc != 0) {
		api_out_of_memory(r);
		return false;
	}
	if (!quota.is_over)
		return true;
	r->quota.is_over = true;
	r->quota.retry_after_s = quota.retry_after_s;
	api_problem(r, 429, "more than %d checks of URLs in a minute", quota.limit);
	return false;
}

static void send_check(struct api_request *r, struct checking *c)
{
	c->ask.check.endpoint = id_gen_next(&r->api->ids);
	c->ask.check.url = &c->url;
	c->ask.check.timeout_ms = WEBHOOK_TIMEOUT_DEFAULT_S * 1000;
	c->ask.reply_to = r->api->conf.port;
	c->ask.done = checked;
	c->ask.ctx = r;
	workers_check(r->api->conf.workers, &c->ask);
}

/* CH_ENOMEM, CH_EINVAL with the words. */
static int take_url(struct api_request *r, const json_t *text, struct ch_err *err)
{
	struct checking *c = ch_calloc(1, sizeof(*c));

	if (!c)
		return CH_ENOMEM;
	r->state = c;
	r->state_fini = checking_destroy;
	return url_parse(json_string_value(text), json_string_length(text), &r->api->conf.url_rules, &c->url,
			err);
}

void webhooks_check(struct api_request *r)
{
	struct ch_err err = {0};
	json_t *json;

	if (!api_json_object(r, false, &json))
		return;
	int rc = take_url(r, json_object_get(json, "url"), &err);
	json_decref(json);
	if (rc == CH_ENOMEM)
		api_out_of_memory(r);
	else if (rc != 0)
		reply_bad_url(r, err.text);
	else if (take_turn(r))
		send_check(r, r->state);
}
