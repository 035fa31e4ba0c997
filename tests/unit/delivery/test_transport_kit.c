#include "test_transport_kit.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

#define GIVE_UP_S 10

static struct ch_wall kit_wall(void *ctx)
{
	struct kit *k = ctx;
	struct ch_clock c = ch_clock_system();
	return (struct ch_wall){ch_clock_wall(&c).ms + k->skew_ms};
}

static struct ch_mono kit_mono(void *ctx)
{
	struct kit *k = ctx;
	struct ch_clock c = ch_clock_system();
	k->skew_ms += k->step_ms;
	return (struct ch_mono){ch_clock_mono(&c).ms + k->skew_ms};
}

void kit_init(struct kit *k)
{
	static struct network loopback[2];
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	assert_int_equal(network_parse("127.0.0.0/8", 11, &loopback[0]), 0);
	assert_int_equal(network_parse("::1/128", 7, &loopback[1]), 0);
	memset(k, 0, sizeof(*k));
	struct event_config *config = event_config_new();
	event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	k->base = event_base_new_with_config(config);
	event_config_free(config);
	assert_non_null(k->base);
	k->conf = (struct transport_curl_conf){
			.base = k->base,
			.clock = {kit_wall, kit_mono, k},
			.addresses = {loopback, 2},
			.shards = 2,
	};
}

void kit_open(struct kit *k)
{
	struct ch_err err = {0};
	if (transport_curl_create(&k->conf, &k->transport, &err) != 0)
		fail_msg("transport: %s", err.text);
}

void kit_close(struct kit *k)
{
	if (k->transport != NULL)
		k->transport->destroy(k->transport);
	event_base_free(k->base);
	curl_global_cleanup();
}

static void post_done(struct transport_job *job)
{
	struct post *p = (struct post *)(void *)job;
	p->done++;
	if (p->then != NULL)
		p->then(p);
}

void post_init(struct post *p, const char *url_format, ...)
{
	static const char *const headers[] = {"Content-Type: application/json", "webhook-id: one"};
	static const char body[] = "{\"id\":\"one\"}";
	struct url_rules rules = {.allow_http = true};
	struct ch_err err = {0};
	char url[512];
	va_list args;
	va_start(args, url_format);
	int len = vsnprintf(url, sizeof(url), url_format, args);
	va_end(args);
	memset(p, 0, sizeof(*p));
	if (url_parse(url, (size_t)len, &rules, &p->url, &err) != 0)
		fail_msg("%s: %s", url, err.text);
	p->job.url = &p->url;
	p->job.headers = headers;
	p->job.header_count = 2;
	p->job.body = ch_bytes_create(body, sizeof(body) - 1);
	p->job.timeout_ms = 5000;
	p->job.connections_max = 8;
	p->job.done = post_done;
	p->job.endpoint.b[15] = 7;
}

void post_again(struct post *p)
{
	attempt_fini(&p->job.attempt);
	memset(&p->job.attempt, 0, sizeof(p->job.attempt));
}

void post_fini(struct post *p)
{
	post_again(p);
	ch_bytes_unref(&p->job.body);
	url_fini(&p->url);
}

void post_check(struct post *p, struct transport_check *check)
{
	ch_bytes_unref(&p->job.body);
	p->job.check = check;
}

void post_send(struct kit *k, struct post *p)
{
	p->done = 0;
	k->transport->send(k->transport, &p->job);
	assert_int_equal(p->done, 0);
}

static void gave_up(evutil_socket_t fd, short what, void *ctx)
{
	*(bool *)ctx = true;
}

void kit_until(struct kit *k, const int *n, int at_least)
{
	bool is_over = false;
	struct timeval tv = {GIVE_UP_S, 0};
	struct event *guard = evtimer_new(k->base, gave_up, &is_over);
	evtimer_add(guard, &tv);
	while (*n < at_least && !is_over)
		event_base_loop(k->base, EVLOOP_ONCE);
	event_free(guard);
	if (is_over)
		fail_msg("nothing happened for %d s", GIVE_UP_S);
}

void post_wait(struct kit *k, struct post *p)
{
	kit_until(k, &p->done, 1);
	assert_int_equal(p->done, 1);
}

void post_run(struct kit *k, struct post *p)
{
	post_send(k, p);
	post_wait(k, p);
}

static struct net the;

struct net *net_begin(struct dns_entry *entries, int count)
{
	memset(&the, 0, sizeof(the));
	kit_init(&the.kit);
	receiver_open(&the.receiver, the.kit.base, answer_ok);
	dns_open(&the.dns, the.kit.base, entries, count);
	the.servers[0] = the.dns.text;
	the.kit.conf.dns_servers = the.servers;
	return &the;
}

void net_end(void)
{
	dns_close(&the.dns);
	receiver_close(&the.receiver);
	kit_close(&the.kit);
}
