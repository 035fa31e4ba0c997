/* delivery/resolver.h - names to addresses, without blocking, on the loop.
 *
 * Role:      c-ares on libevent with a small cache: an answer is kept for its TTL, at least 1 s and at
 *            most 60 s; failures are not kept. Looks at /etc/hosts as the system does, but knows no
 *            search domain. Two look-ups of one name at a time share one question. One silent name server
 *            delays only the names it serves. A and AAAA are asked for together, and the answer waits
 *            for both; when that takes over 300 ms, A is asked for by itself and its answer goes, so
 *            that a server which drops AAAA does not hold its names up. What comes late is kept for the
 *            next look-up. A changed /etc/resolv.conf is read again, without a restart.
 * Ownership: a query belongs to the asker (embedded struct) until its callback ran or it was canceled.
 * Threads:   the loop's.
 * Source:    RFC 8305, section 3; its 50 ms suit people who wait for a page, not a name server far away.
 */
#ifndef CH_DELIVERY_RESOLVER_H
#define CH_DELIVERY_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "model/address.h"

struct event_base;
struct resolver;

#define RESOLVER_ADDRESSES_MAX 16

struct resolver_answer {
	struct address addresses[RESOLVER_ADDRESSES_MAX]; /* in the order to try (RFC 6724) */
	size_t count; /* 0: failed, words says why */
	const char *words; /* a constant: "no such name", "no answer from the name server", …; NULL when count
			      > 0 */
	bool is_local_fault; /* no descriptor, no memory */
};

struct resolver_query {
	struct ch_list link; /* the resolver's */
	void (*done)(struct resolver_query *q,
			const struct resolver_answer *answer); /* answer: borrowed for the call */
	void *ctx;
};

struct resolver_conf {
	struct event_base *base;
	struct ch_clock clock;
	const char *const *servers; /* "127.0.0.1:5353", NULL-terminated; NULL: those of resolv_conf */
	const char *resolv_conf; /* kept; NULL: /etc/resolv.conf */
	uint16_t port; /* of the name servers in resolv_conf; 0: 53 */
	int timeout_ms; /* per try; 2000 */
	int tries; /* 3 */
};

int resolver_create(const struct resolver_conf *conf, struct resolver **ret, struct ch_err *err) CH_MUST_USE;
void resolver_destroy(struct resolver **r); /* no query may be under way */

/* host: a name, no literal. done may run before this returns when the answer is in the cache. */
void resolver_ask(struct resolver *r, const char *host, struct resolver_query *q);
void resolver_cancel(struct resolver *r, struct resolver_query *q); /* done will not run; unlinked: nothing */

#endif
