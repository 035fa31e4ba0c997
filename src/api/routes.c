#include "api/routes.h"

#include <string.h>

#include "api/handlers.h"

/* clang-format off */
const struct route api_routes[] = {
	{"PUT", "/v1/calls/{id}", ROUTE_ACCOUNT, SCOPE_CALLS_WRITE, ROUTE_JSON, ROUTE_LIMIT_CALL, PERMIT_NONE, calls_put},
	{"GET", "/v1/calls/{id}", ROUTE_ACCOUNT, SCOPE_CALLS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, calls_get},
	{"DELETE", "/v1/calls/{id}", ROUTE_ACCOUNT, SCOPE_CALLS_WRITE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_ERASE, calls_delete},
	{"GET", "/v1/calls", ROUTE_ACCOUNT, SCOPE_CALLS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, calls_list},
	{"GET", "/v1/agents", ROUTE_ACCOUNT, SCOPE_CALLS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, agents_list},
	{"PUT", "/v1/agents/{id}", ROUTE_ACCOUNT, SCOPE_CALLS_WRITE, ROUTE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, agents_put},
	{"GET", "/v1/calls/feed", ROUTE_ACCOUNT, SCOPE_CALLS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, calls_feed},
	{"POST", "/v1/calls/import", ROUTE_ACCOUNT, SCOPE_CALLS_WRITE, ROUTE_NDJSON, ROUTE_LIMIT_IMPORT, PERMIT_NONE, import_post},
	{"GET", "/v1/webhooks", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, webhooks_list},
	{"POST", "/v1/webhooks", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, webhooks_post},
	{"POST", "/v1/webhooks/check", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, webhooks_check},
	{"GET", "/v1/webhooks/{id}", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, webhooks_get},
	{"PATCH", "/v1/webhooks/{id}", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MERGE_PATCH, ROUTE_LIMIT_SMALL, PERMIT_NONE, webhooks_patch},
	{"DELETE", "/v1/webhooks/{id}", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, webhooks_delete},
	{"POST", "/v1/webhooks/{id}/enable", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, webhooks_enable},
	{"POST", "/v1/webhooks/{id}/disable", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, webhooks_disable},
	{"POST", "/v1/webhooks/{id}/test", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, webhooks_test},
	{"POST", "/v1/webhooks/{id}/secret", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, secrets_post},
	{"DELETE", "/v1/webhooks/{id}/secret", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_ROTATE, secrets_delete},
	{"POST", "/v1/webhooks/{id}/secret/rotate", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_ROTATE, secrets_rotate},
	{"POST", "/v1/webhooks/{id}/secret/rotate/finish", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_ROTATE, secrets_rotate_finish},
	{"POST", "/v1/webhooks/{id}/secret/rotate/cancel", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_ROTATE, secrets_rotate_cancel},
	{"POST", "/v1/webhooks/{id}/secret/reveal", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_REVEAL, secrets_reveal},
	{"POST", "/v1/webhooks/{id}/replay", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, replays_post},
	{"GET", "/v1/replays", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, replays_list},
	{"GET", "/v1/replays/{id}", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, replays_get},
	{"DELETE", "/v1/replays/{id}", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, replays_delete},
	{"GET", "/v1/deliveries", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, deliveries_list},
	{"GET", "/v1/deliveries/stream", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, deliveries_stream},
	{"GET", "/v1/deliveries/{id}", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, deliveries_get},
	{"GET", "/v1/deliveries/{id}/body", ROUTE_ACCOUNT, SCOPE_CALLS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, deliveries_body},
	{"POST", "/v1/deliveries/{id}/resend", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, deliveries_resend},
	{"GET", "/v1/stats", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, stats_get},
	{"GET", "/v1/audit", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_READ, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, audit_list},
	{"POST", "/v1/integrations/hooks", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, hooks_post},
	{"DELETE", "/v1/integrations/hooks/{id}", ROUTE_ACCOUNT, SCOPE_INTEGRATIONS_WRITE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, webhooks_delete},
	{"POST", "/v1/auth/token", ROUTE_MINT, SCOPE_NONE, ROUTE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, tokens_post},
	{"GET", "/v1/account", ROUTE_OWNER, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, account_get},
	{"PATCH", "/v1/account", ROUTE_OWNER, SCOPE_INTEGRATIONS_WRITE, ROUTE_MERGE_PATCH, ROUTE_LIMIT_SMALL, PERMIT_NONE, account_patch},
	{"POST", "/v1/account/keys/{slot}/rotate", ROUTE_OWNER, SCOPE_INTEGRATIONS_WRITE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_KEYS, account_rotate},
	{"POST", "/v1/session", ROUTE_SIGN_IN, SCOPE_NONE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, sessions_post},
	{"DELETE", "/v1/session", ROUTE_OWNER, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, sessions_delete},
	{"GET", "/v1/accounts", ROUTE_OPERATOR, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, accounts_list},
	{"POST", "/v1/accounts", ROUTE_OPERATOR, SCOPE_NONE, ROUTE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, accounts_post},
	{"POST", "/v1/accounts/{id}/portal-link", ROUTE_OPERATOR, SCOPE_NONE, ROUTE_MAYBE_JSON, ROUTE_LIMIT_SMALL, PERMIT_NONE, portal_link_post},
	{"DELETE", "/v1/accounts/{id}", ROUTE_OPERATOR, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, accounts_delete},
	{"GET", "/openapi.json", ROUTE_OPEN, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, openapi_get},
	{"GET", "/docs", ROUTE_OPEN, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, docs_get},
	{"GET", "/", ROUTE_OPEN, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, page_get},
	{"GET", "/assets/{name}", ROUTE_OPEN, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, page_asset_get},
	{"GET", "/healthz", ROUTE_OPEN, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, operations_health},
	{"GET", "/readyz", ROUTE_OPEN, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, operations_ready},
	{"GET", "/metrics", ROUTE_OPEN, SCOPE_NONE, ROUTE_NO_BODY, ROUTE_LIMIT_NONE, PERMIT_NONE, operations_metrics},
};
/* clang-format on */

