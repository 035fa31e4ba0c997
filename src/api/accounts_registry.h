/* api/accounts_registry.h - the accounts that are there and the keys that open them, as of now.
 *
 * Role:      who a key, the first bytes of its digest (a token's kid) or an id belongs to, without asking the
 *            store. Filled at the start; whoever changes an account in the store changes it here once that
 *            has committed, before answering: an old key stops with the answer that gives the new one.
 * Ownership: a look-up gives a reference, given back by accounts_unref. What it points to stays readable
 *            after the account was removed. Of it only number, id, name and created_ms may be read: they
 *            never change, so that needs no lock; the rest is empty there (accounts_copy has it).
 * Threads:   look-ups, accounts_copy and accounts_unref from any. Changes from one, the loop that the store's
 *            answers come back on: in the order of the commits, which two loops could not keep.
 * Errors:    look-ups give NULL for nobody.
 * Source:    one process owns an SQLite store, so nobody else changes accounts behind our back. With
 *            PostgreSQL other processes will: the changes here then have to follow a LISTEN on the table (and
 *            a reading of all of it after each new connection), and an old key works until the news is in.
 */
#ifndef CH_API_ACCOUNTS_REGISTRY_H
#define CH_API_ACCOUNTS_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/rand.h"
#include "model/account.h"

#define ACCOUNTS_KID_BYTES 8 /* of a key's digest; they tell all keys apart */

struct accounts_registry;

int accounts_create(const struct ch_rand *rand, struct accounts_registry **ret) CH_MUST_USE;
void accounts_destroy(struct accounts_registry **r); /* references may outlive it */

/* ---- looking up; *ret_slot: which key it is, 0 primary, 1 secondary ---- */

const struct account *accounts_by_id(struct accounts_registry *r, const char *id);
const struct account *accounts_by_digest(
		struct accounts_registry *r, const uint8_t digest[CH_SHA256_BYTES], int *ret_slot);
/* NULL as soon as the key is rotated or the account deleted. */
const struct account *accounts_by_kid(
		struct accounts_registry *r, const uint8_t kid[ACCOUNTS_KID_BYTES], int *ret_slot);
/* All of it as it is now. CH_ENOENT: removed meanwhile. */
int accounts_copy(struct accounts_registry *r, const struct account *a, struct account *ret) CH_MUST_USE;

const struct account *accounts_ref(const struct account *a); /* one more reference to what a look-up gave */
void accounts_unref(const struct account **a); /* nulls *a; *a may be NULL */

/* ---- changing ---- */

/* An account that no look-up finds yet, as one reference. Made before the store is asked, so that nothing can
 * fail after the commit. */
int accounts_prepare(const struct account *a, const struct account **ret) CH_MUST_USE;
/* From now on it is found. number: the store's. The reference stays the caller's. CH_EEXIST: the id is there,
 * or a key of another account, or both its keys are one; nothing has changed then. */
int accounts_add(struct accounts_registry *r, const struct account *prepared, int64_t number) CH_MUST_USE;
/* These do nothing to one that was removed. */
void accounts_set_key(struct accounts_registry *r, const struct account *a, int slot,
		const uint8_t digest[CH_SHA256_BYTES], int64_t now_ms);
void accounts_remove(struct accounts_registry *r, const struct account *a);

#endif
