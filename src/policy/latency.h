/* policy/latency.h - how long attempts took, as a histogram from which percentiles are read.
 *
 * Role:      pure arithmetic: add, merge, ask for a percentile, pack for the store and unpack.
 * Units:     microseconds, 0 to INT32_MAX (35 minutes).
 * Ownership: plain data.
 * Errors:    bad arguments are bugs. What latency_unpack can't read is CH_EDAMAGED and adds nothing.
 * Invariant: the bounds of the buckets never change: what was packed by one version is read by the next.
 * Source:    HdrHistogram's log-linear buckets, with 8 to each doubling: a bucket is at most 1/8 of its lower
 *            bound wide, so that its middle is within 6.25 % of each value in it. Below 16 a bucket is one
 *            value.
 */
#ifndef CH_POLICY_LATENCY_H
#define CH_POLICY_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define LATENCY_BUCKETS 232
/* A gap takes two bytes at most, a count ten. */
#define LATENCY_PACKED_MAX ((size_t)LATENCY_BUCKETS * 11)

struct latency {
	uint64_t counts[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, int32_t us);
void latency_merge(struct latency *l, const struct latency *more);
uint64_t latency_count(const struct latency *l);

/* The least value that `percent` in a hundred (above 0, to 100) do not exceed, as the middle of its bucket;
 * -1: there are no values. */
double latency_percentile(const struct latency *l, double percent);

/* Pairs of varints, one for each bucket that is not empty: how many empty ones lie before it, and its count.
 * Returns the length. */
size_t latency_pack(const struct latency *l, uint8_t out[LATENCY_PACKED_MAX]);
/* Adds what is packed. */
int latency_unpack(const uint8_t *data, size_t len, struct latency *l) CH_MUST_USE;

#endif
