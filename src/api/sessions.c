#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "api/token.h"
#include "base/alloc.h"
#include "model/json_load.h"

/* The page's sessions, and the links that open it. */

#define COOKIE_MAX (TOKEN_TEXT_MAX + 128)
#define SESSION_S (12 * 3600)
#define LINK_SESSION_S (4 * 3600) /* a session that a link opened */
#define LINK_S 300
#define LINK_MIN_S 30
#define LINK_MAX_S 86400
#define LINK_SCOPES (SCOPE_CALLS_READ | SCOPE_INTEGRATIONS_READ | SCOPE_INTEGRATIONS_WRITE)

/* What is asked for, kept while the store is asked. */
struct entry {
	struct token token;
	bool is_https; /* how the browser sees us */
	char host[256];
};

static int64_t now_s(const struct api_request *r)
{
	return ch_clock_wall(&r->api->conf.clock).ms / 1000;
}

static struct token token_for(
		struct api_request *r, const struct account *a, enum token_use use, int64_t lasts_s)
{
	struct token t = {.use = use,
			.account_created_ms = a->created_ms,
			.id = id_gen_next(&r->api->ids),
			.expires_s = now_s(r) + lasts_s};

	memcpy(t.account, a->id, sizeof(t.account));
	return t;
}

/* ---- what is asked for ---- */

static int permit_bit(const char *text)
{
	enum permit p;
	return permit_parse(text, strlen(text), &p) == 0 ? (int)p : 0;
}

static int scope_bit(const char *text)
{
	enum scope s;
	return scope_parse(text, strlen(text), &s) == 0 ? (int)s : 0;
}

/* A list of names, each a bit; *ret: all of them. */
static void read_names(const json_t *list, const char *pointer, int (*bit_of)(const char *text),
		unsigned *ret, struct problems *problems)
{
	unsigned all = 0;
	size_t i;
	json_t *one;

	if (!json_is_array(list)) {
		problems_add(problems, pointer, "must be a list");
		return;
	}
	json_array_foreach(list, i, one)
	{
		int bit = json_is_string(one) ? bit_of(json_string_value(one)) : 0;
		if (bit == 0)
			problems_add(problems, pointer, "item %zu is none that is known", i);
		all |= (unsigned)bit;
	}
	*ret = all;
}

static void read_scopes(const json_t *list, const char *pointer, scope_set *ret, struct problems *problems)
{
	unsigned all = 0;

	read_names(list, pointer, scope_bit, &all, problems);
	if (json_is_array(list) && json_array_size(list) == 0)
		problems_add(problems, pointer, "must name one scope at least");
	*ret = (scope_set)all;
}

/* ---- sessions ---- */

static void put_session(struct json_out *o, const struct token *t)
{
	json_out_open(o, NULL, '{');
	json_out_text(o, "accountId", t->account);
	json_out_open(o, "scopes", '[');
	for (int bit = 1; bit < SCOPE_ALL + 1; bit <<= 1)
		if (t->scopes & bit)
			json_out_text(o, NULL, scope_name((enum scope)bit));
	json_out_close(o, ']');
	json_out_open(o, "permit", '[');
	for (int bit = 1; bit < PERMIT_ALL + 1; bit <<= 1)
		if (t->permits & bit)
			json_out_text(o, NULL, permit_name((enum permit)bit));
	json_out_close(o, ']');
	json_out_time(o, "expires", t->expires_s * 1000);
	json_out_close(o, '}');
}

static void reply_session(struct api_request *r, const struct token *t, bool is_https)
{
	struct ch_buf cookie, out;
	struct json_out o = {.buf = &out};

	r->is_secret = true;
	ch_buf_init(&cookie, COOKIE_MAX);
	ch_buf_init(&out, API_JSON_MAX);
	ch_buf_adds(&cookie, AUTH_COOKIE "=");
	int rc = token_write(r->api->auth.token_key, t, &cookie);
	ch_buf_addf(&cookie, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=%" PRId64 "%s",
			t->expires_s - now_s(r), is_https ? "; Secure" : "");
	put_session(&o, t);
	if (rc != 0 || cookie.err)
		out.err = CH_ENOMEM;
	const struct http_header header = {"Set-Cookie", ch_buf_text(&cookie)};
	api_reply_json_with(r, 201, &out, &header, 1);
	ch_buf_fini(&cookie);
}

