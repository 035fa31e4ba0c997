#include "api/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"

void auth_init(struct auth *a, struct accounts_registry *accounts, const char *operator_token)
{
	*a = (struct auth){.accounts = accounts};
	if (operator_token && *operator_token) {
		a->has_operator = true;
		ch_sha256(operator_token, strlen(operator_token), a->operator_sha256);
	}
}

void auth_caller_fini(struct auth_caller *c)
{
	accounts_unref(&c->account);
}

static const struct account *account_of_key(const struct auth *a, const char *key, int *ret_slot)
{
	uint8_t digest[CH_SHA256_BYTES];

	ch_sha256(key, strlen(key), digest);
	return accounts_by_digest(a->accounts, digest, ret_slot);
}

static bool is_operator(const struct auth *a, const char *authorization)
{
	uint8_t digest[CH_SHA256_BYTES];
	if (!a->has_operator || strncasecmp(authorization, "Bearer ", 7) != 0)
		return false;
	const char *token = authorization + 7 + strspn(authorization + 7, " ");
	ch_sha256(token, strlen(token), digest);
	return ch_ct_equal(digest, sizeof(digest), a->operator_sha256, sizeof(a->operator_sha256));
}

static int refuse(int status, const char *detail, const char **ret_detail)
{
	*ret_detail = detail;
	return status;
}

/* With a key: it is whose account this is. The operator's is named, or the default one. */
static int find_account(const struct auth *a, const struct auth_credentials *c, const struct account **ret,
		int *ret_slot, const char **ret_detail)
{
	const struct account *found = NULL;

	if (!c->api_key) {
		found = accounts_by_id(a->accounts, c->account_id ? c->account_id : ACCOUNT_DEFAULT);
		if (!found)
			return refuse(404, "there is no such account", ret_detail);
	} else {
		found = account_of_key(a, c->api_key, ret_slot);
		if (!found)
			return refuse(401, "the key in X-Api-Key is not valid", ret_detail);
		if (c->account_id && strcmp(c->account_id, found->id) != 0) {
			accounts_unref(&found);
			return refuse(400, "X-Account-Id names another account than the key's", ret_detail);
		}
	}
	*ret = found;
	return 0;
}

int auth_check(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail)
{
	const struct account *account = NULL;
	int slot = 0;

	if (c->has_duplicates)
		return refuse(400, "X-Api-Key, Authorization and X-Account-Id may each be sent once only",
				ret_detail);
	if (!c->api_key && !c->authorization)
		return refuse(401, "send an API key as X-Api-Key or a token as Authorization: Bearer",
				ret_detail);
	if (c->authorization && !is_operator(a, c->authorization))
		return refuse(401, "the token in Authorization is not valid", ret_detail);
	int status = find_account(a, c, &account, &slot, ret_detail);
	if (status != 0)
		return status;
	*ret = (struct auth_caller){
			.account = account, .scopes = SCOPE_ALL, .is_operator = c->authorization != NULL};
	snprintf(ret->words, sizeof(ret->words), "%s",
			ret->is_operator ? "operator"
			: slot           ? "api key secondary"
					 : "api key primary");
	return 0;
}
