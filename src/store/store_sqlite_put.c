#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/time_text.h"
#include "model/call_codec.h"
#include "store/store_sqlite.h"

#define ID_TIME_MAX_MS ((INT64_C(1) << 48) - 1)

static const char doing_put[] = "store the call";

/* The deliveries that a put makes, before their rows are written. */
struct news {
	struct sq_hook **hooks;
	struct delivery *rows;
	size_t count;
};

static void news_fini(struct news *n)
{
	for (size_t i = 0; i < n->count; i++)
		delivery_fini(&n->rows[i]);
	ch_free(n->rows);
	ch_free(n->hooks);
}

/* Ids count up from the moment of the put, so that created_ms and the order of ids tell the same story:
 * the time of an id is never before created_ms, and how far it was ever after is kept, which bounds what a
 * list by time has to look at. Rounded up to a power of two, or a busy hour would write it again and
 * again. */
struct id sq_next_id(struct store_sqlite *s, int64_t now_ms)
{
	struct id id;
	int64_t ahead_ms;

	now_ms = now_ms < 0 ? 0 : now_ms > ID_TIME_MAX_MS ? ID_TIME_MAX_MS : now_ms;
	s->id_clock.wall.ms = now_ms;
	id = id_gen_next(&s->ids);
	ahead_ms = id_time_ms(&id) - now_ms;
	while (s->marks.id_ahead_ms < ahead_ms)
		s->marks.id_ahead_ms = s->marks.id_ahead_ms * 2 + 1;
	return id;
}

static bool wants(const struct sq_hook *hook, const struct store_call_put *put)
{
	return webhook_wants(hook->settings, put->in.facts.status, &put->in.facts.agent_id);
}

/* Counted first: an account may have fifty webhooks of which most calls concern one. */
static int reserve_news(const struct sq_group *g, const struct store_call_put *put, struct news *n)
{
	size_t count = 0;

	for (size_t i = 0; i < g->count; i++)
		count += wants(g->hooks[i], put);
	if (count == 0)
		return 0;
	n->hooks = ch_alloc(count * sizeof(struct sq_hook *));
	n->rows = ch_alloc(count * sizeof(struct delivery));
	return n->hooks == NULL || n->rows == NULL ? CH_ENOMEM : 0;
}

static int make_news(struct store_sqlite *s, const struct store_call_put *put,
		const struct rules_put *decision, struct ch_bytes *body, struct news *ret)
{
	struct sq_group *g = sq_group_find(&s->hooks, put->in.account);
	struct news n = {0};

	if (!decision->makes_deliveries || g == NULL)
		goto done;
	if (reserve_news(g, put, &n) != 0)
		goto fail;
	for (size_t i = 0; i < g->count; i++) {
		struct sq_hook *hook = g->hooks[i];

		if (!wants(hook, put))
			continue;
		CH_ASSERT(n.hooks != NULL && n.rows != NULL);
		struct id id = sq_next_id(s, put->in.now_ms);
		if (rules_delivery_make(put, decision, hook->settings, &id, body, &n.rows[n.count]) != 0)
			goto fail;
		n.hooks[n.count++] = hook;
	}
done:
	*ret = n;
	return 0;
fail:
	news_fini(&n);
	return CH_ENOMEM;
}

static int insert_version(struct store_sqlite *s, const struct store_call_put *put, int64_t version,
		const struct news *n, bool *ret_inserted, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_CALL_INSERT, 1, s->marks.next_call);
	sq_bind_int(c, SQ_CALL_INSERT, 2, put->in.account);
	sq_bind_id(c, SQ_CALL_INSERT, 3, &put->in.facts.id);
	sq_bind_int(c, SQ_CALL_INSERT, 4, version);
	sq_bind_int(c, SQ_CALL_INSERT, 5, (int64_t)put->in.facts.status);
	sq_bind_id(c, SQ_CALL_INSERT, 6, &put->in.facts.agent_id);
	sq_bind_int(c, SQ_CALL_INSERT, 7, put->in.now_ms);
	if (n->count > 0) {
		sq_bind_int(c, SQ_CALL_INSERT, 8, sq_key_of(&n->rows[0].id));
		sq_bind_int(c, SQ_CALL_INSERT, 9, sq_key_of(&n->rows[n->count - 1].id));
	} else {
		sq_bind_null(c, SQ_CALL_INSERT, 8);
		sq_bind_null(c, SQ_CALL_INSERT, 9);
	}
	sq_bind_blob(c, SQ_CALL_INSERT, 10, put->in.body, put->in.body_len);
	rc = sq_run(c, SQ_CALL_INSERT, doing_put, err);
	if (rc == 0)
		*ret_inserted = sqlite3_changes(c->db) == 1;
	return rc;
}

static int insert_delivery(
		struct store_sqlite *s, struct sq_hook *hook, const struct delivery *d, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_DELIVERY_INSERT, 1, hook->number);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 2, sq_key_of(&d->id));
	sq_bind_id(c, SQ_DELIVERY_INSERT, 3, &d->id);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 4, s->marks.next_call);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 5, (int64_t)d->state);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 6, d->created_ms);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 7, d->due_ms);
	sq_bind_text(c, SQ_DELIVERY_INSERT, 8, d->reason);
	rc = sq_run(c, SQ_DELIVERY_INSERT, doing_put, err);
	if (rc == 0)
		rules_ledger_made(sq_hook_counts(&s->hooks, hook), d->state);
	return rc;
}

