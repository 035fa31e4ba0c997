/* api/auth.h - who is calling.
 *
 * Role:      from the headers of a request to an account and what may be done for it.
 * Ownership: the registry is borrowed and must outlive it; a caller holds a reference to its account.
 * Threads:   checks from any; the rest from one.
 */
#ifndef CH_API_AUTH_H
#define CH_API_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/accounts_registry.h"
#include "base/attr.h"
#include "base/err.h"
#include "model/account.h"
#include "policy/scope.h"

#define AUTH_CHALLENGE "ApiKey realm=\"callhook\", Bearer realm=\"callhook\""

struct auth {
	struct accounts_registry *accounts;
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
	const struct account *account; /* of the registry, counted */
	scope_set scopes;
	bool is_operator;
	char words[64]; /* who it is, for the audit log: "api key primary", "operator" */
};

void auth_init(struct auth *a, struct accounts_registry *accounts,
		const char *operator_token); /* NULL or "": none */

/* 0, or the HTTP status of the refusal with its words in *ret_detail: 400 contradictory or repeated, 401, 404
 * the operator names an account that is not there. */
int auth_check(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail) CH_MUST_USE;
void auth_caller_fini(struct auth_caller *c); /* of a check that gave 0, or all zero */

#endif