static void sign_in_with_key(struct api_request *r)
{
	struct auth_credentials c = {.api_key = http_header_get(r->x, "X-Api-Key")};
	const char *detail = NULL;

	if (!c.api_key) {
		api_problem(r, 401, "send an API key as X-Api-Key, or the token of a portal link as link");
		return;
	}
	int status = auth_check(&r->api->auth, &c, &r->caller, &detail);
	if (status) {
		api_problem(r, status, "%s", detail);
		return;
	}
	r->caller.how = AUTH_SESSION;
	if (!api_take_quota(r))
		return;
	struct token t = token_for(r, r->caller.account, TOKEN_SESSION, SESSION_S);
	memcpy(t.kid, r->caller.kid, sizeof(t.kid));
	t.scopes = SCOPE_ALL;
	t.permits = PERMIT_ALL;
	reply_session(r, &t, http_is_https(r->x));
}

static void free_entry(void *state)
{
	ch_free(state);
}

static void refuse_link(struct api_request *r)
{
	api_problem(r, 401, "the link was used already, or is too old, or is none");
}

static void link_spent(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct entry *entry = r->state;
	const struct token *link = &entry->token;

	if (s->result == CH_EEXIST) {
		refuse_link(r);
		return;
	}
	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	struct token t = token_for(r, r->caller.account, TOKEN_SESSION, LINK_SESSION_S);
	memcpy(t.kid, link->kid, sizeof(t.kid));
	t.scopes = link->scopes;
	t.permits = link->permits;
	reply_session(r, &t, entry->is_https);
}

/* Spent before the session is given: of two who come with it, one gets in. */
static void sign_in_with_link(struct api_request *r, const char *text)
{
	struct entry *entry = ch_calloc(1, sizeof(*entry));
	struct token *link = entry ? &entry->token : NULL;
	const char *words = NULL;
	int rc = CH_ENOMEM;

	r->state = entry;
	r->state_fini = free_entry;
	if (entry)
		rc = token_read(r->api->auth.token_key, text, TOKEN_LINK, now_s(r), link);
	if (rc == CH_ENOMEM) {
		api_out_of_memory(r);
		return;
	}
	if (rc == 0)
		r->caller.account = auth_account_of(&r->api->auth, link, &words);
	if (rc != 0 || !r->caller.account) {
		refuse_link(r);
		return;
	}
	entry->is_https = http_is_https(r->x);
	memcpy(r->caller.words, "portal link", sizeof("portal link"));
	api_begin_store(r, STORE_SPEND);
	r->store.u.spend.in.id = link->id;
	r->store.u.spend.in.now_ms = now_s(r) * 1000;
	r->store.u.spend.in.until_ms = link->expires_s * 1000;
	api_audit(r, "session.open", NULL);
	api_submit(r, link_spent);
}

void sessions_post(struct api_request *r)
{
	struct problems problems;
	const char *key;
	json_t *json, *each;

	r->is_secret = true;
	if (!api_no_query(r) || !api_json_object(r, true, &json))
		return;
	const json_t *link = json_object_get(json, "link");
	problems_init(&problems);
	json_object_foreach(json, key, each)
	{
		if (strcmp(key, "link") != 0)
			api_unknown_member(&problems, key);
	}
	if (link && !json_is_string(link))
		problems_add(&problems, "/link", "must be a string");
	if (problems.count > 0) {
		api_invalid(r, "the body is not valid", &problems);
	} else {
		problems_fini(&problems);
		if (link)
			sign_in_with_link(r, json_string_value(link));
		else
			sign_in_with_key(r);
	}
	json_decref(json);
}

static void signed_out(struct store_request *s)
{
	static const struct http_header gone = {
			"Set-Cookie", AUTH_COOKIE "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"};
	struct api_request *r = api_request_of(s);
	const struct store_spend *q = &s->u.spend;

	if (s->result != 0 && s->result != CH_EEXIST) {
		api_store_problem(r, "session");
		return;
	}
	if (spent_add(&r->api->spent, &q->in.id, q->in.until_ms, q->in.now_ms) != 0) {
		api_out_of_memory(r);
		return;
	}
	api_reply(r, &(struct http_response){.status = 204, .headers = &gone, .header_count = 1});
}

