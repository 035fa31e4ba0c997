#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "sim_api.h"

struct options {
	uint64_t seed, count, steps, deliveries;
	bool with_sqlite, with_power, is_twice;
};

static void say(const struct world *w)
{
	const struct {
		const char *what;
		uint64_t n;
	} seen[] = {{"deliveries", w->seen.made}, {"sends", w->seen.sends}, {"delivered", w->seen.delivered},
			{"failed", w->seen.failed}, {"canceled", w->seen.canceled},
			{"released", w->seen.released}, {"resends", w->seen.resends},
			{"repeats", w->seen.repeats}, {"probes", w->seen.probes}, {"deaths", w->seen.deaths},
			{"outages", w->seen.outages}, {"suspensions", w->seen.quiet}, {"gone", w->seen.gone},
			{"hopeless", w->seen.hopeless}, {"at the slow share", w->seen.slow},
			{"requests", w->seen.asks}, {"answered 503", w->seen.refused},
			{"outcome unknown", w->seen.unknown}, {"records sent again", w->seen.retries},
			{"crashes", w->seen.crashes}, {"restarts", w->seen.restarts},
			{"store faults", w->seen.refusals}, {"news lost", w->seen.lost_news},
			{"audits", w->seen.audits}, {"steps", (uint64_t)w->step}};
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		printf("%llu %s, ", (unsigned long long)seen[i].n, seen[i].what);
	printf("%d slots, %.1f days, trace %016llx\n", w->max_in_flight,
			(double)(w->clock.mono.ms - 1000) / 86400000.0, (unsigned long long)w->trace);
}

static uint64_t run(uint64_t seed, const struct sim_plan *plan)
{
	static struct world w;
	printf("seed %llu%s: ", (unsigned long long)seed, plan->options);
	fflush(stdout);
	sim_world_init(&w, seed, plan);
	sim_world_run(&w);
	sim_world_fini(&w);
	say(&w);
	return w.trace;
}

static int usage(void)
{
	fprintf(stderr, "usage: sim [--seed N | --fresh] [--count N] [--steps N | --deliveries N] [--twice]\n"
			"           [--sqlite [--power]]\n"
			"  sim --seed 7 --steps 5000      one world\n"
			"  sim --seed 1 --count 20        twenty, seeds 1 to 20\n"
			"  sim --fresh                    a seed of its own, printed before it runs\n"
			"  sim --deliveries 1000000       until so many deliveries are made\n"
			"  sim --twice                    again, and the same has to happen\n"
			"  sim --sqlite --power           on a disk that loses power at each crash\n");
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

static uint64_t *number_for(struct options *o, const char *name)
{
	if (strcmp(name, "--seed") == 0)
		return &o->seed;
	if (strcmp(name, "--count") == 0)
		return &o->count;
	if (strcmp(name, "--steps") == 0)
		return &o->steps;
	return strcmp(name, "--deliveries") == 0 ? &o->deliveries : NULL;
}

static bool *flag_for(struct options *o, const char *name)
{
	if (strcmp(name, "--sqlite") == 0)
		return &o->with_sqlite;
	if (strcmp(name, "--power") == 0)
		return &o->with_power;
	return strcmp(name, "--twice") == 0 ? &o->is_twice : NULL;
}

static bool parse(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		uint64_t *number = number_for(o, argv[i]);
		bool *flag = flag_for(o, argv[i]);
		if (flag) {
			*flag = true;
		} else if (strcmp(argv[i], "--fresh") == 0) {
			struct ch_rand rand = ch_rand_system();
			o->seed = ch_rand_below(&rand, UINT32_MAX);
		} else if (!number || !number_of(argv[++i], number)) {
			return false;
		}
	}
	return o->with_sqlite || !o->with_power;
}

static void describe(const struct options *o, char *text, size_t size)
{
	char until[64];
	if (o->deliveries > 0)
		snprintf(until, sizeof(until), " --deliveries %llu", (unsigned long long)o->deliveries);
	else
		snprintf(until, sizeof(until), " --steps %llu", (unsigned long long)o->steps);
	snprintf(text, size, "%s%s%s", until, o->with_sqlite ? " --sqlite" : "",
			o->with_power ? " --power" : "");
}

int main(int argc, char **argv)
{
	json_object_seed(1);
	struct options o = {.seed = 1, .count = 1, .steps = 20000};
	char text[128];
	if (!parse(&o, argc, argv))
		return usage();
	describe(&o, text, sizeof(text));
	struct sim_plan plan = {.steps = (int)o.steps,
			.deliveries = o.deliveries,
			.with_sqlite = o.with_sqlite,
			.with_power = o.with_power,
			.options = text};
	if (o.with_power)
		disk_install();
	for (uint64_t i = 0; i < o.count; i++) {
		uint64_t trace = run(o.seed + i, &plan);
		if (o.is_twice && run(o.seed + i, &plan) != trace) {
			fprintf(stderr, "sim: seed %llu went two ways\n", (unsigned long long)(o.seed + i));
			return 1;
		}
	}
	return 0;
}
