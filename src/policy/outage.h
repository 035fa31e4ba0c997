/* policy/outage.h - is it they who are down, or are we?
 *
 * Role:      remembers how attempts at different hosts went lately and says when our own line or
 *            name server must be the cause: at least 5 hosts within 30 s, 9 of 10 of them not even
 *            reached, and not one answer. Pure: time comes in, nothing goes out.
 * Units:     monotonic ms; host is a hash of the host name.
 * Ownership: the caller owns the struct; nothing to free. Bounded: OUTAGE_HOSTS hosts, the oldest goes.
 * Errors:    none.
 */
#ifndef CH_POLICY_OUTAGE_H
#define CH_POLICY_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/delivery.h"

#define OUTAGE_HOSTS 64
#define OUTAGE_HOSTS_MIN 5
#define OUTAGE_WINDOW_MS ((int64_t)30 * 1000)

enum outage_sign {
	OUTAGE_UNREACHED, /* the name was not found, or no connection was made */
	OUTAGE_ANSWERED, /* any status at all: the line works */
	OUTAGE_OTHER /* connected, then no answer: says nothing about the line; nor does what is ours */
};

struct outage {
	struct outage_host {
		uint64_t host;
		int64_t at_mono_ms;
		enum outage_sign sign; /* of its latest attempt */
		bool is_used;
	} hosts[OUTAGE_HOSTS];
	int64_t answered_mono_ms; /* the latest answer of all; INT64_MIN: none yet */
};

void outage_init(struct outage *o);
/* An attempt that timed out before it was connected counts as unreached. On a kept connection nothing
 * connects: then the address is known; through a proxy it is not, and a receiver that hangs there looks
 * unreached. */
enum outage_sign outage_sign_of(const struct attempt *a);
void outage_note(struct outage *o, uint64_t host, enum outage_sign sign, int64_t now_mono_ms);
/* A sign counts until it is OUTAGE_WINDOW_MS old. */
bool outage_is_ours(const struct outage *o, int64_t now_mono_ms);

#endif