const size_t api_route_count = sizeof(api_routes) / sizeof(api_routes[0]);

/* Does path have this pattern? param: where the segment for the braces lies. */
static bool matches(const char *pattern, const char *path, struct route_match *m)
{
	m->param = NULL;
	m->param_len = 0;
	while (*pattern) {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		pattern += strcspn(pattern, "}") + 1;
		m->param = path;
		m->param_len = strcspn(path, "/");
		if (m->param_len == 0)
			return false;
		path += m->param_len;
	}
	return *path == '\0';
}

/* The pattern that this path goes by; NULL: none. */
static const char *find_pattern(const char *path, struct route_match *m)
{
	const char *found = NULL;
	for (size_t i = 0; i < api_route_count; i++) {
		struct route_match one = {0};
		if (!matches(api_routes[i].pattern, path, &one))
			continue;
		if (found && one.param)
			continue;
		found = api_routes[i].pattern;
		m->param = one.param;
		m->param_len = one.param_len;
		if (!one.param)
			break;
	}
	return found;
}

struct route_match route_find(const char *method, const char *path)
{
	struct route_match m = {0};
	const char *pattern = find_pattern(path, &m);

	m.has_path = pattern != NULL;
	for (size_t i = 0; pattern && i < api_route_count; i++)
		if (strcmp(api_routes[i].pattern, pattern) == 0 && strcmp(api_routes[i].method, method) == 0)
			m.route = &api_routes[i];
	return m;
}

void route_allow(const char *path, struct ch_buf *out)
{
	struct route_match m = {0};
	const char *pattern = find_pattern(path, &m);

	for (size_t i = 0; pattern && i < api_route_count; i++) {
		if (strcmp(api_routes[i].pattern, pattern) != 0)
			continue;
		ch_buf_addf(out, "%s%s", out->len ? ", " : "", api_routes[i].method);
		if (strcmp(api_routes[i].method, "GET") == 0)
			ch_buf_adds(out, ", HEAD");
	}
}
