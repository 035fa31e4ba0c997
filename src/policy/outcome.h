/* policy/outcome.h - what an attempt's result means, for the delivery and for its endpoint.
 *
 * Role:      the one table of the spec's section 7 as a pure function.
 * Units:     seconds and ms as named.
 * Errors:    none - bad arguments are bugs and abort through CH_ASSERT.
 */
#ifndef CH_POLICY_OUTCOME_H
#define CH_POLICY_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/delivery.h"

enum outcome_delivery {
	OUTCOME_DELIVERED, /* done */
	OUTCOME_RETRY, /* a try is used up; the schedule says when the next is */
	OUTCOME_PARK, /* 410: parked with the whole webhook */
	OUTCOME_AGAIN /* our own fault: pending, no try counted */
};

enum outcome_endpoint {
	OUTCOME_HEALTHY, /* it answers */
	OUTCOME_FAILURE, /* counts against it */
	OUTCOME_SUSPENDED, /* it asked us to wait */
	OUTCOME_GONE, /* 410: switch it off */
	OUTCOME_UNTOUCHED /* our own fault: says nothing about it */
};

struct outcome {
	enum outcome_delivery delivery;
	enum outcome_endpoint endpoint;
	int64_t suspend_s; /* OUTCOME_SUSPENDED: 1..86400; 0 otherwise */
};

/* suspensions: how many 429 without Retry-After came in a row before this one (for 30 s doubling, to a
 * day). Reads outcome, status and retry_after_s of the attempt. */
struct outcome outcome_of(const struct attempt *a, int suspensions);

#define RETRY_AFTER_MIN_S 1
#define RETRY_AFTER_MAX_S 86400

/* Retry-After (RFC 9110 10.2.3): seconds or an HTTP date; a date is read against the answer's own Date
 * (date, NULL when it had none or a bad one: then against now_s). The result is clamped to
 * 1..86400; -1 when the value is neither. value and date are header values without outer spaces. */
int64_t retry_after_parse(const char *value, size_t len, const char *date, size_t date_len, int64_t now_s);

#endif
