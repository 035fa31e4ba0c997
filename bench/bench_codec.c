/* How long the codec takes for one record: bench_codec FILE [ROUNDS]. Prints the best and the median
 * of 15 runs, for the file as it is and for its canonical form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "model/call_codec.h"

#define RUNS 15
#define FILE_MAX (8u * 1024 * 1024)

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(const char *what, struct call_codec *c, const char *json, size_t len, long rounds)
{
	struct ch_buf out;
	struct problems problems;
	struct call_facts facts;
	double runs[RUNS];
	ch_buf_init(&out, FILE_MAX);
	problems_init(&problems);
	for (int i = 0; i < RUNS; i++) {
		double start = now_ns();
		for (long k = 0; k < rounds; k++) {
			int rc = call_codec_run(c, json, len, NULL, 0, &out, &facts, &problems);
			CH_ASSERT(rc == 0);
		}
		runs[i] = (now_ns() - start) / (double)rounds;
	}
	qsort(runs, RUNS, sizeof runs[0], compare);
	printf("%-10s %7zu bytes in, %7zu out: best %8.0f ns, median %8.0f ns a record, %6.0f MB/s\n", what,
			len, out.len, runs[0], runs[RUNS / 2], (double)len * 1e3 / runs[RUNS / 2]);
	ch_buf_fini(&out);
	problems_fini(&problems);
}

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	char *data = ch_alloc(FILE_MAX);
	if (!f || !data) {
		fprintf(stderr, "bench_codec: can't read %s\n", path);
		exit(1);
	}
	*ret_len = fread(data, 1, FILE_MAX, f);
	fclose(f);
	return data;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: bench_codec FILE [ROUNDS]\n");
		return 2;
	}
	long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 50000;
	size_t len;
	char *json = read_file(argv[1], &len);
	struct call_codec *c = call_codec_create(FILE_MAX);
	CH_ASSERT(c && rounds > 0);
	struct ch_buf out;
	struct problems problems;
	struct call_facts facts;
	ch_buf_init(&out, FILE_MAX);
	problems_init(&problems);
	int rc = call_codec_run(c, json, len, NULL, 0, &out, &facts, &problems);
	for (size_t i = 0; i < problems.count; i++)
		fprintf(stderr, "%s: %s\n", problems.items[i].pointer, problems.items[i].detail);
	if (rc == 0) {
		measure("as given", c, json, len, rounds);
		measure("canonical", c, out.data, out.len, rounds);
	}
	problems_fini(&problems);
	ch_buf_fini(&out);
	call_codec_destroy(&c);
	ch_free(json);
	return rc == 0 ? 0 : 1;
}
