#include "echo.h"

#include <stdlib.h>
#include <string.h>

void echo_reply(struct http_exchange *x)
{
	size_t body_len;
	const char *body = http_body(x, &body_len);
	struct ch_buf text;
	ch_buf_init(&text, SIZE_MAX);
	ch_buf_addf(&text, "%s %s ?%s ", http_method(x), http_path(x), http_query(x));
	ch_buf_add(&text, body, body_len);
	const struct http_header more[] = {{"X-Extra", "yes"}};
	http_reply(x, &(struct http_response){.status = 200,
				      .content_type = "text/plain",
				      .text = text.data,
				      .text_len = text.len,
				      .headers = more,
				      .header_count = 1});
	ch_buf_fini(&text);
}

static void stream_on(void *ctx)
{
	struct echo *e = ctx;
	static char block[1000];
	memset(block, 'a', sizeof(block));
	e->drains++;
	while (e->stream_left > 0 && http_reply_backlog(e->stream) < 100000) {
		e->stream_left--;
		http_reply_more(e->stream, block, sizeof(block));
	}
	if (e->stream_left > 0) {
		http_reply_on_drain(e->stream, stream_on, e);
		return;
	}
	http_reply_end(e->stream);
	e->stream = NULL;
}

static void huge_reply(struct echo *e, struct http_exchange *x)
{
	struct ch_buf text;
	ch_buf_init(&text, SIZE_MAX);
	assert_non_null(ch_buf_reserve(&text, e->huge_bytes));
	memset(text.data, 'a', e->huge_bytes);
	ch_buf_commit(&text, e->huge_bytes);
	struct ch_bytes *body = ch_bytes_create(text.data, text.len);
	http_reply(x, &(struct http_response){.status = 200, .content_type = "text/plain", .body = body});
	ch_bytes_unref(&body);
	ch_buf_fini(&text);
}

static void echo_handle(void *ctx, struct http_exchange *x)
{
	struct echo *e = ctx;
	e->handled++;
	if (strcmp(http_path(x), "/stream") == 0) {
		e->stream = x;
		http_reply_start(x, &(struct http_response){.status = 200, .content_type = "text/plain"});
		stream_on(e);
	} else if (strcmp(http_path(x), "/huge") == 0) {
		huge_reply(e, x);
	} else if (e->hold) {
		e->held[e->held_count++] = x;
	} else {
		echo_reply(x);
	}
}

static size_t echo_body_max(void *ctx, const char *method, const char *path)
{
	return strcmp(path, "/big") == 0 ? 3000000 : 100;
}

struct http_server_conf echo_conf(struct echo *e)
{
	return (struct http_server_conf){.handle = echo_handle,
			.ctx = e,
			.body_max_of = echo_body_max,
			.request_timeout_ms = 20,
			.header_max_bytes = 2000};
}

int echo_setup(void **state)
{
	struct echo *e = calloc(1, sizeof(*e));
	struct http_server_conf conf = echo_conf(e);
	rig_init(&e->rig);
	rig_serve(&e->rig, &conf);
	*state = e;
	return 0;
}

int echo_teardown(void **state)
{
	struct echo *e = *state;
	rig_fini(&e->rig);
	free(e);
	return 0;
}
