#include <stdio.h>
#include <string.h>

#include "api/api_core.h"
#include "api/call_feed.h"
#include "api/handlers.h"
#include "api/paging.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "model/json_load.h"

/* All accounts, for the operator. */

static void put_facts(struct json_out *o, const struct account *a)
{
	json_out_text(o, "id", a->id);
	json_out_text(o, "name", a->name);
	json_out_time(o, "created", a->created_ms);
}

/* ---- list ---- */

struct list {
	int64_t after;
	size_t size;
};

static void free_list(void *state)
{
	ch_free(state);
}

static void reply_list(struct api_request *r, const struct account *rows, size_t count, bool has_more)
{
	char next[CURSOR_TEXT_LEN + 1];
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_open(&o, "content", '[');
	for (size_t i = 0; i < count; i++) {
		json_out_open(&o, NULL, '{');
		put_facts(&o, &rows[i]);
		json_out_close(&o, '}');
	}
	json_out_close(&o, ']');
	if (has_more)
		paging_cursor(rows[count - 1].number, next);
	json_out_text(&o, "next", has_more ? next : NULL);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

/* The store gives all of them: operators look seldom, and there are no millions. */
static void list_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct store_account_list *all = &s->u.account_list;
	const struct list *list = r->state;
	size_t first = 0;

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	while (first < all->out.count && all->out.accounts[first].number <= list->after)
		first++;
	size_t left = all->out.count - first;
	size_t count = left < list->size ? left : list->size;
	reply_list(r, all->out.accounts + first, count, left > count);
}

void accounts_list(struct api_request *r)
{
	static const char *const names[] = {"size", "after", NULL};
	struct problems problems;
	struct query q;

	if (!api_query(r, names, &q))
		return;
	problems_init(&problems);
	size_t size = paging_size(&q, &problems);
	int64_t after = paging_after(&q, &problems);
	query_fini(&q);
	if (problems.count > 0) {
		api_invalid(r, "the query is not valid", &problems);
		return;
	}
	struct list *list = ch_calloc(1, sizeof(*list));
	if (!list) {
		api_out_of_memory(r);
		return;
	}
	*list = (struct list){.after = after, .size = size};
	r->state = list;
	r->state_fini = free_list;
	api_begin_store(r, STORE_ACCOUNT_LIST);
	api_submit(r, list_done);
}

/* ---- create ---- */

struct creation {
	const struct account *made; /* not found by anybody yet */
	char keys[ACCOUNT_KEYS][ACCOUNT_KEY_TEXT_LEN + 1];
};

static void creation_free(void *state)
{
	struct creation *c = state;

	accounts_unref(&c->made);
	ch_wipe(c->keys, sizeof(c->keys));
	ch_free(c);
}

static void post_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct creation *c = r->state;
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	/* The id was free in the store, and keys of 256 random bits do not meet. */
	int rc = accounts_add(r->api->accounts, c->made, s->u.account_create.out.number);
	CH_ASSERT(rc == 0);
	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	put_facts(&o, c->made);
	json_out_open(&o, "keys", '{');
	json_out_text(&o, "primary", c->keys[0]);
	json_out_text(&o, "secondary", c->keys[1]);
	json_out_close(&o, '}');
	json_out_close(&o, '}');
	api_reply_json(r, 201, &out);
}

static void read_id(const json_t *value, struct account *a, struct problems *problems)
{
	if (!json_is_string(value) ||
			account_id_check(json_string_value(value), json_string_length(value)) != 0)
		problems_add(problems, "/id", "must be 1 to %d letters, digits, -, _ and .", ACCOUNT_ID_MAX);
	else
		snprintf(a->id, sizeof(a->id), "%s", json_string_value(value));
}

static void read_name(const json_t *value, struct account *a, struct problems *problems)
{
	const char *text = json_string_value(value);

	if (!text || json_string_length(value) > ACCOUNT_NAME_MAX)
		problems_add(problems, "/name", "must be a string of at most %d bytes", ACCOUNT_NAME_MAX);
	else if (json_has_control(text, json_string_length(value)))
		problems_add(problems, "/name", "must not contain control characters");
	else
		snprintf(a->name, sizeof(a->name), "%s", text);
}

/* False: it has replied. */
static bool read_account(struct api_request *r, json_t *json, struct account *ret)
{
	struct problems problems;
	const char *key;
	json_t *value;

	problems_init(&problems);
	json_object_foreach(json, key, value)
	{
		if (strcmp(key, "id") == 0)
			read_id(value, ret, &problems);
		else if (strcmp(key, "name") == 0)
			read_name(value, ret, &problems);
		else
			api_unknown_member(&problems, key);
	}
	bool is_good = problems.count == 0;
	if (!is_good)
		api_invalid(r, "the account is not valid", &problems);
	return is_good;
}

static void create(struct api_request *r, struct account *a)
{
	struct creation *c = ch_calloc(1, sizeof(*c));

	if (!c) {
		api_out_of_memory(r);
		return;
	}
	r->state = c;
	r->state_fini = creation_free;
	r->is_secret = true;
	a->created_ms = ch_clock_wall(&r->api->conf.clock).ms;
	for (int i = 0; i < ACCOUNT_KEYS; i++) {
		account_key_make(&r->api->conf.rand, c->keys[i]);
		ch_sha256(c->keys[i], ACCOUNT_KEY_TEXT_LEN, a->key_sha256[i]);
	}
	if (accounts_prepare(a, &c->made) != 0) {
		api_out_of_memory(r);
		return;
	}
	api_begin_store(r, STORE_ACCOUNT_CREATE);
	r->store.u.account_create.in.account = *a;
	api_audit(r, "account.create", NULL);
	api_audit_target(r, a->id);
	api_submit(r, post_done);
}

void accounts_post(struct api_request *r)
{
	struct account a = {0};
	json_t *json;

	if (!api_no_query(r) || !api_json_object(r, false, &json))
		return;
	bool is_good = read_account(r, json, &a);
	json_decref(json);
	if (!is_good)
		return;
	if (!a.id[0]) {
		struct id id = id_gen_next(&r->api->ids);
		id_format(&id, a.id);
	}
	create(r, &a);
}

/* ---- delete ---- */

static void unref_account(void *state)
{
	const struct account *a = state;

	accounts_unref(&a);
}

static void delete_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	accounts_remove(r->api->accounts, r->state);
	feeds_end_account(r->api, s->u.account_delete.in.number);
	api_reply_empty(r);
}

static const struct account *account_of_path(struct api_request *r)
{
	char id[ACCOUNT_ID_MAX + 1];

	if (r->param_len > ACCOUNT_ID_MAX)
		return NULL;
	snprintf(id, sizeof(id), "%.*s", (int)r->param_len, r->param);
	return accounts_by_id(r->api->accounts, id);
}

void accounts_delete(struct api_request *r)
{
	if (!api_no_query(r))
		return;
	const struct account *a = account_of_path(r);
	if (!a) {
		api_problem(r, 404, "there is no such account");
		return;
	}
	r->state = (void *)(uintptr_t)a; /* only ever read */
	r->state_fini = unref_account;
	if (strcmp(a->id, ACCOUNT_DEFAULT) == 0) {
		api_problem(r, 409, "the account \"" ACCOUNT_DEFAULT "\" is always there");
		return;
	}
	api_begin_store(r, STORE_ACCOUNT_DELETE);
	r->store.u.account_delete.in.number = a->number;
	r->store.u.account_delete.in.now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	api_audit(r, "account.delete", NULL);
	api_submit(r, delete_done);
}
