/* model/account.h - who owns calls and webhooks.
 *
 * Role:      the plain struct. Keys are kept as SHA-256 digests: they are random, 256 bits, so
 *            a slow hash would add nothing.
 */
#ifndef CH_MODEL_ACCOUNT_H
#define CH_MODEL_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/crypto.h"

#define ACCOUNT_ID_MAX 64
#define ACCOUNT_KEYS 2 /* primary, secondary */

struct account {
	int64_t number; /* the store's, >= 1 */
	char id[ACCOUNT_ID_MAX + 1]; /* "default"; letters, digits, - _ . */
	uint8_t key_sha256[ACCOUNT_KEYS][CH_SHA256_BYTES];
	int64_t created_ms;
};

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
