/* base/clock.h - the two clocks, as distinct types, handed in.
 *
 * Role:      wall time names a moment to people and survives a restart; monotonic
 *            time measures and never steps. The compiler keeps them apart.
 *            Nobody reads a clock but through a struct ch_clock that was handed in.
 * Units:     milliseconds since the Unix epoch (wall) or an arbitrary start (mono).
 * Threads:   ch_clock_system() may be read from any thread; a virtual clock belongs to one.
 */
#ifndef CH_BASE_CLOCK_H
#define CH_BASE_CLOCK_H

#include <stdint.h>

struct ch_wall {
	int64_t ms;
};

struct ch_mono {
	int64_t ms;
};

struct ch_clock {
	struct ch_wall (*wall)(void *ctx);
	struct ch_mono (*mono)(void *ctx);
	void *ctx;
};

static inline struct ch_wall ch_clock_wall(const struct ch_clock *c)
{
	return c->wall(c->ctx);
}

static inline struct ch_mono ch_clock_mono(const struct ch_clock *c)
{
	return c->mono(c->ctx);
}

/* CLOCK_REALTIME and CLOCK_MONOTONIC. */
struct ch_clock ch_clock_system(void);

/* A clock that stands still until it is told to move; v must outlive the clock. */
struct ch_clock_virtual {
	struct ch_wall wall;
	struct ch_mono mono;
};

struct ch_clock ch_clock_virtual_of(struct ch_clock_virtual *v);
void ch_clock_virtual_advance(struct ch_clock_virtual *v, int64_t ms); /* ms >= 0; moves both */

#endif
