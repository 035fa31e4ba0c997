#include "api/api.h"

#include <string.h>

#include "api/api_core.h"
#include "api/backlog.h"
#include "api/call_feed.h"
#include "api/media_type.h"
#include "api/rules.h"
#include "api/stream.h"
#include "base/alloc.h"
#include "base/assert.h"

/* A path that nothing is behind, or a route that ignores bodies, takes this much of one. */
#define LIMIT_NONE_BYTES 4096
#define LIMIT_SMALL_BYTES ((size_t)256 * 1024)
/* Checks of URLs by an account. */
#define CHECKS_MAX 10
#define CHECKS_SECONDS 60

static int add_account(struct accounts_registry *all, const struct account *a, struct ch_err *err)
{
	const struct account *made = NULL;
	int rc = accounts_prepare(a, &made);

	if (rc == 0)
		rc = accounts_add(all, made, a->number);
	accounts_unref(&made);
	if (rc == CH_EEXIST)
		return ch_err_set(err, rc, "a key of account %s belongs to another one too", a->id);
	return rc == 0 ? 0 : ch_err_set(err, rc, "out of memory");
}

static int fill(struct api *a, struct ch_err *err)
{
	const struct api_conf *conf = &a->conf;
	int rc = accounts_create(&conf->rand, &a->accounts);

	a->stats = ch_calloc(api_route_count + 1, sizeof(*a->stats));
	a->codec = call_codec_create(conf->call_max_bytes);
	a->backlogs = backlogs_create(a);
	if (rc != 0 || !a->stats || !a->codec || !a->backlogs)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < conf->account_count; i++)
		rc = add_account(a->accounts, &conf->accounts[i], err);
	for (size_t i = 0; rc == 0 && i < conf->spent_count; i++)
		rc = spent_add(&a->spent, &conf->spent[i].id, conf->spent[i].until_ms, a->started.ms);
	if (rc == 0)
		rc = request_limit_create(conf->request_rate, &conf->rand, &a->limit);
	if (rc == 0)
		rc = request_limit_create(
				(struct request_rate){CHECKS_MAX, CHECKS_SECONDS}, &conf->rand, &a->checks);
	if (rc == 0)
		rc = auth_init(&a->auth, &(struct auth_conf){.accounts = a->accounts,
							 .clock = conf->clock,
							 .operator_token = conf->operator_token,
							 .spent = &a->spent,
							 .seal_key = conf->seal_key});
	return rc;
}

int api_create(const struct api_conf *conf, struct api **ret, struct ch_err *err)
{
	struct api *a = ch_calloc(1, sizeof(*a));
	if (!a)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	a->conf = *conf;
	a->started = ch_clock_wall(&conf->clock);
	a->started_mono = ch_clock_mono(&conf->clock);
	streams_init(a);
	feeds_init(a);
	id_gen_init(&a->ids, conf->clock, conf->rand);
	spent_init(&a->spent, &conf->rand);
	int rc = fill(a, err);
	if (rc) {
		api_destroy(&a);
		return rc;
	}
	*ret = a;
	return 0;
}

void api_destroy(struct api **pa)
{
	struct api *a = *pa;

	*pa = NULL;
	if (!a)
		return;
	CH_ASSERT(a->busy == 0);
	backlogs_destroy(&a->backlogs);
	request_limit_destroy(&a->limit);
	request_limit_destroy(&a->checks);
	auth_fini(&a->auth);
	spent_fini(&a->spent);
	accounts_destroy(&a->accounts);
	call_codec_destroy(&a->codec);
	ch_free(a->stats);
	ch_wipe(a->conf.seal_key, sizeof(a->conf.seal_key));
	ch_free(a);
}

void api_stopping(struct api *a)
{
	a->is_stopping = true;
	streams_end(a);
	feeds_end(a);
}

size_t api_busy(const struct api *a)
{
	return a->busy;
}

size_t api_body_max_of(void *api, const char *method, const char *path)
{
	const struct api *a = api;
	struct route_match m = route_find(method, path);

	switch (m.route ? m.route->limit : ROUTE_LIMIT_NONE) {
	case ROUTE_LIMIT_NONE:
		return LIMIT_NONE_BYTES;
	case ROUTE_LIMIT_SMALL:
		return LIMIT_SMALL_BYTES;
	case ROUTE_LIMIT_CALL:
		return a->conf.call_max_bytes;
	case ROUTE_LIMIT_IMPORT:
		return a->conf.import_max_bytes;
	}
	CH_UNREACHABLE();
}

