#include <event2/event.h>
#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "base/list.h"

/* Lines handed to the store and not yet answered, or answered and waiting for an earlier one. Two of the
 * writer's batches: one commits while the next is made. */
#define UNDER_WAY_MAX 1024
/* A turn of the loop ends after this many lines or this much time, whichever is first. */
#define TURN_LINES 256
#define TURN_MS 4
#define TURN_LOOK_LINES 16
#define TURN_LOOK_BYTES ((size_t)64 * 1024)
/* No more lines are taken while the client leaves this much of the answer unread, or refusals of this size
 * wait for an earlier line. */
#define BACKLOG_MAX ((size_t)256 * 1024)
#define BODY_EXTRA_BYTES 512
#define ANSWER_MAX ((size_t)16 * 1024 * 1024)

struct import;

/* One line on its way; the lines of an import are in a list in the order of their numbers. */
struct import_line {
	struct ch_list link;
	struct import *import;
	int64_t number;
	bool is_done;
	bool has_store;
	int status;
	struct ch_buf answer; /* of a line that did not get as far as the store */
	struct store_request store;
};

struct import {
	struct api_request *r;
	struct event *turn;
	bool is_turn_due;
	const char *body; /* the exchange's */
	size_t len, at;
	int64_t line; /* the last one taken */
	struct ch_list under_way;
	size_t under_way_count;
	size_t answer_bytes; /* of the refusals among them */
	struct ch_list spare; /* lines to be used again */
	bool is_broken; /* an answer was lost for want of memory: the client must not take it for whole */
	struct ch_buf out;
};

static void due(struct import *im)
{
	struct timeval now = {0};

	/* A timer of 0 ms: sockets and answers come first, which event_active would not let them. But it
	 * needs no memory, and an import without its turn would never end. */
	if (!im->is_turn_due && event_add(im->turn, &now) != 0)
		event_active(im->turn, EV_TIMEOUT, 1);
	im->is_turn_due = true;
}

static void import_destroy(void *state)
{
	struct import *im = state;
	struct ch_list *n;

	CH_ASSERT(im->under_way_count == 0);
	while ((n = ch_list_pop_front(&im->spare)) != NULL)
		ch_free(CH_CONTAINER_OF(n, struct import_line, link));
	if (im->turn)
		event_free(im->turn);
	ch_buf_fini(&im->out);
	ch_free(im);
}

/* ---- answers ---- */

static void write_stored(struct ch_buf *out, const struct import_line *line)
{
	const struct store_request *s = &line->store;
	struct json_out o = {.buf = out};
	char id[ID_TEXT_LEN + 1];

	id_format(&s->u.call_put.in.facts.id, id);
	if (s->result == 0) {
		ch_buf_addf(out, "{\"line\":%lld,\"id\":\"%s\",\"status\":%d}", (long long)line->number, id,
				line->status);
		return;
	}
	json_out_open(&o, NULL, '{');
	json_out_int(&o, "line", line->number);
	json_out_text(&o, "id", id);
	problem_members(&o, line->status, api_words_of(s), NULL);
	json_out_close(&o, '}');
}

static void write_line(struct import *im, struct import_line *line)
{
	int class = line->status / 100;

	CH_ASSERT(class > 0 && class < API_STATUS_CLASSES);
	im->r->api->import_lines[class]++;
	if (line->has_store)
		write_stored(&im->out, line);
	else
		ch_buf_add(&im->out, line->answer.data, line->answer.len);
	ch_buf_addc(&im->out, '\n');
}

static void free_line(struct import *im, struct import_line *line)
{
	ch_list_unlink(&line->link);
	im->under_way_count--;
	im->answer_bytes -= line->answer.len;
	if (line->has_store)
		store_request_fini(&line->store);
	ch_buf_fini(&line->answer);
	ch_list_push_front(&im->spare, &line->link);
}

static bool first_is_done(const struct import *im)
{
	return im->under_way_count > 0 &&
	       CH_CONTAINER_OF(im->under_way.next, struct import_line, link)->is_done;
}

/* Writes what is answered up to the first line that is not. */
static void write_answers(struct import *im)
{
	CH_LIST_FOREACH (&im->under_way, it, nx) {
		struct import_line *line = CH_CONTAINER_OF(it, struct import_line, link);
		if (!line->is_done)
			break;
		write_line(im, line);
		free_line(im, line);
	}
	im->is_broken |= im->out.err != 0;
	if (im->out.len > 0 && !im->is_broken)
		http_reply_more(im->r->x, im->out.data, im->out.len);
	ch_buf_clear(&im->out);
}

static void stored(struct store_request *s)
{
	struct import_line *line = CH_CONTAINER_OF(s, struct import_line, store);

	line->is_done = true;
	line->status = s->result == 0 ? (s->u.call_put.out.what == STORE_PUT_CREATED ? 201 : 200)
				      : api_status_of(s->result);
	due(line->import);
}

/* ---- lines ---- */

static struct import_line *new_line(struct import *im)
{
	struct ch_list *n = ch_list_pop_front(&im->spare);
	struct import_line *line = n ? CH_CONTAINER_OF(n, struct import_line, link) : ch_alloc(sizeof(*line));

	if (!line)
		return NULL;
	/* All but the store's request, which is the larger part and is cleared when it is used. */
	memset(line, 0, offsetof(struct import_line, store));
	ch_list_init(&line->link);
	ch_buf_init(&line->answer, ANSWER_MAX);
	line->import = im;
	line->number = im->line;
	ch_list_push_back(&im->under_way, &line->link);
	im->under_way_count++;
	return line;
}

