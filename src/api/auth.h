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
#include "api/spent.h"
#include "api/token.h"
#include "base/attr.h"
#include "base/err.h"
#include "model/account.h"
#include "policy/scope.h"

#define AUTH_CHALLENGE "ApiKey realm=\"callhook\", Bearer realm=\"callhook\""

#define AUTH_COOKIE "callhook_session"

enum auth_how { AUTH_KEY, AUTH_TOKEN, AUTH_SESSION, AUTH_OPERATOR };

struct auth_conf {
	struct accounts_registry *accounts;
	struct ch_clock clock;
	const char *operator_token; /* NULL or "": none */
	const uint8_t *seal_key; /* CH_SEAL_KEY_BYTES of it; what signs tokens is made from it */
	const struct spent *spent; /* borrowed; sessions that were ended */
};

struct auth {
	struct accounts_registry *accounts;
	struct ch_clock clock;
	const struct spent *spent;
	uint8_t token_key[TOKEN_KEY_BYTES];
	bool has_operator;
	uint8_t operator_sha256[CH_SHA256_BYTES];
};

struct auth_credentials {
	const char *api_key; /* X-Api-Key; NULL: not sent */
	const char *authorization; /* Authorization */
	const char *account_id; /* X-Account-Id */
	const char *cookie; /* Cookie; looked at when neither of the first two is there */
	bool has_duplicates; /* one of the three came more than once */
};

struct auth_caller {
	const struct account *account; /* of the registry, counted */
	enum auth_how how;
	scope_set scopes;
	permit_set permits;
	bool is_operator; /* AUTH_OPERATOR */
	uint8_t kid[TOKEN_KID_BYTES]; /* of the key, or the operator's token, that this goes back to */
	struct id session; /* AUTH_SESSION */
	int64_t session_ends_s;
	char words[64]; /* who it is, for the audit log: "api key primary", "token of api key primary" */
};

int auth_init(struct auth *a, const struct auth_conf *conf) CH_MUST_USE; /* CH_ENOMEM */
void auth_fini(struct auth *a); /* all zero too */

/* 0, or the HTTP status of the refusal with its words in *ret_detail: 400 contradictory or repeated, 401, 404
 * the operator names an account that is not there, 503 no memory. A token ends with the key it was made with:
 * the operator's, too. */
int auth_check(const struct auth *a, const struct auth_credentials *c, struct auth_caller *ret,
		const char **ret_detail) CH_MUST_USE;
/* The account that a token is for, counted, if it and the key behind the token are still there; NULL: they
 * are not. *ret_words: whose key. */
const struct account *auth_account_of(const struct auth *a, const struct token *t, const char **ret_words);
void auth_caller_fini(struct auth_caller *c); /* of a check that gave 0, or all zero */

#endif
