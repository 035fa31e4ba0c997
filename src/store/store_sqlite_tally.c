#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_sqlite.h"

static const char doing[] = "count the calls";

/* Above so many stretches in memory (some 100 bytes each) a transaction's end forgets all and begins anew. */
#define KEPT_MAX 32768

int sq_place_compare(const struct sq_place *a, const struct sq_place *b)
{
	if (a->created_s != b->created_s)
		return a->created_s < b->created_s ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* ---- those in memory ---- */

void sq_tallies_init(struct sq_tallies *t, const struct ch_rand *rand)
{
	*t = (struct sq_tallies){0};
	ch_map_init(&t->by_key, rand);
}

void sq_tallies_clear(struct sq_tallies *t)
{
	struct ch_map_node *next;

	for (struct ch_map_node *n = ch_map_next(&t->by_key, NULL); n != NULL; n = next) {
		struct sq_tally *one = CH_CONTAINER_OF(n, struct sq_tally, node);

		next = ch_map_next(&t->by_key, n);
		ch_map_remove(&t->by_key, n);
		ch_free(one->stretches);
		ch_free(one);
	}
	t->dirty = NULL;
	t->stretches = 0;
}

void sq_tallies_fini(struct sq_tallies *t)
{
	sq_tallies_clear(t);
	ch_map_fini(&t->by_key);
}

void sq_tallies_committed(struct sq_tallies *t)
{
	CH_ASSERT(t->dirty == NULL);
	if (t->stretches > KEPT_MAX)
		sq_tallies_clear(t);
}

/* ---- reading ---- */

bool sq_counts_read(const void *data, size_t len, struct sq_stretch *ret)
{
	const uint8_t *at = data;

	if (at == NULL || len != SQ_COUNTS_BYTES)
		return false;
	ret->total = 0;
	for (int i = 0; i < SQ_KINDS; i++) {
		ret->counts[i] = (uint16_t)(at[2 * i] | at[2 * i + 1] << 8);
		ret->total += ret->counts[i];
	}
	return ret->total <= SQ_STRETCH_MAX;
}

/* Counts of the last stretch are not stored. */
static int count_stretch(struct sq_conn *c, int64_t tally, struct sq_stretch *one, struct ch_err *err)
{
	static const struct sq_place beyond = {INT64_MAX, INT64_MAX};
	bool has_row = false;
	int64_t count;
	int rc = 0;

	for (int kind = 0; rc == 0 && kind < SQ_KINDS; kind++) {
		sq_walk_bind(c, SQ_WALK_COUNT, tally * SQ_LIST_KINDS + kind, &one->from, &beyond, 0);
		rc = sq_fetch(c, SQ_WALK_COUNT, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		count = sq_int(c, SQ_WALK_COUNT, 0);
		sq_reset(c, SQ_WALK_COUNT);
		if (count + one->total > SQ_STRETCH_MAX)
			return sq_damaged("there are more calls than were counted", err);
		one->counts[kind] = (uint16_t)count;
		one->total += (uint32_t)count;
	}
	return rc;
}

static int load_stretch(struct sq_tally *t, struct sq_conn *c, struct ch_err *err)
{
	sqlite3_stmt *st = c->stmts[SQ_STRETCHES];
	struct sq_stretch one = {.from = {sq_int(c, SQ_STRETCHES, 0), sq_int(c, SQ_STRETCHES, 1)}};
	bool is_last = sqlite3_column_type(st, 2) == SQLITE_NULL;

	if (t->count == 0 && one.from.created_s != INT64_MIN)
		return sq_damaged("the counts of calls are missing", err);
	if (!is_last && !sq_counts_read(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2),
					&one))
		return sq_damaged("the counts of calls can't be", err);
	if (sq_grow((void **)&t->stretches, &t->cap, t->count, sizeof(one)) != 0)
		return sq_no_memory(err);
	t->stretches[t->count++] = one;
	return 0;
}

static int load_stretches(struct sq_tally *t, struct sq_conn *c, struct ch_err *err)
{
	bool has_row = true;
	int rc = 0;

	sq_bind_int(c, SQ_STRETCHES, 1, t->number);
	sq_bind_int(c, SQ_STRETCHES, 2, INT64_MIN);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_STRETCHES, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		rc = load_stretch(t, c, err);
	}
	sq_reset(c, SQ_STRETCHES);
	if (rc == 0 && t->count == 0)
		rc = sq_damaged("the counts of calls are missing", err);
	if (rc != 0)
		return rc;
	t->stretches[t->count - 1].total = 0;
	return count_stretch(c, t->number, &t->stretches[t->count - 1], err);
}

