#include "api/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/list.h"

#define DEFAULT_ACCOUNT "default"

static bool is_unset(const uint8_t digest[CH_SHA256_BYTES])
{
	static const uint8_t none[CH_SHA256_BYTES];
	return memcmp(digest, none, CH_SHA256_BYTES) == 0;
}

static int add_keys(
		struct auth *a, const struct account *account, struct auth_entry *entries, struct ch_err *err)
{
	for (int k = 0; k < ACCOUNT_KEYS; k++) {
		const uint8_t *digest = account->key_sha256[k];
		if (is_unset(digest))
			continue;
		entries[k].account = account;
		entries[k].key = k;
		int rc = ch_map_insert(&a->keys, &entries[k].node, digest, CH_SHA256_BYTES);
		if (rc == CH_EEXIST)
			return ch_err_set(err, rc, "a key of account %s belongs to another one too",
					account->id);
		if (rc)
			return ch_err_set(err, rc, "out of memory");
	}
	return 0;
}

int auth_init(struct auth *a, const struct account *accounts, size_t count, const char *operator_token,
		const struct ch_rand *rand, struct ch_err *err)
{
	int rc = 0;

	*a = (struct auth){.accounts = accounts, .account_count = count};
	ch_map_init(&a->keys, rand);
	if (operator_token && *operator_token) {
		a->has_operator = true;
		ch_sha256(operator_token, strlen(operator_token), a->operator_sha256);
	}
	a->entries = ch_calloc(count ? count * ACCOUNT_KEYS : 1, sizeof(*a->entries));
	if (!a->entries)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add_keys(a, &accounts[i], &a->entries[i * ACCOUNT_KEYS], err);
	if (rc)
		auth_fini(a);
	return rc;
}

void auth_fini(struct auth *a)
{
	ch_map_fini(&a->keys);
	ch_free(a->entries);
	a->entries = NULL;
}

static const struct auth_entry *entry_of_key(const struct auth *a, const char *key)
{
	uint8_t digest[CH_SHA256_BYTES];
	ch_sha256(key, strlen(key), digest);
	struct ch_map_node *n = ch_map_get(&a->keys, digest, sizeof(digest));
	return n ? CH_CONTAINER_OF(n, struct auth_entry, node) : NULL;
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

static const struct account *account_by_id(const struct auth *a, const char *id)
{
	for (size_t i = 0; i < a->account_count; i++)
		if (strcmp(a->accounts[i].id, id) == 0)
			return &a->accounts[i];
	return NULL;
}

static int refuse(int status, const char *detail, const char **ret_detail)
{
	*ret_detail = detail;
	return status;
}

int auth_check(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail)
{
	const struct auth_entry *entry = NULL;
	const struct account *by_key = NULL;
	const struct account *account = NULL;

	if (c->has_duplicates)
		return refuse(400, "X-Api-Key, Authorization and X-Account-Id may each be sent once only",
				ret_detail);
	if (!c->api_key && !c->authorization)
		return refuse(401, "send an API key as X-Api-Key or a token as Authorization: Bearer",
				ret_detail);
	if (c->authorization && !is_operator(a, c->authorization))
		return refuse(401, "the token in Authorization is not valid", ret_detail);
	if (c->api_key) {
		entry = entry_of_key(a, c->api_key);
		if (!entry)
			return refuse(401, "the key in X-Api-Key is not valid", ret_detail);
		by_key = entry->account;
	}
	account = by_key;
	if (c->account_id || !by_key) {
		account = account_by_id(a, c->account_id ? c->account_id : DEFAULT_ACCOUNT);
		if (by_key && account != by_key)
			return refuse(400, "X-Account-Id names another account than the key's", ret_detail);
		if (!account)
			return refuse(404, "there is no such account", ret_detail);
	}
	*ret = (struct auth_caller){
			.account = account, .scopes = SCOPE_ALL, .is_operator = c->authorization != NULL};
	snprintf(ret->words, sizeof(ret->words), "%s",
			ret->is_operator      ? "operator"
			: entry && entry->key ? "api key secondary"
					      : "api key primary");
	return 0;
}
