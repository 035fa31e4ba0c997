#include "clients.h"
#include "store/turns.h"

static struct asked *add(struct turns *t, enum turn_line line, int64_t account, int64_t queued_mono_ms)
{
	struct asked *a = asked_create();

	store_request_init(&a->r, line == TURN_RESULT ? STORE_ATTEMPT : STORE_CALL_PUT, NULL, NULL);
	if (line == TURN_RESULT) {
		a->r.u.attempt.in.account = account;
	} else {
		a->r.u.call_put.in.account = account;
		a->r.u.call_put.in.is_bulk = line == TURN_BULK;
	}
	a->r.queued_mono_ms = queued_mono_ms;
	turns_add(t, &a->r);
	return a;
}

static void add_many(struct turns *t, enum turn_line line, int64_t account, int count)
{
	for (int i = 0; i < count; i++)
		add(t, line, account, 0);
}

static enum turn_line line_of(const struct store_request *r)
{
	if (r->kind == STORE_ATTEMPT)
		return TURN_RESULT;
	return r->u.call_put.in.is_bulk ? TURN_BULK : TURN_SINGLE;
}

static void drop(struct store_request *r)
{
	asked_free(CH_CONTAINER_OF(r, struct asked, r));
}

/* Takes up to max and counts them by line. */
static size_t take(struct turns *t, size_t max, int counts[TURN_LINES])
{
	struct store_request *batch[64];
	size_t n;

	assert_true(max <= 64);
	memset(counts, 0, TURN_LINES * sizeof(counts[0]));
	n = turns_take(t, batch, max);
	for (size_t i = 0; i < n; i++) {
		counts[line_of(batch[i])]++;
		drop(batch[i]);
	}
	return n;
}

static void a_lone_line_gets_everything(void **state)
{
	struct turns t;
	int counts[TURN_LINES];

	for (int line = 0; line < TURN_LINES; line++) {
		turns_init(&t);
		add_many(&t, (enum turn_line)line, 1, 20);
		assert_int_equal(take(&t, 16, counts), 16);
		assert_int_equal(counts[line], 16);
		assert_int_equal(t.len, 4);
		assert_int_equal(take(&t, 16, counts), 4);
		assert_int_equal(take(&t, 16, counts), 0);
	}
}

static void full_lines_share(void **state)
{
	struct turns t;
	int counts[TURN_LINES];

	turns_init(&t);
	for (int line = 0; line < TURN_LINES; line++)
		add_many(&t, (enum turn_line)line, 1, 100);
	assert_int_equal(take(&t, 64, counts), 64);
	assert_int_equal(counts[TURN_SINGLE], 40);
	assert_int_equal(counts[TURN_RESULT], 16);
	assert_int_equal(counts[TURN_BULK], 8);
	while (take(&t, 64, counts) > 0)
		;
}

static void nobody_starves_one_at_a_time(void **state)
{
	struct turns t;
	int counts[TURN_LINES], sums[TURN_LINES] = {0};

	turns_init(&t);
	for (int line = 0; line < TURN_LINES; line++)
		add_many(&t, (enum turn_line)line, 1, 30);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(take(&t, 1, counts), 1);
		for (int line = 0; line < TURN_LINES; line++)
			sums[line] += counts[line];
	}
	assert_int_equal(sums[TURN_SINGLE], 10);
	assert_int_equal(sums[TURN_RESULT], 4);
	assert_int_equal(sums[TURN_BULK], 2);
	while (take(&t, 64, counts) > 0)
		;
}

static void a_single_goes_before_a_flood_of_bulk(void **state)
{
	struct turns t;
	int counts[TURN_LINES];

	turns_init(&t);
	add_many(&t, TURN_BULK, 1, 40);
	add_many(&t, TURN_SINGLE, 2, 1);
	assert_int_equal(take(&t, 4, counts), 4);
	assert_int_equal(counts[TURN_SINGLE], 1);
	assert_int_equal(counts[TURN_BULK], 3);
	while (take(&t, 64, counts) > 0)
		;
}

static void accounts_take_turns_in_order(void **state)
{
	/* account 1 came first and with much; 2 and 3 with little; each keeps its own order */
	static const struct {
		int64_t account, at;
	} want[] = {{1, 0}, {2, 0}, {3, 0}, {1, 1}, {2, 1}, {1, 2}, {1, 3}, {1, 4}};
	struct store_request *batch[8];
	struct turns t;

	turns_init(&t);
	for (int64_t i = 0; i < 5; i++)
		add(&t, TURN_SINGLE, 1, i);
	for (int64_t i = 0; i < 2; i++)
		add(&t, TURN_SINGLE, 2, i);
	add(&t, TURN_SINGLE, 3, 0);
	assert_int_equal(turns_take(&t, batch, 8), 8);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(batch[i]->u.call_put.in.account, want[i].account);
		assert_int_equal(batch[i]->queued_mono_ms, want[i].at);
		drop(batch[i]);
	}
	assert_int_equal(t.len, 0);
}

static void results_know_since_when_they_wait(void **state)
{
	struct turns t;
	int counts[TURN_LINES];

	turns_init(&t);
	assert_false(turns_only_results(&t));
	add(&t, TURN_RESULT, 1, 50);
	add(&t, TURN_RESULT, 2, 60);
	assert_true(turns_only_results(&t));
	assert_int_equal(t.results_since_mono_ms, 50);
	add(&t, TURN_SINGLE, 1, 70);
	assert_false(turns_only_results(&t));
	take(&t, 3, counts);
	add(&t, TURN_RESULT, 1, 80);
	assert_int_equal(t.results_since_mono_ms, 80);
	take(&t, 3, counts);
}

int test_turns(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_lone_line_gets_everything),
			cmocka_unit_test(full_lines_share),
			cmocka_unit_test(nobody_starves_one_at_a_time),
			cmocka_unit_test(a_single_goes_before_a_flood_of_bulk),
			cmocka_unit_test(accounts_take_turns_in_order),
			cmocka_unit_test(results_know_since_when_they_wait),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
