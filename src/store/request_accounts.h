/* store/request_accounts.h - what can be asked of a store about accounts, the audit log, and what was used
 * up.
 *
 * Role:      a part of store/request.h, which alone includes it.
 * Ownership: as there.
 * Units:     *_ms are wall ms since the epoch.
 * Errors:    as there.
 */
#ifndef CH_STORE_REQUEST_ACCOUNTS_H
#define CH_STORE_REQUEST_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "model/account.h"
#include "model/id.h"

#define STORE_AUDIT_INSTALLATION 0 /* the log of what concerns no account, or one that may be gone */

/* Who did what. Written with the request that it hangs on, in the same transaction, and only if that
 * succeeds. */
struct store_audit {
	int64_t number; /* the store's; greater is later */
	int64_t account; /* whose log it stands in; STORE_AUDIT_INSTALLATION */
	int64_t at_ms;
	char actor[80]; /* "api key primary", "operator" */
	char address[64]; /* where it came from; "": not known */
	char action[40]; /* "webhook.update" */
	char target_kind[24]; /* "webhook" */
	char target_id[ACCOUNT_ID_MAX + 1]; /* "": the account as a whole */
	char *detail; /* a JSON object: what changed, never a secret; NULL: nothing to say */
};

/* STORE_AUDIT_ADD: an act without another write; it has no input but r->audit.
 * STORE_AUDIT_LIST: newest first. */
struct store_audit_list {
	struct {
		int64_t account;
		int64_t before; /* number, exclusive; 0: from the newest on */
		size_t limit; /* 1..100 */
	} in;
	struct {
		struct store_audit *rows;
		size_t count;
		bool more;
	} out;
};

/* STORE_ACCOUNT_CREATE: CH_EEXIST when the id is taken, be it by one whose rows are still being removed. */
struct store_account_create {
	struct {
		struct account account; /* number is ignored */
	} in;
	struct {
		int64_t number;
	} out;
};

/* STORE_ACCOUNT_UPDATE: sets what has_… names. CH_ENOENT: gone. */
struct store_account_update {
	struct {
		int64_t number;
		int64_t now_ms; /* becomes the moment of a key's rotation */
		bool has_key[ACCOUNT_KEYS];
		uint8_t key_sha256[ACCOUNT_KEYS][CH_SHA256_BYTES];
	} in;
};

/* STORE_ACCOUNT_DELETE: unsets the keys and deletes the webhooks, that of its events too, all at once; the
 * sweeps that follow cancel their deliveries, and when these are done remove what is stored of the account
 * (STORE_ACCOUNT_SWEEP). Until then its id stays taken. Calls and webhooks that still come for it are
 * CH_ENOENT. CH_ENOENT: gone. */
struct store_account_delete {
	struct {
		int64_t number;
		int64_t now_ms;
	} in;
	struct {
		struct id *webhooks; /* that it had */
		size_t webhook_count;
	} out;
};

/* STORE_ACCOUNT_SWEEP: removes some `limit` rows of a deleted account: deliveries with their attempts, calls,
 * its log; at last its id. What the ledger counts stays counted. Does nothing while a webhook of it has
 * deliveries to cancel. The client submits these by itself; nobody else needs to. */
struct store_account_sweep {
	struct {
		int64_t number;
		size_t limit;
	} in;
	struct {
		size_t removed;
		bool more;
	} out;
};

/* STORE_SPEND: from now until until_ms this id is spent - a portal link that was opened, a session that was
 * ended. CH_EEXIST: it is already. Forgets those whose time is over. */
struct store_spend {
	struct {
		struct id id;
		int64_t now_ms, until_ms;
	} in;
};

/* STORE_SPENT_LIST: all that are not forgotten yet. */
struct store_spent {
	struct id id;
	int64_t until_ms;
};

struct store_spent_list {
	struct {
		struct store_spent *rows;
		size_t count;
	} out;
};

struct store_account_list {
	struct {
		struct account *accounts; /* by number; without deleted ones */
		size_t count;
	} out;
};

struct store_request;

void store_audit_destroy(struct store_audit **a);
void store_audit_fini(struct store_audit *a);
int store_audit_copy(const struct store_audit *from, struct store_audit *ret) CH_MUST_USE;
/* The parts of store_request_clear_out and of store_request_fini that belong to these kinds; false: it is
 * none of them. */
bool store_accounts_clear_out(struct store_request *r);
bool store_accounts_free_in(struct store_request *r);

#endif
