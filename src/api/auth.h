/* api/auth.h - who is calling.
 *
 * Role:      from the headers of a request to an account and what may be done for it.
 * Ownership: an index borrows the accounts; they must outlive it.
 * Threads:   one.
 */
#ifndef CH_API_AUTH_H
#define CH_API_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/map.h"
#include "base/rand.h"
#include "model/account.h"
#include "policy/scope.h"

#define AUTH_CHALLENGE "ApiKey realm=\"callhook\", Bearer realm=\"callhook\""

/* A key's digest on the way to its account. Looking it up by a table and not one by one gives nothing away:
 * what the time could tell is about a SHA-256, which nobody can steer by choosing keys. */
struct auth_entry {
	struct ch_map_node node;
	const struct account *account;
	int key; /* which of its keys: 0 primary, 1 secondary */
};

struct auth {
	struct ch_map keys;
	struct auth_entry *entries;
	const struct account *accounts;
	size_t account_count;
	bool has_operator;
	uint8_t operator_sha256[CH_SHA256_BYTES];
};

struct auth_credentials {
	const char *api_key; /* X-Api-Key; NULL: not sent */
	const char *authorization; /* Authorization */
	const char *account_id; /* X-Account-Id */
	bool has_duplicates; /* one of the three came more than once */
};

struct auth_caller {
	const struct account *account;
	scope_set scopes;
	bool is_operator;
	char words[64]; /* who it is, for the audit log: "api key primary", "operator" */
};

/* operator_token: NULL for none. CH_EEXIST: two accounts have one key. */
int auth_init(struct auth *a, const struct account *accounts, size_t count, const char *operator_token,
		const struct ch_rand *rand, struct ch_err *err) CH_MUST_USE;
void auth_fini(struct auth *a);

/* 0, or the HTTP status of the refusal with its words in *ret_detail: 400 contradictory or repeated, 401, 404
 * the operator names an account that is not there. */
int auth_check(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail) CH_MUST_USE;

#endif
