#include "delivery/posting.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

#define HEADER_TEXT_MAX ((size_t)256 * 1024)
#define HEADER_TEXT_USUAL 384 /* signed, no own headers */

struct header_writer {
	struct ch_buf wire; /* a NUL behind each line */
	struct ch_buf record; /* for the log of attempts: a line feed behind each, own values masked */
	size_t at[POSTING_HEADERS_MAX];
	size_t count;
};

static void add_header(struct header_writer *w, const char *name, const char *value, const char *shown)
{
	CH_ASSERT(w->count < POSTING_HEADERS_MAX);
	w->at[w->count++] = w->wire.len;
	ch_buf_adds(&w->wire, name);
	ch_buf_add(&w->wire, ": ", 2);
	ch_buf_adds(&w->wire, value);
	ch_buf_addc(&w->wire, '\0');
	ch_buf_adds(&w->record, name);
	ch_buf_add(&w->record, ": ", 2);
	ch_buf_adds(&w->record, shown);
	ch_buf_addc(&w->record, '\n');
}

static void add_own(struct header_writer *w, const struct webhook *hook)
{
	for (size_t i = 0; i < hook->header_count; i++)
		add_header(w, hook->headers[i].name, hook->headers[i].value, "***");
}

/* While a secret is rotated a receiver may check with either: the standard header has both, and of the plain
 * ones the name that receivers know stays with the secret that they know. */
static void add_signatures(struct header_writer *w, struct lane *l, const struct posting *p, const char *id,
		int64_t now_s)
{
	char hex[SIGN_HEX_LEN + 1], standard[SIGN_STD_LEN + 1 + SIGN_STD_LEN + 1];
	const struct ch_bytes *body = p->body;
	sign_body_hex(&l->key, body->data, body->len, hex);
	sign_body_standard(&l->key, id, now_s, body->data, body->len, standard);
	add_header(w, "X-Webhook-Signature", hex, hex);
	if (l->has_next_key) {
		sign_body_hex(&l->next_key, body->data, body->len, hex);
		add_header(w, "X-Webhook-Signature-Next", hex, hex);
		standard[SIGN_STD_LEN] = ' ';
		sign_body_standard(
				&l->next_key, id, now_s, body->data, body->len, standard + SIGN_STD_LEN + 1);
	}
	add_header(w, "webhook-signature", standard, standard);
}

static int finish_headers(struct header_writer *w, struct transport_job *job, struct posting_headers *h)
{
	if (w->wire.err || w->record.err)
		return CH_ENOMEM;
	h->text = ch_buf_detach(&w->wire);
	job->attempt.request_headers = ch_buf_detach(&w->record);
	for (size_t i = 0; i < w->count; i++)
		h->lines[i] = h->text + w->at[i];
	job->headers = h->lines;
	job->header_count = w->count;
	return 0;
}

static void add_all(struct header_writer *w, const struct engine_conf *conf, struct lane *l,
		const struct posting *p, int64_t now_s)
{
	char id[ID_TEXT_LEN + 1], timestamp[24];

	id_format(&p->delivery, id);
	snprintf(timestamp, sizeof(timestamp), "%" PRId64, now_s);
	add_header(w, "Content-Type", "application/json", "application/json");
	add_header(w, "User-Agent", conf->user_agent, conf->user_agent);
	add_header(w, "webhook-id", id, id);
	add_header(w, "webhook-timestamp", timestamp, timestamp);
	if (p->is_test)
		add_header(w, "X-Webhook-Test", "true", "true");
	if (l->is_signed)
		add_signatures(w, l, p, id, now_s);
	add_own(w, &l->webhook);
}

static int set_headers(struct transport_job *job, struct posting_headers *h, const struct engine_conf *conf,
		struct lane *l, const struct posting *p)
{
	struct header_writer w = {.count = 0};

	ch_buf_init(&w.wire, HEADER_TEXT_MAX);
	ch_buf_init(&w.record, HEADER_TEXT_MAX);
	(void)ch_buf_reserve(&w.wire, HEADER_TEXT_USUAL);
	(void)ch_buf_reserve(&w.record, HEADER_TEXT_USUAL);
	add_all(&w, conf, l, p, job->attempt.started_ms / 1000);
	int rc = finish_headers(&w, job, h);
	ch_buf_fini(&w.wire);
	ch_buf_fini(&w.record);
	return rc;
}

void posting_headers_fini(struct posting_headers *h)
{
	ch_free(h->text);
	h->text = NULL;
}

int posting_fill(struct transport_job *job, struct posting_headers *h, struct engine *e, struct lane *l,
		const struct posting *p)
{
	CH_ASSERT(l->target && p->body);
	job->endpoint = l->webhook.id;
	job->url = &l->target->url;
	job->body = p->body;
	job->timeout_ms = l->webhook.timeout_s * 1000;
	job->connections_max = l->webhook.concurrency;
	struct attempt *a = &job->attempt;
	a->id = id_gen_next(&e->ids);
	a->delivery_id = p->delivery;
	a->started_ms = engine_wall_ms(e);
	a->outcome = ATTEMPT_LOCAL;
	a->dns_us = a->connect_us = a->tls_us = a->first_byte_us = a->total_us = -1;
	a->retry_after_s = -1;
	return set_headers(job, h, &e->conf, l, p);
}