void sessions_delete(struct api_request *r)
{
	if (!api_no_query(r))
		return;
	if (r->caller.how != AUTH_SESSION) {
		api_problem(r, 400, "this ends a session, and the request came with none");
		return;
	}
	api_begin_store(r, STORE_SPEND);
	r->store.u.spend.in.id = r->caller.session;
	r->store.u.spend.in.now_ms = now_s(r) * 1000;
	r->store.u.spend.in.until_ms = r->caller.session_ends_s * 1000;
	api_submit(r, signed_out);
}

/* ---- portal links ---- */

static void reply_link(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct entry *entry = r->state;
	struct ch_buf url, out;
	struct json_out o = {.buf = &out};

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	ch_buf_init(&url, TOKEN_TEXT_MAX + 1024);
	ch_buf_init(&out, API_JSON_MAX);
	ch_buf_addf(&url, "http%s://%s/#link=", entry->is_https ? "s" : "", entry->host);
	int rc = token_write(r->api->auth.token_key, &entry->token, &url);
	json_out_open(&o, NULL, '{');
	json_out_text(&o, "url", ch_buf_text(&url));
	json_out_time(&o, "expires", entry->token.expires_s * 1000);
	json_out_close(&o, '}');
	if (rc != 0 || url.err)
		out.err = CH_ENOMEM;
	ch_buf_fini(&url);
	api_reply_json(r, 201, &out);
}

static void read_lasts(const json_t *value, int64_t *ret, struct problems *problems)
{
	if (!value)
		return;
	*ret = json_integer_value(value);
	if (!json_is_integer(value) || *ret < LINK_MIN_S || *ret > LINK_MAX_S)
		problems_add(problems, "/expiresIn", "must be a whole number, %d to %d", LINK_MIN_S,
				LINK_MAX_S);
}

static void read_link(const json_t *json, struct token *t, int64_t *ret_lasts_s, struct problems *problems)
{
	unsigned permits = 0;
	const char *key;
	json_t *each;

	json_object_foreach((json_t *)(uintptr_t)json, key, each)
	{
		if (strcmp(key, "scopes") != 0 && strcmp(key, "expiresIn") != 0 && strcmp(key, "permit") != 0)
			api_unknown_member(problems, key);
	}
	if (json_object_get(json, "scopes"))
		read_scopes(json_object_get(json, "scopes"), "/scopes", &t->scopes, problems);
	if (json_object_get(json, "permit"))
		read_names(json_object_get(json, "permit"), "/permit", permit_bit, &permits, problems);
	t->permits = (permit_set)permits;
	read_lasts(json_object_get(json, "expiresIn"), ret_lasts_s, problems);
}

static void make_link(struct api_request *r, const struct account *a, struct token *asked, int64_t lasts_s)
{
	struct entry *entry = ch_calloc(1, sizeof(*entry));
	const char *host = http_header_get(r->x, "Host");

	if (!entry) {
		api_out_of_memory(r);
		return;
	}
	struct token *t = &entry->token;
	*t = token_for(r, a, TOKEN_LINK, lasts_s);
	memcpy(t->kid, r->caller.kid, sizeof(t->kid));
	t->scopes = asked->scopes;
	t->permits = asked->permits;
	entry->is_https = http_is_https(r->x);
	snprintf(entry->host, sizeof(entry->host), "%s", host ? host : "localhost");
	r->state = entry;
	r->state_fini = free_entry;
	api_begin_store(r, STORE_AUDIT_ADD);
	api_audit(r, "account.portal_link", NULL);
	api_audit_target(r, a->id);
	api_submit(r, reply_link);
}

void portal_link_post(struct api_request *r)
{
	char id[ACCOUNT_ID_MAX + 1] = "";
	struct token asked = {.scopes = LINK_SCOPES};
	int64_t lasts_s = LINK_S;
	struct problems problems;
	json_t *json;

	r->is_secret = true;
	if (!api_no_query(r) || !api_json_object(r, true, &json))
		return;
	problems_init(&problems);
	if (json)
		read_link(json, &asked, &lasts_s, &problems);
	json_decref(json);
	if (problems.count > 0) {
		api_invalid(r, "the link can't be made so", &problems);
		return;
	}
	problems_fini(&problems);
	if (r->param_len <= ACCOUNT_ID_MAX)
		memcpy(id, r->param, r->param_len);
	const struct account *a = accounts_by_id(r->api->accounts, id);
	if (a)
		make_link(r, a, &asked, lasts_s);
	else
		api_problem(r, 404, "there is no such account");
	accounts_unref(&a);
}
