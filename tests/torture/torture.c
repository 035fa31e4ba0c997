#include "torture.h"

#include <curl/curl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../unit/nth_alloc.h"

/* How many n of a scenario a quick run tries in each way. */
#define QUICK_RUNS 80

#if defined(__SANITIZE_ADDRESS__)
#define CAN_COUNT_BYTES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAN_COUNT_BYTES 1
#endif
#endif

#ifdef CAN_COUNT_BYTES
/* gcc's package has the functions, but not their headers. */
size_t __sanitizer_get_current_allocated_bytes(void);
int __lsan_do_recoverable_leak_check(void);
#endif

static struct {
	uint64_t seed;
	bool is_long;
	long runs;
} options;

/* What is being tried, for the words when it fails. */
static struct {
	const struct torture *t; /* NULL: nothing */
	const char *how;
	int n;
	int code;
} now;

const void *torture_what(void)
{
	return now.t->what;
}

static void *libraries_calloc(size_t count, size_t bytes)
{
	return ch_calloc(count, bytes);
}

void torture_libraries(void)
{
	json_set_alloc_funcs(ch_alloc, ch_free);
	curl_global_init_mem(CURL_GLOBAL_DEFAULT, ch_alloc, ch_free, ch_realloc, ch_strdup, libraries_calloc);
}

/* ---- leaks ---- */

#ifdef CAN_COUNT_BYTES
static size_t bytes_before;

static void leaks_begin(void)
{
	bytes_before = __sanitizer_get_current_allocated_bytes();
}

/* Looking for leaks takes long, so it is done only when more memory is held than before: by a cache that has
 * grown, or by a leak. */
static void leaks_check(void)
{
	size_t bytes = __sanitizer_get_current_allocated_bytes();

	if (bytes <= bytes_before)
		return;
	if (__lsan_do_recoverable_leak_check() != 0)
		fail_msg("%zu bytes more are held than before, and some of them are lost",
				bytes - bytes_before);
	bytes_before = bytes;
}
#else
static void leaks_begin(void)
{
}

static void leaks_check(void)
{
}
#endif

/* ---- one run ---- */

static void *open_one(const struct torture *t)
{
	return t->open ? t->open() : NULL;
}

static void close_one(const struct torture *t, void *ctx)
{
	if (t->close)
		t->close(ctx);
}

static void check_one(const struct torture *t, void *ctx, int rc)
{
	if (t->check)
		t->check(ctx, rc);
}

/* Nothing fails any more: it works now, if it did not before. */
static void heal(const struct torture *t, void *ctx, int rc)
{
	check_one(t, ctx, rc);
	if (rc != 0 && !t->ends) {
		rc = t->run(ctx);
		if (rc != 0)
			fail_msg("it gives %d when nothing fails any more", rc);
		check_one(t, ctx, 0);
	}
	close_one(t, ctx);
	leaks_check();
	options.runs++;
}

static void run_alloc(const struct torture *t, int n, bool for_good)
{
	struct nth_alloc nth = {.fail_at = n, .for_good = for_good};
	void *ctx = open_one(t);

	now.how = for_good ? "all allocations from this one on" : "this allocation";
	now.n = n;
	nth_alloc_begin(&nth);
	int rc = t->run(ctx);
	bool has_failed = nth_alloc_end(&nth);
	if (!has_failed && rc != 0)
		fail_msg("it gives %d though nothing failed", rc);
	if (has_failed && rc == 0 && !t->may_manage)
		fail_msg("it succeeds without the memory");
	if (rc != 0 && rc != CH_ENOMEM && rc != TORTURE_REFUSED)
		fail_msg("it gives %s for want of memory", ch_err_name(rc));
	heal(t, ctx, rc);
}

static void run_store(const struct torture *t, bool is_write, int n, int code)
{
	void *ctx = open_one(t);

	now.how = is_write ? "this write of the store" : "this read of the store";
	now.n = n;
	now.code = code;
	t->fail_store(ctx, is_write, n, code);
	int rc = t->run(ctx);
	t->fail_store(ctx, is_write, 0, 0);
	bool must_fail = n <= (is_write ? t->writes : t->reads);
	if (must_fail != (rc != 0))
		fail_msg("it gives %d", rc);
	if (rc != 0 && rc != code && rc != TORTURE_REFUSED)
		fail_msg("it gives %s", ch_err_name(rc));
	heal(t, ctx, rc);
}

static int count_allocs(const struct torture *t)
{
	struct nth_alloc nth = {.fail_at = 0};
	void *ctx = open_one(t);

	now.how = "nothing";
	nth_alloc_begin(&nth);
	int rc = t->run(ctx);
	nth_alloc_end(&nth);
	if (rc != 0)
		fail_msg("it gives %d though nothing fails", rc);
	check_one(t, ctx, 0);
	close_one(t, ctx);
	return nth.asked;
}

static void run_all(void **state)
{
	static const int codes[] = {CH_EIO, CH_EFULL, CH_EBUSY, CH_ENOMEM};
	const struct torture *t = *state;
	int total;

	now.t = t;
	/* Twice: the first time some caches are filled. */
	count_allocs(t);
	total = count_allocs(t);
	leaks_begin();
	if (total == 0 && !t->fail_store)
		fail_msg("nothing is allocated, so nothing is tried");
	int step = options.is_long || total <= QUICK_RUNS ? 1 : (total + QUICK_RUNS - 1) / QUICK_RUNS;
	for (int n = 1 + (int)(options.seed % (uint64_t)step); n <= total; n += step) {
		run_alloc(t, n, false);
		run_alloc(t, n, true);
	}
	for (size_t i = 0; t->fail_store && i < sizeof(codes) / sizeof(codes[0]); i++) {
		for (int n = 1; n <= t->writes + 1; n++)
			run_store(t, true, n, codes[i]);
		for (int n = 1; n <= t->reads + 1; n++)
			run_store(t, false, n, codes[i]);
	}
	now.t = NULL;
}

/* Also after a failure, which jumps out of the middle. */
static int put_back(void **state)
{
	ch_alloc_set_hook(NULL, NULL);
	if (now.t) {
		print_error("torture: %s: %s failed, n = %d", now.t->name, now.how, now.n);
		print_error(now.code ? ", %s\n" : "\n", ch_err_name(now.code));
	}
	now.t = NULL;
	now.code = 0;
	return 0;
}

static void read_options(int argc, char **argv)
{
	static const struct option longs[] = {{"long", no_argument, NULL, 'l'},
			{"seed", required_argument, NULL, 's'}, {"only", required_argument, NULL, 'o'}, {0}};
	int got;

	options.seed = (uint64_t)getpid();
	while ((got = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (got == 'l')
			options.is_long = true;
		else if (got == 's')
			options.seed = strtoull(optarg, NULL, 10);
		else if (got == 'o')
			cmocka_set_test_filter(optarg);
		else
			exit(2);
	}
}

int torture_main(int argc, char **argv, const char *group, const struct torture *all, size_t count)
{
	struct CMUnitTest *tests = calloc(count, sizeof(*tests));

	read_options(argc, argv);
	assert_non_null(tests);
	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){.name = all[i].name,
				.test_func = run_all,
				.teardown_func = put_back,
				.initial_state = (void *)(uintptr_t)&all[i]};
	printf("torture %s: --seed %llu%s\n", group, (unsigned long long)options.seed,
			options.is_long ? " --long" : "");
	int failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
	printf("%ld runs\n", options.runs);
	free(tests);
	return failed;
}
