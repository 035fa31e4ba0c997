#include "test_base.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"

#define DOTS "\xE2\x80\xA6"
#define HEAD "time=2024-07-30T14:35:00.123Z level=info event=e"
#define THREADS 4
#define LINES 200

static struct ch_clock_virtual moment = {.wall = {1722350100123}};

struct collected {
	char text[80000];
	size_t len;
	int lines;
};

static struct collected got;

static void collect(void *ctx, const char *line, size_t len)
{
	struct collected *c = ctx;
	assert_true(len < sizeof(c->text));
	memcpy(c->text, line, len);
	c->text[len] = '\0';
	c->len = len;
	c->lines++;
}

static struct ch_log log_to_test(enum ch_log_format format)
{
	got = (struct collected){0};
	return (struct ch_log){.level = CH_LOG_INFO,
			.format = format,
			.clock = ch_clock_virtual_of(&moment),
			.sink = collect,
			.sink_ctx = &got};
}

static void test_text_values(void **state)
{
	static const struct {
		const char *value;
		const char *written;
	} cases[] = {
			{"plain", "plain"},
			{NULL, "\"\""},
			{"", "\"\""},
			{"two words", "\"two words\""},
			{"a=b", "\"a=b\""},
			{"say \"hi\" \\o/", "\"say \\\"hi\\\" \\\\o/\""},
			{"line\nbreak\r\t", "\"line\\nbreak\\r\\t\""},
			{"\x1B[31mred", "\"\\u001b[31mred\""},
			{"\x7F", "\"\\u007f\""},
			{"\xC2\x85", "\"\\u0085\""},
			{"\xE2\x80\xA8", "\"\\u2028\""},
			{"\xE2\x80\xAEtxt", "\"\\u202etxt\""},
			{"Zo\xC3\xAB", "Zo\xC3\xAB"},
			{"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
			{"a\xFFz", "\"a\xEF\xBF\xBDz\""},
			{"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
			{"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
			{"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
			{"call +14155550178 now", "\"call +" DOTS "78 now\""},
			{"whsec_abc", "whsec_" DOTS},
	};
	struct ch_log log = log_to_test(CH_LOG_TEXT);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char expected[200] = HEAD " k=";
		strncat(expected, cases[i].written, 100);
		strncat(expected, " n=-7\n", 10);
		CH_LOG(&log, CH_LOG_INFO, "e", CH_S("k", cases[i].value), CH_I("n", -7));
		assert_string_equal(got.text, expected);
	}
}

static void test_json(void **state)
{
	struct ch_log log = log_to_test(CH_LOG_JSON);
	CH_LOG(&log, CH_LOG_ERROR, "delivery_failed", CH_S("to", "+14155550178"), CH_S("why", "a \"b\"\n"),
			CH_I("status", 503), CH_S("none", NULL));
	assert_string_equal(got.text,
			"{\"time\":\"2024-07-30T14:35:00.123Z\",\"level\":\"error\",\"event\":\"delivery_"
			"failed\","
			"\"to\":\"+" DOTS "78\",\"why\":\"a \\\"b\\\"\\n\",\"status\":503,\"none\":\"\"}\n");
}

static void test_no_fields(void **state)
{
	struct ch_log log = log_to_test(CH_LOG_JSON);
	ch_log_event(&log, CH_LOG_INFO, "e", NULL, 0);
	assert_string_equal(got.text,
			"{\"time\":\"2024-07-30T14:35:00.123Z\",\"level\":\"info\",\"event\":\"e\"}\n");
	log.format = CH_LOG_TEXT;
	ch_log_event(&log, CH_LOG_INFO, "e", NULL, 0);
	assert_string_equal(got.text, HEAD "\n");
}

static void test_levels(void **state)
{
	struct ch_log log = log_to_test(CH_LOG_TEXT);
	CH_LOG(&log, CH_LOG_DEBUG, "e", CH_I("n", 1));
	assert_int_equal(got.lines, 0);
	CH_LOG(&log, CH_LOG_INFO, "e", CH_I("n", 1));
	assert_int_equal(got.lines, 1);
	log.level = CH_LOG_ERROR;
	CH_LOG(&log, CH_LOG_WARN, "e", CH_I("n", 1));
	assert_int_equal(got.lines, 1);
	CH_LOG(NULL, CH_LOG_ERROR, "e", CH_I("n", 1));
}

static void test_secret_by_its_name(void **state)
{
	struct ch_log log = log_to_test(CH_LOG_TEXT);
	CH_LOG(&log, CH_LOG_INFO, "e", CH_S("secret", "hunter2"), CH_S("api_key", ""), CH_I("has_secret", 1));
	assert_string_equal(got.text, HEAD " secret=whsec_" DOTS " api_key=\"\" has_secret=1\n");
}

static void test_long_value_is_cut_between_characters(void **state)
{
	static char value[70002] = "x";
	for (size_t i = 1; i + 2 < sizeof(value); i += 2)
		memcpy(value + i, "\xC3\xAB", 2);
	struct ch_log log = log_to_test(CH_LOG_TEXT);
	for (int skip = 0; skip < 2; skip++) {
		CH_LOG(&log, CH_LOG_INFO, "e", CH_S("k", value + skip), CH_I("last", 1));
		assert_in_range(got.len, 4096, 4200);
		assert_non_null(strstr(got.text, "\xC3\xAB" DOTS " last=1\n"));
	}
	assert_int_equal(log.lost, 0);
}

static void test_a_cut_never_bares_a_secret(void **state)
{
	char value[5000];
	struct ch_log log = log_to_test(CH_LOG_TEXT);
	for (size_t at = 4040; at < 4100; at++) {
		memset(value, '.', sizeof(value));
		memcpy(value + at, "whsec_Zm9vYmFyZm9vYmFy", 23);
		CH_LOG(&log, CH_LOG_INFO, "e", CH_S("k", value));
		assert_null(strstr(got.text, "Zm9"));
	}
}

static void assert_is_json(const char *line, size_t len)
{
	json_error_t error;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(root);
	assert_int_equal(json_object_size(root), 5);
	json_decref(root);
}

/* Any bytes in, one line out: valid JSON, or fields that a reader of key=value can tell apart. */
static void test_random_bytes_keep_the_line_whole(void **state)
{
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 4);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	struct ch_log log = log_to_test(CH_LOG_JSON);
	for (int i = 0; i < 10000; i++) {
		char value[65] = "";
		ch_rand_fill(&rand, value, ch_rand_below(&rand, sizeof(value)));
		log.format = i % 2 ? CH_LOG_JSON : CH_LOG_TEXT;
		CH_LOG(&log, CH_LOG_INFO, "e", CH_S("k", value), CH_I("last", 1));
		assert_ptr_equal(strchr(got.text, '\n'), got.text + got.len - 1);
		for (size_t at = 0; at + 1 < got.len; at++)
			assert_true((unsigned char)got.text[at] >= 0x20);
		if (log.format == CH_LOG_JSON)
			assert_is_json(got.text, got.len);
		else
			assert_non_null(strstr(got.text, " last=1\n"));
	}
	assert_int_equal(log.lost, 0);
}

static void test_lost_lines_are_counted(void **state)
{
	struct ch_log log = log_to_test(CH_LOG_TEXT);
	log.sink = NULL;
	log.fd = -1;
	errno = ENOENT;
	CH_LOG(&log, CH_LOG_INFO, "e", CH_I("n", 1));
	CH_LOG(&log, CH_LOG_INFO, "e", CH_I("n", 2));
	assert_int_equal(log.lost, 2);
	assert_int_equal(errno, ENOENT);
}

static void *log_lines(void *arg)
{
	struct ch_log *log = arg;
	for (int i = 0; i < LINES / THREADS; i++)
		CH_LOG(log, CH_LOG_INFO, "e", CH_S("k", "a value"), CH_I("n", 12));
	return NULL;
}

/* All lines fit in the pipe, so nobody has to read while they are written. */
static void test_threads_write_whole_lines(void **state)
{
	static const char line[] = HEAD " k=\"a value\" n=12\n";
	struct ch_log log = log_to_test(CH_LOG_TEXT);
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	log.sink = NULL;
	log.fd = ends[1];
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_lines, &log), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	close(ends[1]);
	for (int i = 0; i < LINES; i++) {
		char text[sizeof(line)] = "";
		assert_int_equal(read(ends[0], text, strlen(line)), strlen(line));
		assert_string_equal(text, line);
	}
	char more;
	assert_int_equal(read(ends[0], &more, 1), 0);
	close(ends[0]);
	assert_int_equal(log.lost, 0);
}

static void log_one(struct torture *t)
{
	static char value[3000];
	memset(value, 'v', sizeof(value) - 1);
	struct ch_log log = log_to_test(CH_LOG_JSON);
	CH_LOG(&log, CH_LOG_INFO, "e", CH_S("k", value), CH_I("n", 1));
	assert_int_equal(got.lines, t->failed ? 0 : 1);
	assert_int_equal(log.lost, t->failed ? 1 : 0);
}

static void test_torture(void **state)
{
	assert_true(torture_run(log_one) >= 3);
}

int run_log(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_text_values),
			cmocka_unit_test(test_json),
			cmocka_unit_test(test_no_fields),
			cmocka_unit_test(test_levels),
			cmocka_unit_test(test_secret_by_its_name),
			cmocka_unit_test(test_long_value_is_cut_between_characters),
			cmocka_unit_test(test_a_cut_never_bares_a_secret),
			cmocka_unit_test(test_random_bytes_keep_the_line_whole),
			cmocka_unit_test(test_lost_lines_are_counted),
			cmocka_unit_test(test_threads_write_whole_lines),
			cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
