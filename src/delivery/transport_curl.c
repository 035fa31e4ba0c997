#include "delivery/transport.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/curl_endpoint.h"
#include "delivery/curl_loop.h"
#include "delivery/curl_result.h"
#include "delivery/curl_target.h"

#define DEFAULT_SHARDS 32
#define DEFAULT_CONNECT_TIMEOUT_MS 5000
#define DEFAULT_IDLE_MS 60000
#define SHARDS_MAX 64

struct curl_transport {
	struct transport base;
	struct curl_common common;
	struct curl_loop loop;
	struct curl_endpoints endpoints;
	struct resolver *resolver;
	bool is_answered; /* the query that is just being asked */
	struct curl_proxy proxy;
	int connect_timeout_ms;
	struct transport_job *ended; /* done is due; chained by transport_data */
	struct transport_job *ended_last;
	struct event ended_event;
	struct event sweep;
	struct timeval sweep_every;
};

static int64_t now_of(const struct curl_transport *t)
{
	return ch_clock_mono(&t->common.clock).ms;
}

/* ---- the end of a job ---- */

static void post_return(struct curl_transport *t, struct curl_post *p)
{
	struct transport_job *job = p->job;
	curl_post_unload(p);
	curl_endpoint_give(&t->endpoints, p, job->connections_max, now_of(t));
}

/* For ends that are found while the engine is on the stack: done runs from the loop. */
static void end_later(struct curl_transport *t, struct transport_job *job, enum attempt_outcome outcome,
		const char *words)
{
	job->attempt.outcome = outcome;
	job->attempt.detail = ch_strdup(words);
	job->transport_data = NULL;
	if (t->ended != NULL)
		t->ended_last->transport_data = job;
	else
		t->ended = job;
	t->ended_last = job;
	event_active(&t->ended_event, EV_TIMEOUT, 1);
}

static void post_end_later(struct curl_post *p, enum attempt_outcome outcome, const char *words)
{
	struct curl_transport *t = p->owner;
	struct transport_job *job = p->job;
	job->attempt.total_us = (int32_t)((now_of(t) - p->started_ms) * 1000);
	post_return(t, p);
	end_later(t, job, outcome, words);
}

/* Not beyond the one that is last now: done may send again, and that may end at once too. */
static void ended_run(evutil_socket_t fd, short what, void *ctx)
{
	struct curl_transport *t = ctx;
	struct transport_job *job, *last = t->ended_last;
	CH_ASSERT(t->ended != NULL);
	do {
		job = t->ended;
		t->ended = job->transport_data;
		job->transport_data = NULL;
		job->done(job);
	} while (job != last);
}

static bool is_ended(const struct curl_transport *t, const struct transport_job *job)
{
	for (const struct transport_job *j = t->ended; j != NULL; j = j->transport_data) {
		if (j == job)
			return true;
	}
	return false;
}

/* ---- connecting ---- */

/* Quick endpoints on the first half of the shards, slow ones on the second. The end of a UUIDv7 is
 * random, its beginning is the time. */
static int shard_of(const struct curl_transport *t, const struct transport_job *job)
{
	unsigned half = (unsigned)t->loop.shard_count / 2, n;
	memcpy(&n, job->endpoint.b + sizeof(job->endpoint.b) - sizeof(n), sizeof(n));
	return (int)(n % half + (job->is_slow ? half : 0));
}

static bool post_run(struct curl_transport *t, struct curl_post *p, int64_t now_ms)
{
	if (curl_post_aim(p, now_ms, t->connect_timeout_ms) != 0)
		return false;
	int shard = shard_of(t, p->job);
	if (curl_loop_add(&t->loop, shard, p->easy) != 0)
		return false;
	p->shard = shard;
	return true;
}

static void post_start(struct curl_transport *t, struct curl_post *p)
{
	int64_t now_ms = now_of(t);
	if (now_ms >= p->deadline_ms)
		post_end_later(p, ATTEMPT_TIMEOUT, "the deadline passed before the request could be sent");
	else if (!post_run(t, p, now_ms))
		post_end_later(p, ATTEMPT_LOCAL, "no memory for the request");
}

/* Once more on a fresh connection, or to the next address: true when it should. */
static bool post_goes_on(struct curl_post *p, CURLcode code, bool has_time)
{
	if (curl_result_wants_repeat(p, code)) {
		p->is_repeated = has_time;
		return has_time;
	}
	if (!curl_result_is_unconnected(p, code)) {
		p->endpoint->liked = p->targets[p->target_at];
		return false;
	}
	p->endpoint->liked.len = 0;
	if (!has_time || p->target_at + 1 == p->target_count)
		return false;
	p->connect_spent_ms += now_of(p->owner) - p->try_ms;
	p->target_at++;
	return true;
}

static void post_finished(void *ctx, CURL *easy, CURLcode code)
{
	struct curl_transport *t = ctx;
	struct curl_post *p = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &p);
	p->shard = -1;
	curl_post_settle(p);
	if (post_goes_on(p, code, now_of(t) < p->deadline_ms)) {
		post_start(t, p);
		return;
	}
	struct transport_job *job = p->job;
	curl_result_fill(p, code, &t->common.clock);
	post_return(t, p);
	job->done(job);
}

