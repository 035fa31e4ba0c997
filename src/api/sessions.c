#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api_core.h"
#include "api/grants.h"
#include "api/handlers.h"
#include "base/alloc.h"

/* The page's sessions, and the links that open it. */

#define COOKIE_MAX (TOKEN_TEXT_MAX + 128)
#define SESSION_S (12 * 3600)
#define LINK_SESSION_S (4 * 3600) /* a session that a link opened */
#define LINK_S 300 /* these two when the operator names none */
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

/* ---- sessions ---- */

static void put_session(struct json_out *o, const struct token *t)
{
	json_out_open(o, NULL, '{');
	json_out_text(o, "accountId", t->account);
	grants_write_scopes(o, "scopes", t->scopes);
	grants_write_permits(o, "permit", t->permits);
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
	json_t *json;

	r->is_secret = true;
	if (!api_no_query(r) || !api_json_object(r, true, &json))
		return;
	const char *link = json_string_value(json_object_get(json, "link"));
	if (link)
		sign_in_with_link(r, link);
	else
		sign_in_with_key(r);
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
	ch_buf_init(&url, TOKEN_TEXT_MAX + URL_MAX_BYTES + 64);
	ch_buf_init(&out, API_JSON_MAX);
	if (r->api->conf.public_url)
		ch_buf_addf(&url, "%s#link=", r->api->conf.public_url);
	else
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

static void make_link(struct api_request *r, const struct account *a, const json_t *asked)
{
	struct entry *entry = ch_calloc(1, sizeof(*entry));
	const json_t *scopes = json_object_get(asked, "scopes"), *lasts = json_object_get(asked, "expiresIn");
	const char *host = http_header_get(r->x, "Host");

	if (!entry) {
		api_out_of_memory(r);
		return;
	}
	entry->token = token_for(r, a, TOKEN_LINK, lasts ? json_integer_value(lasts) : LINK_S);
	memcpy(entry->token.kid, r->caller.kid, sizeof(entry->token.kid));
	entry->token.scopes = scopes ? grants_scopes(scopes) : LINK_SCOPES;
	entry->token.permits = grants_permits(json_object_get(asked, "permit"));
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
	json_t *json;

	r->is_secret = true;
	if (!api_no_query(r) || !api_json_object(r, true, &json))
		return;
	if (r->param_len <= ACCOUNT_ID_MAX)
		memcpy(id, r->param, r->param_len);
	const struct account *a = accounts_by_id(r->api->accounts, id);
	if (a)
		make_link(r, a, json);
	else
		api_problem(r, 404, "there is no such account");
	accounts_unref(&a);
	json_decref(json);
}
