#include "api/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/err.h"

int auth_init(struct auth *a, const struct auth_conf *conf)
{
	const char *operator_token = conf->operator_token;

	*a = (struct auth){.accounts = conf->accounts, .clock = conf->clock, .spent = conf->spent};
	if (operator_token && *operator_token) {
		a->has_operator = true;
		ch_sha256(operator_token, strlen(operator_token), a->operator_sha256);
	}
	return token_key_make(conf->seal_key, a->token_key);
}

void auth_fini(struct auth *a)
{
	ch_wipe(a->token_key, sizeof(a->token_key));
}

void auth_caller_fini(struct auth_caller *c)
{
	accounts_unref(&c->account);
}

/* What follows the scheme; NULL: another scheme. */
static const char *bearer_of(const char *authorization)
{
	if (strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	return authorization + 7 + strspn(authorization + 7, " ");
}

static bool is_operator(const struct auth *a, const char *bearer)
{
	uint8_t digest[CH_SHA256_BYTES];

	if (!a->has_operator)
		return false;
	ch_sha256(bearer, strlen(bearer), digest);
	return ch_ct_equal(digest, sizeof(digest), a->operator_sha256, sizeof(a->operator_sha256));
}

static int refuse(int status, const char *detail, const char **ret_detail)
{
	*ret_detail = detail;
	return status;
}

static const char *const slot_words[ACCOUNT_KEYS] = {"api key primary", "api key secondary"};

static int by_key(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail)
{
	uint8_t digest[CH_SHA256_BYTES];
	int slot = 0;

	ch_sha256(c->api_key, strlen(c->api_key), digest);
	ret->account = accounts_by_digest(a->accounts, digest, &slot);
	if (!ret->account)
		return refuse(401, "the key in X-Api-Key is not valid", ret_detail);
	ret->how = AUTH_KEY;
	memcpy(ret->kid, digest, sizeof(ret->kid));
	snprintf(ret->words, sizeof(ret->words), "%s", slot_words[slot]);
	return 0;
}

/* The key it was made with must be there still, and be this very account's. NULL: it is not. */
const struct account *auth_account_of(const struct auth *a, const struct token *t, const char **ret_words)
{
	const struct account *found;
	int slot = 0;

	if (a->has_operator && ch_ct_equal(t->kid, sizeof(t->kid), a->operator_sha256, sizeof(t->kid))) {
		found = accounts_by_id(a->accounts, t->account);
		*ret_words = "operator";
	} else {
		found = accounts_by_kid(a->accounts, t->kid, &slot);
		*ret_words = slot_words[slot];
	}
	if (found && (strcmp(found->id, t->account) != 0 || found->created_ms != t->account_created_ms))
		accounts_unref(&found);
	return found;
}

static int by_token(const struct auth *a, const char *text, struct auth_caller *ret, const char **ret_detail)
{
	int64_t now_s = ch_clock_wall(&a->clock).ms / 1000;
	const char *words = NULL;
	struct token t;
	int rc = token_read(a->token_key, text, TOKEN_BEARER, now_s, &t);

	if (rc == CH_ENOMEM)
		return refuse(503, "out of memory", ret_detail);
	if (rc == 0)
		ret->account = auth_account_of(a, &t, &words);
	if (!ret->account)
		return refuse(401, "the token in Authorization is not valid, or no more", ret_detail);
	ret->how = AUTH_TOKEN;
	ret->scopes = t.scopes;
	memcpy(ret->kid, t.kid, sizeof(ret->kid));
	snprintf(ret->words, sizeof(ret->words), "token of %s", words);
	return 0;
}

/* Our cookie out of "a=1; b=2". False: it is not there, or longer than any of ours. */
static bool session_in(const char *cookie, char out[TOKEN_TEXT_MAX + 1])
{
	static const char name[] = AUTH_COOKIE "=";
	size_t skip = sizeof(name) - 1;

	while (cookie && *cookie) {
		cookie += strspn(cookie, " ;");
		size_t len = strcspn(cookie, ";");
		if (len >= skip && len - skip <= TOKEN_TEXT_MAX && memcmp(cookie, name, skip) == 0) {
			snprintf(out, TOKEN_TEXT_MAX + 1, "%.*s", (int)(len - skip), cookie + skip);
			return true;
		}
		cookie += len;
	}
	return false;
}

static int by_session(
		const struct auth *a, const char *text, struct auth_caller *ret, const char **ret_detail)
{
	const char *words = NULL;
	struct token t;
	int rc = token_read(a->token_key, text, TOKEN_SESSION, ch_clock_wall(&a->clock).ms / 1000, &t);

	if (rc == CH_ENOMEM)
		return refuse(503, "out of memory", ret_detail);
	if (rc == 0 && !(a->spent && spent_has(a->spent, &t.id)))
		ret->account = auth_account_of(a, &t, &words);
	if (!ret->account)
		return refuse(401, "the session is over", ret_detail);
	ret->how = AUTH_SESSION;
	ret->scopes = t.scopes;
	ret->permits = t.permits;
	ret->session = t.id;
	ret->session_ends_s = t.expires_s;
	memcpy(ret->kid, t.kid, sizeof(ret->kid));
	snprintf(ret->words, sizeof(ret->words), "session of %s",
			strcmp(words, "operator") == 0 ? "portal link" : words);
	return 0;
}

/* The operator names whom it acts for; a key beside its token must be that account's. */
static int by_operator(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail)
{
	if (c->api_key) {
		int status = by_key(a, c, ret, ret_detail);
		if (status != 0)
			return status;
	} else {
		ret->account = accounts_by_id(a->accounts, c->account_id ? c->account_id : ACCOUNT_DEFAULT);
		if (!ret->account)
			return refuse(404, "there is no such account", ret_detail);
	}
	ret->how = AUTH_OPERATOR;
	ret->is_operator = true;
	memcpy(ret->kid, a->operator_sha256, sizeof(ret->kid));
	snprintf(ret->words, sizeof(ret->words), "operator");
	return 0;
}

static int identify(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail)
{
	const char *bearer = c->authorization ? bearer_of(c->authorization) : NULL;

	if (c->authorization && !bearer)
		return refuse(401, "Authorization is not of the form Bearer TOKEN", ret_detail);
	if (bearer && is_operator(a, bearer))
		return by_operator(a, c, ret, ret_detail);
	if (bearer && c->api_key)
		return refuse(401, "X-Api-Key and a token were sent: send one of them", ret_detail);
	return bearer ? by_token(a, bearer, ret, ret_detail) : by_key(a, c, ret, ret_detail);
}

int auth_check(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail)
{
	struct auth_caller caller = {.scopes = SCOPE_ALL, .permits = PERMIT_ALL};
	char session[TOKEN_TEXT_MAX + 1];

	if (c->has_duplicates)
		return refuse(400, "X-Api-Key, Authorization and X-Account-Id may each be sent once only",
				ret_detail);
	bool has_session = !c->api_key && !c->authorization && session_in(c->cookie, session);
	if (!c->api_key && !c->authorization && !has_session)
		return refuse(401, "send an API key as X-Api-Key or a token as Authorization: Bearer",
				ret_detail);
	int status = has_session ? by_session(a, session, &caller, ret_detail)
				 : identify(a, c, &caller, ret_detail);
	if (status == 0 && c->account_id && strcmp(c->account_id, caller.account->id) != 0) {
		auth_caller_fini(&caller);
		return refuse(400, "X-Account-Id names another account than the key's or token's",
				ret_detail);
	}
	if (status == 0)
		*ret = caller;
	return status;
}
