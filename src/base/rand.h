/* base/rand.h - randomness, handed in.
 *
 * Role:      one door for ids, secrets and jitter; a simulation hands in a seeded one.
 * Threads:   an instance belongs to one thread.
 * Errors:    none; a system without entropy is not one to sign on, so it aborts.
 */
#ifndef CH_BASE_RAND_H
#define CH_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

struct ch_rand {
	void (*fill)(void *ctx, void *out, size_t len);
	void *ctx;
};

/* OpenSSL's RAND_bytes. Stateless, fit for secrets. */
struct ch_rand ch_rand_system(void);

/* xoshiro256** seeded by splitmix64: the same seed gives the same bytes. Not for secrets. */
struct ch_rand_seeded {
	uint64_t s[4];
};

void ch_rand_seeded_init(struct ch_rand_seeded *r, uint64_t seed);
struct ch_rand ch_rand_seeded_of(struct ch_rand_seeded *r); /* keeps r */

/* Another source's bytes, fetched in larger pieces: the system's cost the same for 8 as for 256, and a system
 * call each time. For ids: what is fetched stays in memory until it is given out. */
struct ch_rand_stock {
	struct ch_rand source;
	uint8_t bytes[256];
	size_t used; /* of bytes; all of them at the start */
};

void ch_rand_stock_init(struct ch_rand_stock *r, struct ch_rand source);
struct ch_rand ch_rand_stock_of(struct ch_rand_stock *r); /* keeps r */

void ch_rand_fill(const struct ch_rand *r, void *out, size_t len);
uint64_t ch_rand_u64(const struct ch_rand *r);
uint64_t ch_rand_below(const struct ch_rand *r, uint64_t n); /* 0..n-1, unbiased; n >= 1 */
double ch_rand_unit(const struct ch_rand *r); /* [0, 1) */

#endif
