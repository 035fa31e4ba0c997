/* tests/contract/dump.h - everything that can be read from a store, as text.
 *
 * Role:      two stores that were asked the same have the same dump: deliveries are named by webhook, call
 *            and version and stand in the order of their ids, which each store makes for itself.
 * Ownership: the text is the caller's, to be given to ch_free.
 */
#ifndef CH_TESTS_DUMP_H
#define CH_TESTS_DUMP_H

#include "contract.h"

/* Of both accounts and the receivers of events, the calls and webhooks with numbers below those. Fails the
 * test when a ledger does not add up. */
char *dump(const struct bed *b, unsigned calls, unsigned webhooks);

#endif