static void refuse_line(
		struct import_line *line, int status, const char *detail, const struct problems *problems)
{
	struct json_out o = {.buf = &line->answer};

	line->is_done = true;
	line->status = status;
	json_out_open(&o, NULL, '{');
	json_out_int(&o, "line", line->number);
	problem_members(&o, status, detail, problems);
	json_out_close(&o, '}');
	line->import->is_broken |= line->answer.err != 0;
	line->import->answer_bytes += line->answer.len;
}

static void refuse_record(
		struct import *im, struct import_line *line, int code, const struct problems *problems)
{
	if (code == CH_ENOMEM)
		refuse_line(line, 503, "out of memory", NULL);
	else if (code == CH_ELIMIT)
		refuse_line(line, 413, "the record is larger than allowed", NULL);
	else
		refuse_line(line, 400, NULL, problems);
}

static void take_record(struct import *im, struct import_line *line, const char *json, size_t len)
{
	struct api *a = im->r->api;
	struct store_call_put *put = &line->store.u.call_put;
	struct problems problems;
	struct ch_buf out;

	store_request_init(&line->store, STORE_CALL_PUT, a->conf.port, stored);
	put->in.account = im->r->caller.account->number;
	put->in.now_ms = ch_clock_wall(&a->conf.clock).ms;
	put->in.is_bulk = true;
	ch_buf_init(&out, a->conf.call_max_bytes);
	if (len + BODY_EXTRA_BYTES < out.limit)
		(void)ch_buf_reserve(&out, len + BODY_EXTRA_BYTES);
	problems_init(&problems);
	int rc = call_codec_run(
			a->codec, json, len, NULL, put->in.now_ms / 1000, &out, &put->in.facts, &problems);
	put->in.body_len = out.len;
	if (rc == 0) {
		put->in.body = ch_buf_detach(&out);
		rc = put->in.body ? 0 : CH_ENOMEM;
	}
	if (rc == 0) {
		line->has_store = true;
		store_submit(a->conf.store, &line->store);
	} else {
		ch_buf_fini(&out);
		refuse_record(im, line, rc, &problems);
	}
	problems_fini(&problems);
}

static bool is_blank(const char *text, size_t len)
{
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\r'))
		len--;
	return len == 0;
}

static void take_line(struct import *im)
{
	const char *text = im->body + im->at;
	const char *lf = memchr(text, '\n', im->len - im->at);
	size_t len = lf ? (size_t)(lf - text) : im->len - im->at;

	im->at += len + (lf != NULL);
	im->line++;
	if (is_blank(text, len))
		return;
	struct import_line *line = new_line(im);
	if (line)
		take_record(im, line, text, len);
	else
		im->is_broken = true;
}

static bool may_take(const struct import *im)
{
	return im->at < im->len && im->under_way_count < UNDER_WAY_MAX && im->answer_bytes < BACKLOG_MAX;
}

static void take_lines(struct import *im)
{
	const struct ch_clock *clock = &im->r->api->conf.clock;
	int64_t until_ms = ch_clock_mono(clock).ms + TURN_MS;
	size_t looked_at = im->at;

	for (int i = 1; i <= TURN_LINES && may_take(im) && !im->is_broken; i++) {
		take_line(im);
		if (i % TURN_LOOK_LINES != 0 && im->at - looked_at < TURN_LOOK_BYTES)
			continue;
		looked_at = im->at;
		if (ch_clock_mono(clock).ms >= until_ms)
			return;
	}
}

static void drained(void *ctx)
{
	due(ctx);
}

static void finish(struct import *im)
{
	struct api_request *r = im->r;

	if (im->is_broken)
		http_reply_abort(r->x);
	else
		http_reply_end(r->x);
	api_finish(r, 200);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	struct import *im = ctx;
	struct http_exchange *x = im->r->x;

	im->is_turn_due = false;
	write_answers(im);
	CH_CRASH_POINT(import_slice);
	bool is_read = http_reply_backlog(x) < BACKLOG_MAX;
	if (is_read)
		take_lines(im);
	/* Who is gone can't be told: what the store has is finished, the rest is left. */
	if (http_is_gone(x) || im->is_broken)
		im->at = im->len;
	if (im->at == im->len && im->under_way_count == 0) {
		finish(im);
		return;
	}
	if (!is_read)
		http_reply_on_drain(x, drained, im);
	else if (may_take(im) || first_is_done(im))
		due(im);
}

void import_post(struct api_request *r)
{
	struct query q;
	struct import *im;

	if (!api_query(r, NULL, &q))
		return;
	query_fini(&q);
	im = ch_calloc(1, sizeof(*im));
	if (im)
		im->turn = event_new(r->api->conf.base, -1, 0, on_turn, im);
	if (!im || !im->turn) {
		ch_free(im);
		api_out_of_memory(r);
		return;
	}
	im->r = r;
	im->body = http_body(r->x, &im->len);
	ch_list_init(&im->under_way);
	ch_list_init(&im->spare);
	ch_buf_init(&im->out, ANSWER_MAX);
	r->state = im;
	r->state_fini = import_destroy;
	api_reply_start(r, &(struct http_response){.status = 200, .content_type = "application/x-ndjson"});
	due(im);
}
