/* cli/boot.h - what serve does before it serves: first account, encryption key, events.
 *
 * Role:      steps that ask the store and wait, on the main thread, before any loop runs.
 * Errors:    words name the file or the option that is wrong.
 */
#ifndef CH_CLI_BOOT_H
#define CH_CLI_BOOT_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/rand.h"
#include "model/account.h"
#include "store/client.h"

struct boot_accounts {
	struct account *accounts; /* owned */
	size_t count;
};

/* All accounts. On an empty store makes "default" first and prints its keys to standard output before it is
 * committed: keys that nobody saw would be lost. preset_key: its primary key, or NULL; says so on standard
 * error when the store has accounts already and it is none of their keys. */
int boot_accounts(struct store_client *store, struct ch_port *port, struct ch_clock clock,
		const struct ch_rand *rand, const char *preset_key, struct boot_accounts *ret,
		struct ch_err *err) CH_MUST_USE;
void boot_accounts_fini(struct boot_accounts *a);

/* What was spent, for the api: owned by the caller, ch_free. */
int boot_spent(struct store_client *store, struct ch_port *port, struct store_spent **ret, size_t *ret_count,
		struct ch_err *err) CH_MUST_USE;

/* The key that encrypts webhooks' secrets: 64 hex digits in a file. When the file is not there it is made,
 * readable by its owner only - unless the store already holds secrets, which a new key could not open. Every
 * secret in the store must open with it: CH_ECRYPT otherwise. path NULL: a key for this run alone. */
int boot_key(struct store_client *store, struct ch_port *port, const struct ch_rand *rand, const char *path,
		uint8_t ret[CH_SEAL_KEY_BYTES], struct ch_err *err) CH_MUST_USE;

/* Where the operator's events go: makes, changes or deletes the webhook that is theirs. One that its receiver
 * had switched off is on again. */
struct boot_events {
	const char *url; /* normalised; NULL: nowhere */
	const struct ch_secret *secret; /* not looked at without a URL */
	const uint8_t *seal_key;
};
int boot_events(struct store_client *store, struct ch_port *port, struct ch_clock clock,
		const struct ch_rand *rand, const struct boot_events *wanted, struct ch_err *err) CH_MUST_USE;

#endif
