/* model/account.h - who owns calls and webhooks.
 *
 * Role:      the plain struct. Keys are kept as SHA-256 digests: they are random, 256 bits, so
 *            a slow hash would add nothing.
 * Ownership: a struct account points to nothing.
 */
#ifndef CH_MODEL_ACCOUNT_H
#define CH_MODEL_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/crypto.h"
#include "base/rand.h"

#define ACCOUNT_ID_MAX 64
#define ACCOUNT_NAME_MAX 200 /* bytes */
#define ACCOUNT_KEYS 2 /* primary, secondary */
#define ACCOUNT_KEY_TEXT_LEN 68 /* of an API key that was made here */
#define ACCOUNT_DEFAULT "default" /* the one that is always there */

struct account {
	int64_t number; /* the store's, >= 1 */
	char id[ACCOUNT_ID_MAX + 1]; /* "default"; letters, digits, - _ . */
	uint8_t key_sha256[ACCOUNT_KEYS][CH_SHA256_BYTES]; /* all zero: not set */
	int64_t created_ms;
	int64_t key_rotated_ms[ACCOUNT_KEYS]; /* 0: the key is the first */
	char name[ACCOUNT_NAME_MAX + 1]; /* UTF-8; "": none */
};

bool account_key_is_set(const struct account *a, int key);
/* A new API key: 256 random bits behind a prefix by which leaks are found. Wipe it. */
void account_key_make(const struct ch_rand *rand, char out[ACCOUNT_KEY_TEXT_LEN + 1]);

/* 1..ACCOUNT_ID_MAX letters, digits, - _ and . but not "." or ".."; CH_EINVAL otherwise. */
int account_id_check(const char *text, size_t len) CH_MUST_USE;

/* The ledger of one account: accepted = pending + delivered + failed + parked + canceled. */
struct ledger {
	int64_t accepted;
	int64_t pending;
	int64_t delivered;
	int64_t failed;
	int64_t parked;
	int64_t canceled;
};

#endif