/* ---- looking up ---- */

static void targets_take(
		struct curl_transport *t, struct curl_post *p, const struct address *list, size_t count)
{
	char words[256];
	if (curl_target_choose(p, list, count, words, sizeof(words)))
		post_start(t, p);
	else
		post_end_later(p, ATTEMPT_ADDRESS, words);
}

static void post_look_up_failed(struct curl_post *p, const struct resolver_answer *answer)
{
	char words[256];
	const struct curl_transport *t = p->owner;
	bool is_proxy = t->common.proxy != NULL;
	snprintf(words, sizeof(words), "%.160s: %s", is_proxy ? "the egress proxy's name" : p->job->url->host,
			answer->words);
	post_end_later(p, answer->is_local_fault || is_proxy ? ATTEMPT_LOCAL : ATTEMPT_DNS, words);
}

static void look_up_end(struct curl_post *p)
{
	if (p->alarm != NULL)
		event_free(p->alarm);
	p->alarm = NULL;
}

static void post_resolved(struct resolver_query *q, const struct resolver_answer *answer)
{
	struct curl_post *p = q->ctx;
	struct curl_transport *t = p->owner;
	look_up_end(p);
	t->is_answered = true;
	p->job->attempt.dns_us = (int32_t)((now_of(t) - p->started_ms) * 1000);
	if (answer->count == 0)
		post_look_up_failed(p, answer);
	else
		targets_take(t, p, answer->addresses, answer->count);
}

static void alarm_rings(evutil_socket_t fd, short what, void *ctx)
{
	struct curl_post *p = ctx;
	struct curl_transport *t = p->owner;
	char words[256];
	resolver_cancel(t->resolver, &p->query);
	look_up_end(p);
	snprintf(words, sizeof(words), "%.160s: no answer from the name server within %d ms",
			t->common.proxy != NULL ? "the egress proxy's name" : p->job->url->host,
			p->job->timeout_ms);
	post_end_later(p, t->common.proxy != NULL ? ATTEMPT_LOCAL : ATTEMPT_DNS, words);
}

/* A kept answer comes back before resolver_ask does, and then the post may be gone: is_answered is the
 * transport's, and the alarm costs nothing to those that need none. */
static void post_look_up(struct curl_transport *t, struct curl_post *p, const char *host)
{
	struct timeval tv = {p->job->timeout_ms / 1000, p->job->timeout_ms % 1000 * 1000};
	p->query = (struct resolver_query){.done = post_resolved, .ctx = p};
	t->is_answered = false;
	resolver_ask(t->resolver, host, &p->query);
	if (t->is_answered)
		return;
	p->alarm = evtimer_new(t->loop.base, alarm_rings, p);
	if (p->alarm == NULL || evtimer_add(p->alarm, &tv) != 0) {
		resolver_cancel(t->resolver, &p->query);
		look_up_end(p);
		post_end_later(p, ATTEMPT_LOCAL, "no memory for the request");
	}
}

/* ---- the contract ---- */

static void job_reset(struct transport_job *job, bool is_proxied)
{
	struct attempt *a = &job->attempt;
	a->outcome = ATTEMPT_LOCAL;
	a->status = 0;
	a->detail = a->location = a->answer = NULL;
	a->answer_len = 0;
	a->dns_us = a->connect_us = a->tls_us = a->first_byte_us = -1;
	a->total_us = 0;
	a->address = (struct address){0};
	memset(a->tls_version, 0, sizeof(a->tls_version));
	a->cert_end_s = 0;
	a->retry_after_s = -1;
	job->reused_connection = false;
	if (job->check != NULL)
		*job->check = (struct transport_check){.is_proxied = is_proxied};
}

static void send_job(struct transport *base, struct transport_job *job)
{
	struct curl_transport *t = CH_CONTAINER_OF(base, struct curl_transport, base);
	struct ch_err err = {0};
	CH_ASSERT(job->done != NULL && job->url != NULL && job->timeout_ms > 0);
	CH_ASSERT((job->body != NULL) != (job->check != NULL));
	job_reset(job, t->common.proxy != NULL);
	struct curl_post *p = curl_endpoint_take(&t->endpoints, &job->endpoint, &err);
	if (p == NULL) {
		end_later(t, job, ATTEMPT_LOCAL, err.text);
		return;
	}
	p->owner = t;
	p->job = job;
	curl_endpoint_pace(p->endpoint, job->is_slow);
	p->started_ms = now_of(t);
	p->deadline_ms = p->started_ms + job->timeout_ms;
	job->transport_data = p;
	if (curl_post_load(p, job) != 0)
		post_end_later(p, ATTEMPT_LOCAL, "no memory for the request");
	else if (t->common.proxy != NULL && t->proxy.is_literal)
		targets_take(t, p, &t->proxy.literal, 1);
	else if (t->common.proxy != NULL)
		post_look_up(t, p, t->proxy.host);
	else if (job->url->is_literal)
		targets_take(t, p, &job->url->literal, 1);
	else
		post_look_up(t, p, job->url->host);
}