/* ---- checks before a handler runs; each false has replied ---- */

static void note_credential(void *ctx, const char *name, const char *value)
{
	struct auth_credentials *c = ctx;
	const char **at = NULL;

	if (strcasecmp(name, "X-Api-Key") == 0)
		at = &c->api_key;
	else if (strcasecmp(name, "Authorization") == 0)
		at = &c->authorization;
	else if (strcasecmp(name, "X-Account-Id") == 0)
		at = &c->account_id;
	else if (strcasecmp(name, "Cookie") == 0 && !c->cookie)
		c->cookie = value;
	if (!at)
		return;
	c->has_duplicates |= *at != NULL;
	*at = value;
}

/* After this the caller is known, so every answer says what is left. */
bool api_take_quota(struct api_request *r)
{
	if (r->caller.is_operator)
		return true;
	int rc = request_limit_take(r->api->limit, r->caller.account->number,
			r->caller.how == AUTH_SESSION ? REQUEST_PAGE : REQUEST_API,
			ch_clock_mono(&r->api->conf.clock), &r->quota);
	bool is_over = rc == 0 && r->quota.is_over;
	if (rc != 0)
		api_out_of_memory(r);
	else if (is_over)
		api_problem(r, 429, "more than %d requests in the account's window", r->quota.limit);
	return rc == 0 && !is_over;
}

/* May a page of this origin have sent it? Browsers say where a request comes from; one that says nothing and
 * has our cookie is none that we know. */
static bool is_same_origin(const struct http_exchange *x)
{
	const char *site = http_header_get(x, "Sec-Fetch-Site");
	const char *origin = http_header_get(x, "Origin");
	const char *host = http_header_get(x, "Host");

	if (site)
		return strcmp(site, "same-origin") == 0;
	const char *authority = origin ? strstr(origin, "://") : NULL;
	return authority && host && strcasecmp(authority + 3, host) == 0;
}

static const char *refusal_of_session(const struct api_request *r)
{
	if ((r->caller.permits & r->route->permit) != r->route->permit)
		return "the link that opened this session does not permit it";
	if (strcmp(r->route->method, "GET") != 0 && !is_same_origin(r->x))
		return "with a session, changes come from the page's own origin only";
	return NULL;
}

/* Why a caller of this kind may not; NULL: it may. */
static const char *refusal_of(const struct api_request *r)
{
	enum auth_how how = r->caller.how;
	const char *why = how == AUTH_SESSION ? refusal_of_session(r) : NULL;

	if (why)
		return why;
	switch (r->route->caller) {
	case ROUTE_OPEN:
	case ROUTE_SIGN_IN:
	case ROUTE_ACCOUNT:
		return NULL;
	case ROUTE_OWNER:
		return how == AUTH_TOKEN ? "this is not for bearer tokens: send an API key" : NULL;
	case ROUTE_MINT:
		if (how == AUTH_SESSION)
			return "a session makes no tokens: send an API key";
		return how == AUTH_TOKEN ? "a bearer token can't make another: send an API key" : NULL;
	case ROUTE_OPERATOR:
		return how == AUTH_OPERATOR ? NULL : "this is for the operator alone";
	}
	CH_UNREACHABLE();
}

static bool check_caller(struct api_request *r)
{
	struct auth_credentials c = {0};
	const char *detail = NULL;

	if (r->route->caller == ROUTE_OPEN || r->route->caller == ROUTE_SIGN_IN)
		return true;
	http_header_each(r->x, note_credential, &c);
	int status = auth_check(&r->api->auth, &c, &r->caller, &detail);
	if (status) {
		api_problem(r, status, "%s", detail);
		return false;
	}
	if (!api_take_quota(r))
		return false;
	const char *refusal = refusal_of(r);
	if (refusal) {
		api_problem(r, 403, "%s", refusal);
		return false;
	}
	if (!scope_allows(r->caller.scopes, r->route->scope)) {
		api_problem(r, 403, "this needs the scope %s", scope_name(r->route->scope));
		return false;
	}
	return true;
}

static bool unsupported(struct api_request *r, const char *wanted)
{
	api_problem(r, 415, "Content-Type must be %s", wanted);
	return false;
}

