#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static void run(uint64_t seed, int steps, bool with_sqlite)
{
	static struct world w;
	printf("seed %llu, %d steps, %s: ", (unsigned long long)seed, steps,
			with_sqlite ? "sqlite" : "memory");
	fflush(stdout);
	sim_world_init(&w, seed, with_sqlite);
	sim_world_run(&w, steps);
	sim_world_fini(&w);
	printf("%llu sends, %llu delivered, %llu failed, %llu parked, %llu canceled, %llu crashes, "
	       "%llu restarts, %llu repeats, %llu store faults, %llu news lost, %.1f days\n",
			(unsigned long long)w.seen.sends, (unsigned long long)w.seen.delivered,
			(unsigned long long)w.seen.failed, (unsigned long long)w.seen.parked,
			(unsigned long long)w.seen.canceled, (unsigned long long)w.seen.crashes,
			(unsigned long long)w.seen.restarts, (unsigned long long)w.seen.repeats,
			(unsigned long long)w.seen.refusals, (unsigned long long)w.seen.lost_news,
			(double)(w.clock.mono.ms - 1000) / 86400000.0);
}

static int usage(void)
{
	fprintf(stderr, "usage: sim [--seed N | --fresh] [--count N] [--steps N] [--sqlite]\n"
			"  sim --seed 7 --steps 5000    one world\n"
			"  sim --seed 1 --count 20      twenty, seeds 1 to 20\n"
			"  sim --fresh                  a seed of its own, printed\n");
	return 2;
}

static bool number_of(const char *text, uint64_t *ret)
{
	char *end;
	if (!text || text[0] == '\0' || text[0] == '-')
		return false;
	*ret = strtoull(text, &end, 10);
	return *end == '\0';
}

int main(int argc, char **argv)
{
	uint64_t seed = 1, steps = 20000, count = 1;
	bool with_sqlite = false;
	for (int i = 1; i < argc; i++) {
		uint64_t *to = strcmp(argv[i], "--seed") == 0    ? &seed
			       : strcmp(argv[i], "--steps") == 0 ? &steps
			       : strcmp(argv[i], "--count") == 0 ? &count
								 : NULL;
		if (strcmp(argv[i], "--sqlite") == 0) {
			with_sqlite = true;
		} else if (strcmp(argv[i], "--fresh") == 0) {
			struct ch_rand rand = ch_rand_system();
			seed = ch_rand_below(&rand, UINT32_MAX);
		} else if (!to || !number_of(argv[++i], to)) {
			return usage();
		}
	}
	for (uint64_t i = 0; i < count; i++)
		run(seed + i, (int)steps, with_sqlite);
	return 0;
}
