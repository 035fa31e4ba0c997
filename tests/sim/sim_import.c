#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

struct line {
	struct call *call; /* NULL: a line that can't be taken */
	int64_t number;
	size_t at, len;
};

struct import_ask {
	struct http_exchange x;
	struct line *lines; /* without the blank ones */
	size_t count, answered;
};

static void line_unknown(struct import_ask *im, const struct line *l)
{
	char *text = l->call ? ch_memdup0(im->x.body.data + l->at, l->len) : NULL;
	if (l->call)
		sim_unknown_put(im->x.world, l->call, &text, l->len);
}

static void line_known(struct import_ask *im, const struct line *l, int status)
{
	int expected = l->call ? l->call->expected : 400;
	if (status != expected)
		sim_fail(im->x.world, "line %lld is answered with %d and not %d", (long long)l->number,
				status, expected);
	if (!l->call)
		return;
	if (status < 300)
		sim_check_accepted(&im->x, l->call, status);
	l->call->is_busy = false;
}

static bool is_of(const struct line *l, const json_t *json)
{
	char id[ID_TEXT_LEN + 1];
	if (json_integer_value(json_object_get(json, "line")) != l->number)
		return false;
	if (!l->call)
		return true;
	const char *there = json_string_value(json_object_get(json, "id"));
	id_format(&l->call->id, id);
	return there && strcmp(there, id) == 0;
}

static void on_line(struct http_exchange *x, const char *text, size_t len)
{
	struct import_ask *im = CH_CONTAINER_OF(x, struct import_ask, x);
	json_t *json = json_loadb(text, len, 0, NULL);
	int status = (int)json_integer_value(json_object_get(json, "status"));
	if (im->answered == im->count || !is_of(&im->lines[im->answered], json))
		sim_fail(x->world, "an import is answered with %.*s", (int)len, text);
	json_decref(json);
	const struct line *l = &im->lines[im->answered++];
	if (status == 503 && x->is_well)
		sim_fail(x->world, "a line is refused while all are well");
	if (status == 503)
		line_unknown(im, l);
	else
		line_known(im, l, status);
}

static void import_answered(struct http_exchange *x, const struct http_response *a)
{
	struct import_ask *im = CH_CONTAINER_OF(x, struct import_ask, x);
	bool is_whole = a && a->status == 200;
	if (a && !is_whole && !sim_is_refused(a))
		sim_wrong_answer(x, a);
	if (is_whole && (im->answered != im->count || x->unread.len > 0))
		sim_fail(x->world, "%zu lines of an import are answered, of %zu", im->answered, im->count);
	while (im->answered < im->count)
		line_unknown(im, &im->lines[im->answered++]);
	ch_free(im->lines);
}

static void add_line(struct world *w, struct import_ask *im, struct line *l)
{
	struct ch_buf *out = &im->x.body;
	l->at = out->len;
	if (sim_chance(w, 2)) {
		ch_buf_adds(out, "{\"id\":\"none\"}");
	} else {
		enum call_status status = sim_chance(w, 90) ? CALL_COMPLETED : CALL_NO_ANSWER;
		l->call = sim_call_new(w);
		l->call->agent = sim_below(w, SIM_AGENTS);
		sim_write_record(w, l->call, status, out);
		sim_expect_put(l->call, status, false, COND_NONE);
	}
	l->len = out->len - l->at;
	ch_buf_addc(out, '\n');
}

void sim_import(struct world *w, uint64_t n)
{
	struct import_ask *im = sim_ask(w, sizeof(*im), "POST", import_answered);
	int64_t number = 0;
	im->x.line = on_line;
	im->lines = ch_calloc(n, sizeof(*im->lines));
	CH_ASSERT(im->lines);
	for (; im->count < n; im->count++) {
		if (sim_chance(w, 2)) {
			ch_buf_addc(&im->x.body, '\n');
			number++;
		}
		im->lines[im->count].number = ++number;
		add_line(w, im, &im->lines[im->count]);
	}
	sim_ask_path(&im->x, "/v1/calls/import");
	sim_ask_header(&im->x, "Content-Type", "application/x-ndjson");
	im->x.has_body = true;
	sim_ask_send(&im->x);
}
