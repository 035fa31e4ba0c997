#include "base/rand.h"

#include <openssl/rand.h>
#include <string.h>

#include "base/assert.h"

static void system_fill(void *ctx, void *out, size_t len)
{
	unsigned char *to = out;
	while (len) {
		size_t part = len < (1 << 20) ? len : (1 << 20); /* RAND_bytes counts in int */
		int rc = RAND_bytes(to, (int)part);
		CH_ASSERT(rc == 1);
		to += part;
		len -= part;
	}
}

struct ch_rand ch_rand_system(void)
{
	return (struct ch_rand){.fill = system_fill};
}

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = *x += 0x9E3779B97F4A7C15u;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static inline uint64_t rotl(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static uint64_t xoshiro256ss(uint64_t s[4])
{
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

void ch_rand_seeded_init(struct ch_rand_seeded *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&seed);
}

/* Bytes are taken lowest first, so that a seed means the same on every machine. */
static void seeded_fill(void *ctx, void *out, size_t len)
{
	struct ch_rand_seeded *r = ctx;
	unsigned char *to = out;
	while (len) {
		uint64_t word = xoshiro256ss(r->s);
		for (int i = 0; i < 8 && len; i++, len--) {
			*to++ = (unsigned char)word;
			word >>= 8;
		}
	}
}

struct ch_rand ch_rand_seeded_of(struct ch_rand_seeded *r)
{
	return (struct ch_rand){.fill = seeded_fill, .ctx = r};
}

void ch_rand_stock_init(struct ch_rand_stock *r, struct ch_rand source)
{
	*r = (struct ch_rand_stock){.source = source, .used = sizeof(r->bytes)};
}

static void stock_fill(void *ctx, void *out, size_t len)
{
	struct ch_rand_stock *r = ctx;
	if (len > sizeof(r->bytes)) {
		ch_rand_fill(&r->source, out, len);
		return;
	}
	if (len > sizeof(r->bytes) - r->used) {
		ch_rand_fill(&r->source, r->bytes, sizeof(r->bytes));
		r->used = 0;
	}
	memcpy(out, r->bytes + r->used, len);
	r->used += len;
}

struct ch_rand ch_rand_stock_of(struct ch_rand_stock *r)
{
	return (struct ch_rand){.fill = stock_fill, .ctx = r};
}

void ch_rand_fill(const struct ch_rand *r, void *out, size_t len)
{
	r->fill(r->ctx, out, len);
}

uint64_t ch_rand_u64(const struct ch_rand *r)
{
	unsigned char b[8];
	r->fill(r->ctx, b, sizeof(b));
	uint64_t word = 0;
	for (int i = 7; i >= 0; i--)
		word = word << 8 | b[i];
	return word;
}

uint64_t ch_rand_below(const struct ch_rand *r, uint64_t n)
{
	CH_ASSERT(n >= 1);
	/* 2^64 mod n values at the low end would make the small remainders likelier: draw again. */
	uint64_t skip = (0 - n) % n;
	uint64_t x;
	do
		x = ch_rand_u64(r);
	while (x < skip);
	return x % n;
}

double ch_rand_unit(const struct ch_rand *r)
{
	return (double)(ch_rand_u64(r) >> 11) * 0x1p-53; /* 53 bits: all that a double holds */
}