static bool check_body(struct api_request *r)
{
	const char *type = http_header_get(r->x, "Content-Type");
	enum route_body body = r->route->body;
	size_t len;

	http_body(r->x, &len);
	if (body == ROUTE_NO_BODY || (body == ROUTE_MAYBE_JSON && len == 0))
		return true;
	if (http_header_get(r->x, "Content-Encoding")) {
		api_problem(r, 415, "a body with Content-Encoding is not understood");
		return false;
	}
	if (!http_has_body(r->x)) {
		api_problem(r, 411, "this needs a body, with Content-Length or in chunks");
		return false;
	}
	if (body == ROUTE_NDJSON) {
		if (media_type_is(type, "application/x-ndjson") || media_type_is(type, "application/jsonl"))
			return true;
		return unsupported(r, "application/x-ndjson");
	}
	if (body == ROUTE_MERGE_PATCH && media_type_is(type, "application/merge-patch+json"))
		return true;
	if (media_type_is(type, "application/json"))
		return true;
	return unsupported(
			r, body == ROUTE_MERGE_PATCH ? "application/merge-patch+json" : "application/json");
}

/* Most requests have no query, and none has a parameter that it must have. */
static bool check_query(struct api_request *r)
{
	const char *raw = http_query(r->x);
	const struct rules *rules;
	struct problems problems;

	if (!*raw)
		return true;
	rules = rules_find(r->route->method, r->route->pattern);
	problems_init(&problems);
	int rc = rules ? rules_check_query(rules, raw, &problems) : 0;
	if (rc == CH_ENOMEM)
		api_out_of_memory(r);
	else if (rc != 0)
		api_invalid(r, "the query is not valid", &problems);
	if (rc == CH_ENOMEM)
		problems_fini(&problems);
	return rc == 0;
}

static void not_allowed(struct api_request *r)
{
	struct ch_buf allow;
	struct ch_buf text;

	ch_buf_init(&allow, 256);
	ch_buf_init(&text, 4096);
	route_allow(http_path(r->x), &allow);
	problem_write(&text, 405, "the path has no such method", NULL);
	const struct http_header header = {"Allow", ch_buf_text(&allow)};
	if (allow.err || text.err)
		api_out_of_memory(r);
	else
		api_reply(r, &(struct http_response){.status = 405,
					     .content_type = PROBLEM_CONTENT_TYPE,
					     .text = text.data,
					     .text_len = text.len,
					     .headers = &header,
					     .header_count = 1});
	ch_buf_fini(&allow);
	ch_buf_fini(&text);
}

static void out_of_memory_at_once(struct http_exchange *x)
{
	static const char text[] =
			"{\"type\":\"about:blank\",\"status\":503,\"title\":\"Service Unavailable\"}";
	static const struct http_header retry = {"Retry-After", "1"};

	http_reply(x, &(struct http_response){.status = 503,
				      .content_type = PROBLEM_CONTENT_TYPE,
				      .text = text,
				      .text_len = sizeof(text) - 1,
				      .headers = &retry,
				      .header_count = 1});
}

/* A path that the other door is for is not there behind this one. */
static bool is_behind(const struct api *a, const struct http_exchange *x, bool is_metrics_door)
{
	bool is_metrics = strcmp(http_path(x), "/metrics") == 0;
	return is_metrics_door ? is_metrics : !is_metrics || !a->conf.has_metrics_door;
}

static void handle(struct api *a, struct http_exchange *x, bool is_metrics_door)
{
	struct api_request *r = ch_alloc(sizeof(*r));
	if (!r) {
		out_of_memory_at_once(x);
		return;
	}
	/* Not cleared as a whole: the store's request is the larger part and clears itself when it is used.
	 */
	memset(r, 0, offsetof(struct api_request, store));
	r->state = NULL;
	r->state_fini = NULL;
	r->audit = NULL;
	r->has_no_audit = false;
	r->api = a;
	r->x = x;
	r->began_ms = ch_clock_mono(&a->conf.clock).ms;
	a->busy++;
	struct route_match m = {0};
	if (is_behind(a, x, is_metrics_door))
		m = route_find(http_method(x), http_path(x));
	r->route = m.route;
	r->param = m.param;
	r->param_len = m.param_len;
	if (!m.has_path)
		api_problem(r, 404, "there is nothing at this path");
	else if (!m.route)
		not_allowed(r);
	else if (check_caller(r) && check_body(r) && check_query(r))
		m.route->handle(r);
}

void api_handle(void *api, struct http_exchange *x)
{
	handle(api, x, false);
}

void api_handle_metrics(void *api, struct http_exchange *x)
{
	handle(api, x, true);
}
