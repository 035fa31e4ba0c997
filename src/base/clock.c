#include "base/clock.h"

#include <time.h>

#include "base/assert.h"

static int64_t read_ms(clockid_t id)
{
	struct timespec ts;
	int rc = clock_gettime(id, &ts);
	CH_ASSERT(rc == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct ch_wall system_wall(void *ctx)
{
	return (struct ch_wall){.ms = read_ms(CLOCK_REALTIME)};
}

static struct ch_mono system_mono(void *ctx)
{
	return (struct ch_mono){.ms = read_ms(CLOCK_MONOTONIC)};
}

struct ch_clock ch_clock_system(void)
{
	return (struct ch_clock){.wall = system_wall, .mono = system_mono};
}

static struct ch_wall virtual_wall(void *ctx)
{
	const struct ch_clock_virtual *v = ctx;
	return v->wall;
}

static struct ch_mono virtual_mono(void *ctx)
{
	const struct ch_clock_virtual *v = ctx;
	return v->mono;
}

struct ch_clock ch_clock_virtual_of(struct ch_clock_virtual *v)
{
	return (struct ch_clock){.wall = virtual_wall, .mono = virtual_mono, .ctx = v};
}

void ch_clock_virtual_advance(struct ch_clock_virtual *v, int64_t ms)
{
	CH_ASSERT(ms >= 0);
	v->wall.ms += ms;
	v->mono.ms += ms;
}
