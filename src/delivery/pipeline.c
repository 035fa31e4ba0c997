#include "delivery/pipeline.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"

#define HEADER_TEXT_MAX ((size_t)256 * 1024)
#define HEADER_TEXT_USUAL 384 /* signed, no own headers */

struct header_writer {
	struct ch_buf wire; /* a NUL behind each line */
	struct ch_buf record; /* for the log of attempts: a line feed behind each, own values masked */
	size_t at[FLIGHT_HEADERS_MAX];
	size_t count;
};

static void add_header(struct header_writer *w, const char *name, const char *value, const char *shown)
{
	CH_ASSERT(w->count < FLIGHT_HEADERS_MAX);
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

static void add_signatures(struct header_writer *w, struct lane *l, const struct delivery *d, const char *id,
		int64_t now_s)
{
	char hex[SIGN_HEX_LEN + 1], standard[SIGN_STD_LEN + 1];
	sign_body_hex(&l->key, d->body->data, d->body->len, hex);
	sign_body_standard(&l->key, id, now_s, d->body->data, d->body->len, standard);
	add_header(w, "X-Webhook-Signature", hex, hex);
	add_header(w, "webhook-signature", standard, standard);
}

static int finish_headers(struct header_writer *w, struct flight *f)
{
	if (w->wire.err || w->record.err)
		return CH_ENOMEM;
	f->header_text = ch_buf_detach(&w->wire);
	f->job.attempt.request_headers = ch_buf_detach(&w->record);
	for (size_t i = 0; i < w->count; i++)
		f->headers[i] = f->header_text + w->at[i];
	f->job.headers = f->headers;
	f->job.header_count = w->count;
	return 0;
}

int flight_set_headers(struct flight *f, const struct engine_conf *conf, struct lane *l, int64_t now_s)
{
	const struct delivery *d = &f->held->delivery;
	struct header_writer w = {.count = 0};
	char id[ID_TEXT_LEN + 1], timestamp[24];

	ch_buf_init(&w.wire, HEADER_TEXT_MAX);
	ch_buf_init(&w.record, HEADER_TEXT_MAX);
	(void)ch_buf_reserve(&w.wire, HEADER_TEXT_USUAL);
	(void)ch_buf_reserve(&w.record, HEADER_TEXT_USUAL);
	id_format(&d->id, id);
	snprintf(timestamp, sizeof(timestamp), "%" PRId64, now_s);
	add_header(&w, "Content-Type", "application/json", "application/json");
	add_header(&w, "User-Agent", conf->user_agent, conf->user_agent);
	add_header(&w, "webhook-id", id, id);
	add_header(&w, "webhook-timestamp", timestamp, timestamp);
	if (l->is_signed)
		add_signatures(&w, l, d, id, now_s);
	add_own(&w, &l->webhook);
	int rc = finish_headers(&w, f);
	ch_buf_fini(&w.wire);
	ch_buf_fini(&w.record);
	return rc;
}

void flight_destroy(struct flight **fp)
{
	struct flight *f = *fp;
	*fp = NULL;
	if (!f)
		return;
	attempt_fini(&f->job.attempt);
	store_request_fini(&f->result);
	target_unref(&f->target);
	ch_free(f->header_text);
	ch_free(f);
}

static void fill_job(struct flight *f, struct engine *e, struct lane *l, int64_t now_ms)
{
	struct transport_job *job = &f->job;
	job->endpoint = l->webhook.id;
	job->url = &f->target->url;
	job->body = f->held->delivery.body;
	job->timeout_ms = l->webhook.timeout_s * 1000;
	job->connections_max = l->webhook.concurrency;
	job->done = pipeline_done;
	struct attempt *a = &job->attempt;
	a->id = id_gen_next(&e->ids);
	a->delivery_id = f->held->delivery.id;
	a->started_ms = now_ms;
	a->outcome = ATTEMPT_LOCAL;
	a->dns_us = a->connect_us = a->tls_us = a->first_byte_us = a->total_us = -1;
	a->retry_after_s = -1;
}

static struct flight *flight_create(struct engine *e, struct lane *l, struct held *h)
{
	int64_t now_ms = engine_wall_ms(e);
	struct flight *f = ch_calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->held = h;
	f->target = target_ref(l->target);
	store_request_init(&f->result, STORE_ATTEMPT, e->conf.port, NULL);
	fill_job(f, e, l, now_ms);
	if (flight_set_headers(f, &e->conf, l, now_ms / 1000))
		flight_destroy(&f);
	return f;
}

static void take_slot(struct engine *e, struct lane *l, struct flight *f)
{
	l->busy++;
	e->in_flight++;
	l->urgent_busy += f->from == HELD_URGENT;
	e->probes_in_flight += f->from == HELD_PROBE;
	e->slow_in_flight += f->is_slow;
	rate_limit_take(&l->rate, f->started_mono_ms);
	if (f->from == HELD_PROBE) {
		l->has_probed = true;
		l->probed = f->held->delivery.id;
		atomic_fetch_add_explicit(&e->stats.probes, 1, memory_order_relaxed);
	}
}

/* The store has it; a rest gives memory a chance to come back. */
static void put_back(struct engine *e, struct lane *l, struct held *h, enum held_where from)
{
	lane_note_due(l, h->delivery.due_ms);
	lane_release(l, h);
	engine_pause(e, l, "no memory for an attempt");
	if (from == HELD_PROBE)
		engine_probe_later(e, l, engine_mono_ms(e) + 1000);
}

void pipeline_send(struct engine *e, struct lane *l, bool asks_line)
{
	enum held_where from;
	CH_ASSERT(l->target && e->in_flight < e->conf.max_in_flight);
	struct held *h = lane_pop(l, &from);
	CH_ASSERT(h);
	struct flight *f = flight_create(e, l, h);
	if (!f) {
		put_back(e, l, h, from);
		return;
	}
	h->flight = f;
	f->from = from;
	f->was_dead = lane_state_of(l) != LANE_READY;
	f->asks_line = asks_line;
	if (asks_line) {
		e->downtime.is_asking = true;
		e->downtime.was_first = l->asked_in != e->downtime.number;
		l->asked_in = e->downtime.number;
	}
	f->is_slow = f->job.is_slow = from == HELD_PROBE || lane_is_slow(l);
	f->started_mono_ms = engine_mono_ms(e);
	take_slot(e, l, f);
	CH_ASSERT(from == HELD_URGENT || l->busy - l->urgent_busy <= l->window.size);
	ch_list_push_back(&e->flights, &h->link);
	CH_CRASH_POINT(send_before);
	e->conf.transport->send(e->conf.transport, &f->job);
	CH_CRASH_POINT(send_after);
}

static void cancel_list(struct engine *e, const struct ch_list *flights)
{
	CH_LIST_FOREACH (flights, it, next) {
		struct held *h = CH_CONTAINER_OF(it, struct held, link);
		e->conf.transport->cancel(e->conf.transport, &h->flight->job);
	}
}

void pipeline_cancel_all(struct engine *e)
{
	cancel_list(e, &e->flights);
	cancel_list(e, &e->overdue);
}