static void cancel_job(struct transport *base, struct transport_job *job)
{
	struct curl_transport *t = CH_CONTAINER_OF(base, struct curl_transport, base);
	if (is_ended(t, job))
		return;
	struct curl_post *p = job->transport_data;
	CH_ASSERT(p != NULL && p->job == job);
	if (p->alarm != NULL)
		resolver_cancel(t->resolver, &p->query);
	look_up_end(p);
	if (p->shard >= 0) {
		curl_result_fill_facts(p);
		curl_loop_remove(&t->loop, p->shard, p->easy);
		curl_post_settle(p);
	}
	p->shard = -1;
	post_end_later(p, ATTEMPT_LOCAL, "canceled");
}

static void forget_endpoint(struct transport *base, const struct id *endpoint)
{
	struct curl_transport *t = CH_CONTAINER_OF(base, struct curl_transport, base);
	curl_endpoint_forget(&t->endpoints, endpoint);
}

static void swept(evutil_socket_t fd, short what, void *ctx)
{
	struct curl_transport *t = ctx;
	curl_endpoints_sweep(&t->endpoints, now_of(t));
	curl_loop_sweep(&t->loop);
	evtimer_add(&t->sweep, &t->sweep_every);
}

static void transport_free(struct curl_transport *t)
{
	CH_ASSERT(t->ended == NULL);
	if (t->common.socks != NULL)
		curl_endpoints_fini(&t->endpoints);
	if (t->loop.shards != NULL) {
		curl_loop_fini(&t->loop);
		event_del(&t->sweep);
		event_del(&t->ended_event);
	}
	resolver_destroy(&t->resolver);
	curl_tls_store_destroy(&t->common.authorities);
	curl_proxy_fini(&t->proxy);
	ch_free(t);
}

static void destroy(struct transport *base)
{
	transport_free(CH_CONTAINER_OF(base, struct curl_transport, base));
}

/* Kept connections may use what the file limit leaves beside a quarter for everything else. */
static size_t socks_max(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	return (size_t)limit.rlim_cur / 4 * 3;
}

static int loop_open(struct curl_transport *t, const struct transport_curl_conf *conf, struct ch_err *err)
{
	int shards = conf->shards > 0 ? conf->shards : DEFAULT_SHARDS;
	CH_ASSERT(shards <= SHARDS_MAX);
	t->loop.base = conf->base;
	t->loop.clock = conf->clock;
	t->loop.idle_ms = t->common.idle_ms;
	t->loop.finished = post_finished;
	t->loop.ctx = t;
	if (curl_loop_init(&t->loop, 2 * shards) != 0)
		return ch_err_set(err, CH_ENOMEM, "no memory for the transport");
	event_assign(&t->ended_event, conf->base, -1, 0, ended_run, t);
	evtimer_assign(&t->sweep, conf->base, swept, t);
	int every_ms = t->common.idle_ms / 4 + 1;
	t->sweep_every = (struct timeval){every_ms / 1000, every_ms % 1000 * 1000};
	evtimer_add(&t->sweep, &t->sweep_every);
	return 0;
}

static int transport_open(
		struct curl_transport *t, const struct transport_curl_conf *conf, struct ch_err *err)
{
	t->base = (struct transport){send_job, cancel_job, forget_endpoint, destroy};
	t->common.clock = conf->clock;
	t->connect_timeout_ms =
			conf->connect_timeout_ms > 0 ? conf->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
	t->common.addresses = conf->addresses;
	t->common.idle_ms = conf->idle_ms > 0 ? conf->idle_ms : DEFAULT_IDLE_MS;
	t->common.socks_max = socks_max();
	t->common.socks = &t->loop.socks;
	curl_endpoints_init(&t->endpoints, &t->common);
	if (conf->egress_proxy != NULL) {
		int code = curl_proxy_parse(conf->egress_proxy, &t->proxy, err);
		if (code != 0)
			return code;
		t->common.proxy = &t->proxy;
	}
	int code = curl_tls_store_create(conf->ca_file, &t->common.authorities, err);
	if (code == 0)
		code = loop_open(t, conf, err);
	struct resolver_conf rc = {.base = conf->base, .clock = conf->clock, .servers = conf->dns_servers};
	if (code == 0)
		code = resolver_create(&rc, &t->resolver, err);
	return code;
}

int transport_curl_create(const struct transport_curl_conf *conf, struct transport **ret, struct ch_err *err)
{
	CH_ASSERT(conf->base != NULL && conf->clock.mono != NULL);
	struct curl_transport *t = ch_calloc(1, sizeof(*t));
	if (t == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for the transport");
	int code = transport_open(t, conf, err);
	if (code != 0) {
		transport_free(t);
		return code;
	}
	*ret = &t->base;
	return 0;
}
