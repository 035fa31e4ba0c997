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

void ch_rand_fill(const struct ch_rand *r, void *out, size_t len);
uint64_t ch_rand_u64(const struct ch_rand *r);
uint64_t ch_rand_below(const struct ch_rand *r, uint64_t n); /* 0..n-1, unbiased; n >= 1 */
double ch_rand_unit(const struct ch_rand *r); /* [0, 1) */

#endif