static void bind_key(struct sq_conn *c, enum sq_stmt which, const struct sq_tally_key *key)
{
	sq_bind_int(c, which, 1, key->account);
	if (key->has_agent)
		sq_bind_id(c, which, 2, &key->agent);
	else
		sq_bind_blob(c, which, 2, "", 0);
}

static void touch(struct sq_tallies *all, struct sq_tally *t, size_t from, size_t to)
{
	if (!t->is_dirty) {
		t->is_dirty = true;
		t->dirty_from = from;
		t->dirty_to = to;
		t->next_dirty = all->dirty;
		all->dirty = t;
		return;
	}
	t->dirty_from = from < t->dirty_from ? from : t->dirty_from;
	t->dirty_to = to > t->dirty_to ? to : t->dirty_to;
}

/* The first call of an agent makes it known, under its id. */
static int make_agent(struct sq_conn *c, const struct sq_tally_key *key, struct ch_err *err)
{
	char text[ID_TEXT_LEN + 1];

	if (!key->has_agent)
		return 0;
	id_format(&key->agent, text);
	bind_key(c, SQ_AGENT_SEEN, key);
	sq_bind_text(c, SQ_AGENT_SEEN, 3, text);
	return sq_run(c, SQ_AGENT_SEEN, doing, err);
}

static int make_tally(struct store_sqlite *s, struct sq_tally *t, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc;

	if (sq_grow((void **)&t->stretches, &t->cap, 0, sizeof(struct sq_stretch)) != 0)
		return sq_no_memory(err);
	bind_key(c, SQ_TALLY_INSERT, &t->key);
	rc = sq_run(c, SQ_TALLY_INSERT, doing, err);
	if (rc == 0)
		rc = make_agent(c, &t->key, err);
	if (rc != 0)
		return rc;
	t->number = sqlite3_last_insert_rowid(c->db);
	t->stretches[0] = (struct sq_stretch){.from = {INT64_MIN, 0}};
	t->count = 1;
	return 0;
}

static int find_or_make(struct store_sqlite *s, struct sq_tally *t, bool *ret_made, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = false;
	int rc;

	bind_key(c, SQ_TALLY_FIND, &t->key);
	rc = sq_fetch(c, SQ_TALLY_FIND, &has_row, doing, err);
	if (rc != 0)
		return rc;
	*ret_made = !has_row;
	if (!has_row)
		return make_tally(s, t, err);
	t->number = sq_int(c, SQ_TALLY_FIND, 0);
	sq_reset(c, SQ_TALLY_FIND);
	return load_stretches(t, c, err);
}

int sq_tally_get(struct store_sqlite *s, int64_t account, const struct id *agent, struct sq_tally **ret,
		struct ch_err *err)
{
	struct sq_tally_key key = {.account = account, .has_agent = agent != NULL};
	struct ch_map_node *n;
	struct sq_tally *t;
	bool is_made = false;
	int rc;

	if (agent != NULL)
		key.agent = *agent;
	n = ch_map_get(&s->tallies.by_key, &key, sizeof(key));
	if (n != NULL) {
		*ret = CH_CONTAINER_OF(n, struct sq_tally, node);
		return 0;
	}
	t = ch_calloc(1, sizeof(*t));
	if (t == NULL)
		return sq_no_memory(err);
	t->key = key;
	rc = find_or_make(s, t, &is_made, err);
	if (rc == 0 && ch_map_insert(&s->tallies.by_key, &t->node, &t->key, sizeof(t->key)) != 0)
		rc = sq_no_memory(err);
	if (rc != 0) {
		ch_free(t->stretches);
		ch_free(t);
		return rc;
	}
	s->tallies.stretches += t->count;
	if (is_made)
		touch(&s->tallies, t, 0, 1);
	*ret = t;
	return 0;
}

