#include "cli/post.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/list.h"
#include "policy/sign.h"

#define LINES_MAX 6
#define LINE_BYTES 512

struct posting {
	struct post *post;
	struct transport_job job;
	char lines[LINES_MAX][LINE_BYTES];
	const char *headers[LINES_MAX + POST_OWN_HEADERS_MAX];
	bool is_finished;
};

int post_open(struct post *p, const char *ca_file, struct ch_clock clock, struct ch_err *err)
{
	static const struct network anywhere[] = {
			{.base = {.len = 4}, .prefix = 0}, {.base = {.len = 16}, .prefix = 0}};

	*p = (struct post){.base = event_base_new(), .clock = clock};
	if (!p->base)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	struct transport_curl_conf conf = {.base = p->base,
			.clock = clock,
			.shards = 1,
			.connect_timeout_ms = 5000,
			.idle_ms = 1000,
			.ca_file = ca_file,
			.addresses = {.allowed = anywhere, .allowed_count = 2}};
	return transport_curl_create(&conf, &p->transport, err);
}

void post_close(struct post *p)
{
	if (p->transport)
		p->transport->destroy(p->transport);
	if (p->base)
		event_base_free(p->base);
	*p = (struct post){0};
}

static void on_done(struct transport_job *job)
{
	struct posting *s = CH_CONTAINER_OF(job, struct posting, job);

	s->is_finished = true;
	event_base_loopbreak(s->post->base);
}

static void add_header(struct posting *s, const char *name, const char *value)
{
	char *line = s->lines[s->job.header_count];

	snprintf(line, LINE_BYTES, "%s: %s", name, value);
	s->headers[s->job.header_count++] = line;
}

static int sign(struct posting *s, const struct post_message *m, int64_t now_s, struct ch_err *err)
{
	char hex[SIGN_HEX_LEN + 1];
	char standard[SIGN_STD_LEN + 1];
	struct sign_key key;
	int rc = sign_secret_check(m->secret->text, m->secret->len, err);

	if (rc == 0)
		rc = sign_key_init(&key, m->secret->text, m->secret->len, err);
	if (rc != 0)
		return rc;
	sign_body_hex(&key, m->body->data, m->body->len, hex);
	sign_body_standard(&key, m->id, now_s, m->body->data, m->body->len, standard);
	add_header(s, "X-Webhook-Signature", hex);
	add_header(s, "webhook-signature", standard);
	sign_key_fini(&key);
	return 0;
}

static int build(struct posting *s, const struct post_message *m, struct ch_err *err)
{
	int64_t now_s = ch_clock_wall(&s->post->clock).ms / 1000;
	char number[24];
	int rc = 0;

	snprintf(number, sizeof(number), "%" PRId64, now_s);
	add_header(s, "Content-Type", "application/json");
	add_header(s, "User-Agent", "callhook/" CALLHOOK_VERSION);
	add_header(s, "webhook-id", m->id);
	add_header(s, "webhook-timestamp", number);
	if (m->secret && m->secret->text)
		rc = sign(s, m, now_s, err);
	for (size_t i = 0; rc == 0 && i < m->own_count; i++)
		s->headers[s->job.header_count++] = m->own[i];
	return rc;
}

int post_send(struct post *p, const struct post_message *m, struct attempt *ret, struct ch_err *err)
{
	struct posting s = {.post = p};
	int rc = build(&s, m, err);

	if (rc != 0)
		return rc;
	s.job.url = m->url;
	s.job.body = m->body;
	s.job.headers = s.headers;
	s.job.timeout_ms = m->timeout_ms;
	s.job.connections_max = 1;
	s.job.done = on_done;
	p->transport->send(p->transport, &s.job);
	while (!s.is_finished && event_base_loop(p->base, EVLOOP_ONCE) == 0)
		;
	*ret = s.job.attempt;
	return 0;
}

bool post_is_delivered(const struct attempt *a)
{
	return a->outcome == ATTEMPT_ANSWERED && a->status >= 200 && a->status < 300;
}
