#include "policy/latency.h"

#include <math.h>

#include "base/assert.h"
#include "base/err.h"

#define SUB_BITS 3
#define SUB (1 << SUB_BITS)

static size_t bucket_of(uint32_t us)
{
	int shift = us < 2 * SUB ? 0 : 31 - __builtin_clz(us) - SUB_BITS;

	return (size_t)shift * SUB + (us >> shift);
}

/* Between the least and the greatest value of a bucket. */
static double middle_of(size_t bucket)
{
	uint32_t shift = bucket < 2 * SUB ? 0 : (uint32_t)bucket / SUB - 1;
	double least = (double)((uint64_t)(bucket - (size_t)shift * SUB) << shift);

	return least + (double)((UINT64_C(1) << shift) - 1) / 2;
}

void latency_add(struct latency *l, int32_t us)
{
	CH_ASSERT(us >= 0);
	l->counts[bucket_of((uint32_t)us)]++;
}

void latency_merge(struct latency *l, const struct latency *more)
{
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		l->counts[i] += more->counts[i];
}

uint64_t latency_count(const struct latency *l)
{
	uint64_t count = 0;

	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		count += l->counts[i];
	return count;
}

double latency_percentile(const struct latency *l, double percent)
{
	uint64_t count = latency_count(l), seen = 0;
	size_t at = 0;

	CH_ASSERT(percent > 0 && percent <= 100);
	if (count == 0)
		return -1;
	uint64_t rank = (uint64_t)ceil((double)count * percent / 100);
	while (seen + l->counts[at] < rank)
		seen += l->counts[at++];
	return middle_of(at);
}

static size_t put_varint(uint8_t *out, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

/* Returns how many bytes it took; 0: there is none, or it is longer than a count can be. */
static size_t take_varint(const uint8_t *data, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len && i < 9; i++) {
		v |= (uint64_t)(data[i] & 0x7f) << (7 * i);
		if (data[i] < 0x80) {
			*ret = v;
			return i + 1;
		}
	}
	return 0;
}

size_t latency_pack(const struct latency *l, uint8_t out[LATENCY_PACKED_MAX])
{
	size_t n = 0, gap = 0;

	for (size_t i = 0; i < LATENCY_BUCKETS; i++, gap++) {
		if (l->counts[i] == 0)
			continue;
		n += put_varint(out + n, gap);
		n += put_varint(out + n, l->counts[i]);
		gap = (size_t)-1;
	}
	return n;
}

/* Twice: nothing is added of what can't be read to its end. */
static int walk(const uint8_t *data, size_t len, struct latency *into)
{
	size_t at = 0, bucket = 0;

	while (at < len) {
		uint64_t gap = 0, count = 0;
		size_t took = take_varint(data + at, len - at, &gap);

		at += took;
		if (took == 0 || gap >= LATENCY_BUCKETS - bucket)
			return CH_EDAMAGED;
		bucket += (size_t)gap;
		took = take_varint(data + at, len - at, &count);
		at += took;
		if (took == 0 || count == 0)
			return CH_EDAMAGED;
		if (into != NULL)
			into->counts[bucket] += count;
		bucket++;
	}
	return 0;
}

int latency_unpack(const uint8_t *data, size_t len, struct latency *l)
{
	int rc = walk(data, len, NULL);

	return rc == 0 ? walk(data, len, l) : rc;
}