/* ---- writing ---- */

static int write_stretch(struct sq_conn *c, const struct sq_tally *t, size_t i, struct ch_err *err)
{
	const struct sq_stretch *one = &t->stretches[i];
	uint8_t counts[SQ_COUNTS_BYTES];

	for (int kind = 0; kind < SQ_KINDS; kind++) {
		counts[2 * kind] = (uint8_t)one->counts[kind];
		counts[2 * kind + 1] = (uint8_t)(one->counts[kind] >> 8);
	}
	sq_bind_int(c, SQ_STRETCH_SET, 1, t->number);
	sq_bind_int(c, SQ_STRETCH_SET, 2, one->from.created_s);
	sq_bind_int(c, SQ_STRETCH_SET, 3, one->from.seq);
	if (i + 1 < t->count)
		sq_bind_blob(c, SQ_STRETCH_SET, 4, counts, sizeof(counts));
	else
		sq_bind_null(c, SQ_STRETCH_SET, 4);
	return sq_run(c, SQ_STRETCH_SET, doing, err);
}

int sq_tallies_write(struct store_sqlite *s, struct ch_err *err)
{
	int rc = 0;

	while (rc == 0 && s->tallies.dirty != NULL) {
		struct sq_tally *t = s->tallies.dirty;

		for (size_t i = t->dirty_from; rc == 0 && i < t->dirty_to; i++)
			rc = write_stretch(&s->conn, t, i, err);
		s->tallies.dirty = t->next_dirty;
		t->is_dirty = false;
	}
	return rc;
}

/* ---- cutting in two ---- */

struct entry {
	struct sq_place at;
	int kind;
};

struct entries {
	struct entry *items;
	size_t count, cap;
};

static int compare_entries(const void *a, const void *b)
{
	return sq_place_compare(&((const struct entry *)a)->at, &((const struct entry *)b)->at);
}

static const struct sq_place beyond = {INT64_MAX, INT64_MAX};

static const struct sq_place *end_of(const struct sq_tally *t, size_t i)
{
	return i + 1 < t->count ? &t->stretches[i + 1].from : &beyond;
}

static int read_kind(struct sq_conn *c, const struct sq_tally *t, size_t i, int kind, struct entries *all,
		struct ch_err *err)
{
	const enum sq_stmt which = SQ_WALK_UP;
	bool has_row = true;
	int rc = 0;

	sq_walk_bind(c, which, t->number * SQ_LIST_KINDS + kind, &t->stretches[i].from, end_of(t, i), -1);
	while (rc == 0) {
		rc = sq_fetch(c, which, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&all->items, &all->cap, all->count, sizeof(struct entry)) != 0)
			rc = sq_no_memory(err);
		else
			all->items[all->count++] =
					(struct entry){{sq_int(c, which, 0), sq_int(c, which, 1)}, kind};
	}
	sq_reset(c, which);
	return rc;
}

/* All that lies in stretch i, whatever was counted. */
static int read_entries(struct sq_conn *c, const struct sq_tally *t, size_t i, struct entries *all,
		struct ch_err *err)
{
	int rc = 0;

	for (int kind = 0; rc == 0 && kind < SQ_KINDS; kind++)
		rc = read_kind(c, t, i, kind, all, err);
	if (rc == 0 && all->count > 2 * SQ_STRETCH_MAX)
		rc = sq_damaged("there are more calls than were counted", err);
	if (rc == 0 && all->count > 0)
		qsort(all->items, all->count, sizeof(struct entry), compare_entries);
	return rc;
}

static void count_entries(const struct entry *items, size_t n, struct sq_stretch *ret)
{
	memset(ret->counts, 0, sizeof(ret->counts));
	ret->total = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		ret->counts[items[i].kind]++;
}

