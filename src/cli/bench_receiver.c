#include "cli/bench_receiver.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http_server.h"
#include "base/alloc.h"
#include "cli/cli.h"
#include "model/call_codec.h"

#define LOOK_MS 20
#define PREFIX_LEN 24 /* of an id: the run */

void bench_id(uint64_t run, int64_t call, char out[BENCH_ID_LEN + 1])
{
	snprintf(out, BENCH_ID_LEN + 1, "%08x-%04x-4000-8000-%012" PRIx64, (unsigned)(run & 0xffffffff),
			(unsigned)(run >> 32 & 0xffff), (uint64_t)call & 0xffffffffffff);
}

/* -1: none of this run. A canonical record begins with its id. */
static int64_t call_of(const struct bench_receiver *r, const char *body, size_t len)
{
	static const char begin[] = "{\"id\":\"";
	char id[BENCH_ID_LEN + 1], own[BENCH_ID_LEN + 1];
	size_t at = sizeof(begin) - 1;

	if (len < at + BENCH_ID_LEN || memcmp(body, begin, at) != 0)
		return -1;
	memcpy(id, body + at, BENCH_ID_LEN);
	id[BENCH_ID_LEN] = '\0';
	bench_id(r->run, 0, own);
	if (memcmp(id, own, PREFIX_LEN) != 0)
		return -1;
	int64_t call = strtoll(id + PREFIX_LEN, NULL, 16);
	return call < r->calls ? call : -1;
}

static void handle(void *ctx, struct http_exchange *x)
{
	static const struct http_response fine = {
			.status = 200, .content_type = "text/plain", .text = "ok\n", .text_len = 3};
	struct bench_receiver *r = ctx;
	size_t len;
	const char *body = http_body(x, &len);
	int64_t call = call_of(r, body, len);

	if (call >= 0 && r->came_ms[call] == 0) {
		r->came_ms[call] = ch_clock_mono(&r->clock).ms;
		atomic_fetch_add(&r->count, 1);
	}
	http_reply(x, &fine);
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
	struct bench_receiver *r = ctx;

	if (atomic_load(&r->must_end))
		event_base_loopbreak(r->base);
}

static void *receive(void *ctx)
{
	struct bench_receiver *r = ctx;
	struct timeval every = {.tv_usec = LOOK_MS * 1000};
	struct event *look = event_new(r->base, -1, EV_PERSIST, on_look, r);

	if (look && event_add(look, &every) == 0)
		event_base_dispatch(r->base);
	if (look)
		event_free(look);
	return NULL;
}

static int listen_at(struct bench_receiver *r, const struct opts *o, struct ch_err *err)
{
	char host[256];
	uint16_t port;
	int rc = cli_listen_address(o, "listen", host, sizeof(host), &port, err);

	if (rc != 0)
		return rc;
	struct http_server_conf conf = {.base = r->base,
			.clock = r->clock,
			.host = host,
			.port = port,
			.listen_fd = -1,
			.body_max_bytes = 4 * (size_t)CALL_MAX_BYTES_DEFAULT,
			.handle = handle,
			.ctx = r};
	rc = http_server_start(&conf, &r->server, err);
	if (rc == 0)
		snprintf(r->url, sizeof(r->url), "http://%s%s%s:%u/", strchr(host, ':') ? "[" : "", host,
				strchr(host, ':') ? "]" : "", http_server_port(r->server));
	return rc;
}

int bench_receiver_start(struct bench_receiver *r, const struct opts *o, uint64_t run, int64_t calls,
		struct ch_clock clock, struct ch_err *err)
{
	*r = (struct bench_receiver){.clock = clock, .run = run, .calls = calls};
	r->came_ms = ch_calloc((size_t)calls, sizeof(*r->came_ms));
	r->base = event_base_new();
	if (!r->came_ms || !r->base)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	int rc = listen_at(r, o, err);
	if (rc != 0)
		return rc;
	r->has_thread = pthread_create(&r->thread, NULL, receive, r) == 0;
	return r->has_thread ? 0 : ch_err_set(err, CH_ENOMEM, "can't start a thread");
}

int64_t bench_receiver_count(struct bench_receiver *r)
{
	return atomic_load(&r->count);
}

void bench_receiver_stop(struct bench_receiver *r)
{
	atomic_store(&r->must_end, true);
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	r->has_thread = false;
}

void bench_receiver_fini(struct bench_receiver *r)
{
	if (r->server)
		http_server_destroy(&r->server);
	if (r->base)
		event_base_free(r->base);
	ch_free(r->came_ms);
	r->base = NULL;
	r->came_ms = NULL;
}
