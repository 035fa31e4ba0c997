#include <string.h>

#include "base/err.h"
#include "model/id.h"
#include "test_model.h"

#define SAMPLE "3c90c3cc-0d44-4b50-8888-8dd25736052a"

static struct id parsed(const char *text)
{
	struct id id;
	assert_int_equal(id_parse(text, strlen(text), &id), 0);
	return id;
}

static void what_is_parsed_is_printed_the_same(void **state)
{
	static const char *const texts[] = {SAMPLE, "00000000-0000-0000-0000-000000000000",
			"ffffffff-ffff-ffff-ffff-ffffffffffff", "01234567-89ab-cdef-0123-456789abcdef"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct id id = parsed(texts[i]);
		char back[ID_TEXT_LEN + 1];
		id_format(&id, back);
		assert_string_equal(back, texts[i]);
	}
	struct id id = parsed("01234567-89ab-cdef-0123-456789abcdef");
	static const uint8_t bytes[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45,
			0x67, 0x89, 0xab, 0xcd, 0xef};
	assert_memory_equal(id.b, bytes, sizeof bytes);
}

static void what_is_not_a_lower_case_uuid_is_refused(void **state)
{
	static const char *const texts[] = {
			"",
			"3C90C3CC-0D44-4B50-8888-8DD25736052A",
			"3c90c3cc-0d44-4b50-8888-8dd25736052A",
			"3c90c3cc-0d44-4b50-8888-8dd25736052",
			"3c90c3cc-0d44-4b50-8888-8dd25736052aa",
			"3c90c3cc0d444b5088888dd25736052a",
			"{c90c3cc-0d44-4b50-8888-8dd25736052}",
			"3c90c3cc_0d44-4b50-8888-8dd25736052a",
			"3c90c3cc-0d44-4b50-8888-8dd2573605g0",
			"3c90c3cc-0d44-4b50-8888-8dd25736050g",
			"3c90c3cc-0d444-b50-8888-8dd25736052a",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct id id = parsed(SAMPLE), before = id;
		assert_int_equal(id_parse(texts[i], strlen(texts[i]), &id), CH_EINVAL);
		assert_true(id_equal(&id, &before));
	}
}

static void ids_compare_by_their_bytes(void **state)
{
	struct id a = parsed("00000000-0000-0000-0000-0000000000ff"),
		  b = parsed("00000000-0000-0000-0000-000000000100");
	struct id zero = parsed("00000000-0000-0000-0000-000000000000");
	assert_true(id_compare(&a, &b) < 0);
	assert_true(id_compare(&b, &a) > 0);
	assert_int_equal(id_compare(&a, &a), 0);
	assert_true(id_equal(&a, &a));
	assert_false(id_equal(&a, &b));
	assert_true(id_is_zero(&zero));
	assert_false(id_is_zero(&a));
}

struct world {
	struct ch_clock_virtual clock;
	struct ch_rand_seeded rand;
	struct id_gen gen;
};

static void world_init(struct world *w, int64_t wall_ms)
{
	w->clock = (struct ch_clock_virtual){.wall = {wall_ms}};
	ch_rand_seeded_init(&w->rand, 7);
	id_gen_init(&w->gen, ch_clock_virtual_of(&w->clock), ch_rand_seeded_of(&w->rand));
}

static void a_new_id_is_a_version_7_uuid_of_the_moment(void **state)
{
	struct world w;
	world_init(&w, 1722350700123);
	struct id id = id_gen_next(&w.gen);
	assert_int_equal(id.b[6] >> 4, 7);
	assert_int_equal(id.b[8] >> 6, 2);
	assert_int_equal(id_time_ms(&id), 1722350700123);
	struct id v4 = parsed(SAMPLE);
	assert_int_equal(id_time_ms(&v4), -1);
}

static void ids_grow_within_a_millisecond_and_past_its_room(void **state)
{
	struct world w;
	world_init(&w, 0);
	struct id last = id_gen_next(&w.gen);
	for (int i = 0; i < 20000; i++) {
		struct id next = id_gen_next(&w.gen);
		assert_true(id_compare(&last, &next) < 0);
		assert_int_equal(next.b[6] >> 4, 7);
		assert_int_equal(next.b[8] >> 6, 2);
		last = next;
	}
	assert_true(id_time_ms(&last) >= 4 && id_time_ms(&last) <= 5);
}

static void ids_grow_when_the_clock_steps_back(void **state)
{
	struct world w;
	world_init(&w, 5000);
	struct id last = id_gen_next(&w.gen);
	for (int64_t ms = 4999; ms > 4900; ms--) {
		w.clock.wall.ms = ms;
		struct id next = id_gen_next(&w.gen);
		assert_true(id_compare(&last, &next) < 0);
		last = next;
	}
	w.clock.wall.ms = 5001;
	struct id next = id_gen_next(&w.gen);
	assert_true(id_compare(&last, &next) < 0);
	assert_int_equal(id_time_ms(&next), 5001);
}

static void the_floor_of_a_moment_is_below_its_ids_and_above_older_ones(void **state)
{
	struct world w;
	world_init(&w, 999);
	for (int i = 0; i < 1000; i++) {
		struct id id = id_gen_next(&w.gen), floor = id_floor(w.clock.wall.ms),
			  above = id_floor(w.clock.wall.ms + 1);
		assert_true(id_compare(&floor, &id) <= 0);
		assert_true(id_compare(&id, &above) < 0);
		ch_clock_virtual_advance(&w.clock, 1);
	}
	struct id least = id_floor(0), before = id_floor(-1);
	assert_true(id_equal(&least, &before));
	struct id last = id_floor((INT64_C(1) << 48) - 1), beyond = id_floor(INT64_MAX);
	assert_true(id_equal(&last, &beyond));
}

int id_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_is_parsed_is_printed_the_same),
			cmocka_unit_test(what_is_not_a_lower_case_uuid_is_refused),
			cmocka_unit_test(ids_compare_by_their_bytes),
			cmocka_unit_test(a_new_id_is_a_version_7_uuid_of_the_moment),
			cmocka_unit_test(ids_grow_within_a_millisecond_and_past_its_room),
			cmocka_unit_test(ids_grow_when_the_clock_steps_back),
			cmocka_unit_test(the_floor_of_a_moment_is_below_its_ids_and_above_older_ones),
	};
	return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