/* Room for a stretch behind stretch i. */
static int open_gap(struct sq_tallies *all, struct sq_tally *t, size_t i)
{
	if (sq_grow((void **)&t->stretches, &t->cap, t->count, sizeof(struct sq_stretch)) != 0)
		return CH_ENOMEM;
	memmove(&t->stretches[i + 2], &t->stretches[i + 1], (t->count - i - 1) * sizeof(struct sq_stretch));
	t->count++;
	all->stretches++;
	if (t->is_dirty && t->dirty_to > i + 1)
		t->dirty_to++;
	return 0;
}

/* Counts stretch i anew and cuts it in two if it holds too many. Calls mostly come in the order in which they
 * were created: one that is the last of its stretch begins the next, and what lies behind stays full. */
static int recount(struct store_sqlite *s, struct sq_tally *t, size_t i, const struct sq_place *newest,
		struct ch_err *err)
{
	struct entries all = {0};
	size_t at;
	int rc = sq_list_flush(s, err);

	if (rc == 0)
		rc = read_entries(&s->conn, t, i, &all, err);
	at = all.count;
	if (rc == 0 && all.count > SQ_STRETCH_MAX) {
		bool is_last = sq_place_compare(&all.items[all.count - 1].at, newest) == 0;

		at = is_last && all.count - 1 <= SQ_STRETCH_MAX ? all.count - 1 : all.count / 2;
		if (open_gap(&s->tallies, t, i) != 0)
			rc = sq_no_memory(err);
	}
	if (rc == 0 && at < all.count) {
		t->stretches[i + 1].from = all.items[at].at;
		count_entries(all.items + at, all.count - at, &t->stretches[i + 1]);
	}
	if (rc == 0) {
		count_entries(all.items, at, &t->stretches[i]);
		touch(&s->tallies, t, i, at < all.count ? i + 2 : i + 1);
	}
	ch_free(all.items);
	return rc;
}

/* ---- counting ---- */

/* The stretch that holds this place. */
static size_t find(const struct sq_tally *t, const struct sq_place *at)
{
	size_t low = 0, high = t->count;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (sq_place_compare(&t->stretches[mid].from, at) <= 0)
			low = mid;
		else
			high = mid;
	}
	return low;
}

int sq_tally_add(struct store_sqlite *s, struct sq_tally *t, int kind, const struct sq_place *at,
		struct ch_err *err)
{
	size_t i = find(t, at);
	struct sq_stretch *one = &t->stretches[i];

	one->counts[kind]++;
	one->total++;
	if (i + 1 < t->count)
		touch(&s->tallies, t, i, i + 1);
	return one->total <= SQ_STRETCH_MAX ? 0 : recount(s, t, i, at, err);
}

/* What lay in it belongs to the one before from now on. */
static int drop(struct store_sqlite *s, struct sq_tally *t, size_t i, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;

	sq_bind_int(c, SQ_STRETCH_DELETE, 1, t->number);
	sq_bind_int(c, SQ_STRETCH_DELETE, 2, t->stretches[i].from.created_s);
	sq_bind_int(c, SQ_STRETCH_DELETE, 3, t->stretches[i].from.seq);
	memmove(&t->stretches[i], &t->stretches[i + 1], (t->count - i - 1) * sizeof(struct sq_stretch));
	t->count--;
	s->tallies.stretches--;
	if (t->is_dirty && t->dirty_from > i)
		t->dirty_from--;
	if (t->is_dirty && t->dirty_to > i)
		t->dirty_to--;
	if (i == t->count) /* the one before is the last now */
		touch(&s->tallies, t, i - 1, i);
	return sq_run(c, SQ_STRETCH_DELETE, doing, err);
}

int sq_tally_remove(struct store_sqlite *s, struct sq_tally *t, int kind, const struct sq_place *at,
		struct ch_err *err)
{
	size_t i = find(t, at);
	struct sq_stretch *one = &t->stretches[i];

	if (one->counts[kind] == 0)
		return recount(s, t, i, at, err);
	one->counts[kind]--;
	one->total--;
	if (one->total == 0 && i > 0)
		return drop(s, t, i, err);
	if (i + 1 < t->count)
		touch(&s->tallies, t, i, i + 1);
	return 0;
}
