#include "api/backlog.h"

#include "api/api_core.h"
#include "base/alloc.h"
#include "base/assert.h"

/* A piece keeps a reader for some milliseconds. */
#define PIECE_ROWS 2000
#define GOOD_MS 2000
#define GOOD_TIMES 20
/* Counts that are kept at all; with more webhooks asked about, each is counted when it is asked for. */
#define KEPT_MAX 256

struct walk {
	struct ch_map_node node; /* by webhook */
	struct id webhook; /* zero: all of them */
	struct backlogs *owner;
	struct ch_list waiting; /* asks; none: it is not under way */
	struct store_request request;
	struct backlog_count sum; /* so far, or as counted last */
	int64_t began_ms, good_until_ms; /* mono */
};

struct backlogs {
	struct api *api;
	struct ch_map walks;
};

struct backlogs *backlogs_create(struct api *a)
{
	struct backlogs *b = ch_calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->api = a;
	ch_map_init(&b->walks, &a->conf.rand);
	return b;
}

static void drop(struct walk *w)
{
	CH_ASSERT(ch_list_is_empty(&w->waiting));
	store_request_fini(&w->request);
	ch_map_remove(&w->owner->walks, &w->node);
	ch_free(w);
}

/* Those under way are left. */
static void drop_idle(struct backlogs *b)
{
	struct ch_map_node *next;

	for (struct ch_map_node *n = ch_map_next(&b->walks, NULL); n; n = next) {
		struct walk *w = CH_CONTAINER_OF(n, struct walk, node);

		next = ch_map_next(&b->walks, n);
		if (ch_list_is_empty(&w->waiting))
			drop(w);
	}
}

void backlogs_destroy(struct backlogs **b)
{
	if (!*b)
		return;
	drop_idle(*b);
	CH_ASSERT((*b)->walks.len == 0);
	ch_map_fini(&(*b)->walks);
	ch_free(*b);
	*b = NULL;
}

static int64_t now_ms(const struct backlogs *b)
{
	return ch_clock_mono(&b->api->conf.clock).ms;
}

static void answer(struct backlog_ask *ask, int result, const struct backlog_count *count)
{
	ask->result = result;
	if (count)
		ask->count = *count;
	ask->done(ask);
}

/* Whoever is answered may ask again at once, for a count that is good. */
static void finish(struct walk *w, int result)
{
	int64_t now = now_ms(w->owner), took = now - w->began_ms;
	struct ch_list asks, *n;
	bool is_kept = result == 0 && w->owner->walks.len <= KEPT_MAX;
	struct backlog_count count = w->sum;

	ch_list_init(&asks);
	while ((n = ch_list_pop_front(&w->waiting)) != NULL)
		ch_list_push_back(&asks, n);
	w->good_until_ms = now + (took * GOOD_TIMES > GOOD_MS ? took * GOOD_TIMES : GOOD_MS);
	if (!is_kept)
		drop(w);
	while ((n = ch_list_pop_front(&asks)) != NULL)
		answer(CH_CONTAINER_OF(n, struct backlog_ask, link), result, &count);
}

static void add(struct backlog_count *sum, const struct store_backlog *piece)
{
	for (size_t i = 0; i < BACKLOG_AGES; i++)
		sum->counts[i] += piece->out.counts[i];
	if (piece->out.oldest_ms >= 0 && (sum->oldest_ms < 0 || piece->out.oldest_ms < sum->oldest_ms))
		sum->oldest_ms = piece->out.oldest_ms;
}

static void piece_done(struct store_request *s)
{
	struct walk *w = CH_CONTAINER_OF(s, struct walk, request);
	struct store_backlog *piece = &s->u.backlog;

	if (s->result == 0)
		add(&w->sum, piece);
	if (s->result != 0 || !piece->out.more) {
		finish(w, s->result);
		return;
	}
	piece->in.after_webhook = piece->out.last_webhook;
	piece->in.after_due_ms = piece->out.last_due_ms;
	piece->in.after = piece->out.last;
	store_request_clear_out(s);
	store_submit(w->owner->api->conf.store, s);
}

static void begin(struct walk *w, int64_t account)
{
	struct api *a = w->owner->api;

	store_request_init(&w->request, STORE_BACKLOG, a->conf.port, piece_done);
	w->request.u.backlog.in.is_all = id_is_zero(&w->webhook);
	w->request.u.backlog.in.account = account;
	w->request.u.backlog.in.webhook_id = w->webhook;
	w->request.u.backlog.in.now_ms = ch_clock_wall(&a->conf.clock).ms;
	w->request.u.backlog.in.limit = PIECE_ROWS;
	w->request.u.backlog.in.after_due_ms = INT64_MIN;
	w->sum = (struct backlog_count){.oldest_ms = -1};
	w->began_ms = now_ms(w->owner);
	store_submit(a->conf.store, &w->request);
}

static struct walk *walk_of(struct backlogs *b, const struct id *webhook)
{
	struct ch_map_node *n = ch_map_get(&b->walks, webhook, sizeof(*webhook));
	struct walk *w;

	if (n)
		return CH_CONTAINER_OF(n, struct walk, node);
	if (b->walks.len >= KEPT_MAX)
		drop_idle(b);
	w = ch_calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->owner = b;
	w->webhook = *webhook;
	ch_list_init(&w->waiting);
	if (ch_map_insert(&b->walks, &w->node, &w->webhook, sizeof(w->webhook)) != 0) {
		ch_free(w);
		return NULL;
	}
	return w;
}

/* Who may ask is looked at by the store when it is counted, and by whoever asks before: a webhook belongs to
 * one account for ever. */
void backlogs_ask(struct backlogs *b, int64_t account, const struct id *webhook, struct backlog_ask *ask)
{
	static const struct id all = {{0}};
	struct walk *w = walk_of(b, webhook ? webhook : &all);
	bool is_idle;

	if (!w) {
		answer(ask, CH_ENOMEM, NULL);
		return;
	}
	is_idle = ch_list_is_empty(&w->waiting);
	if (is_idle && now_ms(b) < w->good_until_ms) {
		answer(ask, 0, &w->sum);
		return;
	}
	ch_list_push_back(&w->waiting, &ask->link);
	if (is_idle)
		begin(w, account);
}