int sq_version_write(struct store_sqlite *s, struct store_call_put *put, const struct rules_put *decision,
		bool *ret_inserted, struct ch_err *err)
{
	struct ch_bytes *body = ch_bytes_create(put->in.body, put->in.body_len);
	struct news n = {0};
	int rc;

	if (body == NULL || make_news(s, put, decision, body, &n) != 0) {
		ch_bytes_unref(&body);
		return sq_no_memory(err);
	}
	rc = insert_version(s, put, decision->version, &n, ret_inserted, err);
	if (rc == 0 && *ret_inserted)
		rc = sq_list_enter(s, put->in.account, s->marks.next_call, &put->in.facts,
				decision->created_s, err);
	for (size_t i = 0; rc == 0 && *ret_inserted && i < n.count; i++)
		rc = insert_delivery(s, n.hooks[i], &n.rows[i], err);
	if (rc != 0 || !*ret_inserted) {
		news_fini(&n);
		ch_bytes_unref(&body);
		return rc;
	}
	s->marks.next_call++;
	put->out.what = decision->what;
	put->out.version = decision->version;
	put->out.body = body;
	put->out.deliveries = n.rows;
	put->out.delivery_count = n.count;
	ch_free(n.hooks);
	return 0;
}

/* Ends as every canonical body does, so that the model may be asked for its "created". */
static bool is_whole(const struct ch_bytes *body)
{
	static const char key[] = "\"created\":\"";
	size_t key_len = sizeof(key) - 1, tail_len = key_len + TIME_TEXT_LEN + 2;
	const char *tail;
	int64_t ignored;

	if (body->len <= tail_len)
		return false;
	tail = body->data + body->len - tail_len;
	return memcmp(tail, key, key_len) == 0 &&
	       time_text_parse(tail + key_len, TIME_TEXT_LEN, &ignored) == 0 &&
	       memcmp(tail + key_len + TIME_TEXT_LEN, "\"}", 2) == 0;
}

/* body: a copy, because the row is gone when the statement is used again. */
static int read_latest(struct store_sqlite *s, const struct store_call_put *put, struct rules_stored *ret,
		int64_t *ret_seq, struct ch_bytes **ret_body, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	struct ch_bytes *body = NULL;
	bool has_row = false;
	int status = 0, rc;

	sq_bind_int(c, SQ_CALL_LATEST, 1, put->in.account);
	sq_bind_id(c, SQ_CALL_LATEST, 2, &put->in.facts.id);
	rc = sq_fetch(c, SQ_CALL_LATEST, &has_row, doing_put, err);
	if (rc != 0 || !has_row)
		return rc;
	if (!sq_enum(c, SQ_CALL_LATEST, 2, CALL_STATUS_COUNT, &status) ||
			!sq_is_sane(sq_int(c, SQ_CALL_LATEST, 1)))
		rc = sq_damaged("a call has no status or version", err);
	else if (sq_is_erased(c, SQ_CALL_LATEST, 3))
		body = ch_bytes_create("", 0);
	else
		rc = sq_body(c, SQ_CALL_LATEST, 3, &body, err);
	if (rc == 0 && body == NULL)
		rc = sq_no_memory(err);
	CH_ASSERT(rc != 0 || body);
	if (rc == 0 && body->len > 0 && !is_whole(body))
		rc = sq_damaged("a call's record is cut off", err);
	if (rc == 0)
		*ret = (struct rules_stored){
				.version = sq_int(c, SQ_CALL_LATEST, 1),
				.status = (enum call_status)status,
				.created_s = body->len == 0 ? 0 : call_body_created(body->data, body->len),
				.body = body->data,
				.body_len = body->len,
		};
	*ret_seq = sq_int(c, SQ_CALL_LATEST, 0);
	sq_reset(c, SQ_CALL_LATEST);
	if (rc == 0)
		*ret_body = body;
	else
		ch_bytes_unref(&body);
	return rc;
}

static int put_known(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct store_call_put *put = &r->u.call_put;
	struct rules_stored stored = {0};
	struct rules_put decision;
	struct ch_bytes *body = NULL;
	bool is_inserted = false;
	int64_t seq = 0;
	int rc = read_latest(s, put, &stored, &seq, &body, err);

	if (rc != 0)
		return rc;
	r->result = rules_put_decide(put, body == NULL ? NULL : &stored, &decision, &r->err);
	if (r->result != 0)
		goto done;
	if (decision.what == STORE_PUT_UNCHANGED) {
		put->out.what = STORE_PUT_UNCHANGED;
		put->out.version = decision.version;
		put->out.body = ch_bytes_ref(body);
		goto done;
	}
	rc = sq_version_write(s, put, &decision, &is_inserted, err);
	if (rc == 0 && !is_inserted)
		rc = sq_damaged("the versions of a call do not count up", err);
	if (rc == 0 && body != NULL)
		rc = sq_list_leave(s, put->in.account, seq, body->data, body->len, err);
done:
	ch_bytes_unref(&body);
	return rc;
}

/* Most calls are new: they are written as the first version without asking, and the unique index says so
 * when they are not. That saves a look-up in the largest index of the store. */
int sq_put(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct store_call_put *put = &r->u.call_put;
	struct rules_put decision;
	bool is_inserted = false;
	int rc;

	if (sq_is_closed(s, put->in.account)) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "the account is deleted");
		return 0;
	}
	if (put->in.if_match_any || put->in.if_match_count > 0)
		return put_known(s, r, err);
	rc = rules_put_decide(put, NULL, &decision, &r->err);
	CH_ASSERT(rc == 0);
	rc = sq_version_write(s, put, &decision, &is_inserted, err);
	if (rc != 0 || is_inserted)
		return rc;
	return put_known(s, r, err);
}
