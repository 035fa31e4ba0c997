#include <stdio.h>
#include <unistd.h>

#include "contract.h"

struct url_case {
	const char *url;
	const char *words; /* in the error */
};

static const struct url_case refused[] = {
		{"postgres://user:hunter2@db/callhook", "not part of this build"},
		{"postgresql://db/callhook", "not part of this build"},
		{"sqlite:", "lacks the path"},
		{"memory:x", "nothing behind it"},
		{"", "not a store's URL"},
		{"calls.db", "not a store's URL"},
		{"mysql://user:hunter2@db", "not a store's URL"},
		{"SQLITE:calls.db", "not a store's URL"},
};

static struct store_conf conf_of(struct ch_clock_virtual *clock)
{
	return (struct store_conf){ch_clock_virtual_of(clock), ch_rand_system()};
}

static void what_is_no_store_is_refused(void **state)
{
	struct ch_clock_virtual clock = {{NOW_MS}, {0}};
	struct store_conf conf = conf_of(&clock);

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct ch_err err = {0};
		struct store *s = NULL;

		assert_int_equal(store_open(refused[i].url, &conf, &s, &err), CH_EINVAL);
		assert_null(s);
		assert_int_equal(err.code, CH_EINVAL);
		assert_non_null(strstr(err.text, refused[i].words));
		assert_null(strstr(err.text, "hunter2"));
	}
}

static void a_store_says_what_it_is(void **state)
{
	struct ch_clock_virtual clock = {{NOW_MS}, {0}};
	struct store_conf conf = conf_of(&clock);
	char dir[] = "/tmp/callhook-open-XXXXXX", url[64];
	struct store *s = NULL;

	assert_int_equal(store_open("memory:", &conf, &s, NULL), 0);
	assert_string_equal(s->ops->name, "memory");
	store_close(&s);
	assert_null(s);
	store_close(&s);
	assert_non_null(mkdtemp(dir));
	snprintf(url, sizeof(url), "sqlite:%s/missing/store.db", dir);
	assert_int_not_equal(store_open(url, &conf, &s, NULL), 0);
	assert_null(s);
	rmdir(dir);
}

static void kinds_have_names_and_sides(void **state)
{
	for (int i = 0; i < STORE_KIND_COUNT; i++) {
		assert_non_null(store_kind_name((enum store_kind)i));
		assert_int_equal(store_kind_is_write((enum store_kind)i), i < STORE_CALL_GET);
	}
	assert_string_equal(store_kind_name(STORE_CALL_PUT), "call_put");
	assert_string_equal(store_kind_name(STORE_LEDGER), "ledger");
}

static void a_fresh_request_can_be_dropped(void **state)
{
	for (int i = 0; i < STORE_KIND_COUNT; i++) {
		struct store_request r;

		memset(&r, 0xee, sizeof(r));
		store_request_init(&r, (enum store_kind)i, NULL, NULL);
		assert_int_equal(r.result, 0);
		store_request_clear_out(&r);
		store_request_fini(&r);
		store_request_fini(&r);
	}
}

static void a_write_belongs_to_its_account(void **state)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_PUT, NULL, NULL);
	r.u.call_put.in.account = 3;
	assert_int_equal(store_request_account(&r), 3);
	store_request_init(&r, STORE_WEBHOOK_CREATE, NULL, NULL);
	r.u.webhook_create.in.webhook.account = 4;
	assert_int_equal(store_request_account(&r), 4);
	store_request_init(&r, STORE_WEBHOOK_UPDATE, NULL, NULL);
	r.u.webhook_update.in.webhook.account = 5;
	assert_int_equal(store_request_account(&r), 5);
	store_request_init(&r, STORE_WEBHOOK_DELETE, NULL, NULL);
	r.u.webhook_delete.in.account = 6;
	assert_int_equal(store_request_account(&r), 6);
	store_request_init(&r, STORE_ATTEMPT, NULL, NULL);
	r.u.attempt.in.account = 7;
	assert_int_equal(store_request_account(&r), 7);
	store_request_init(&r, STORE_ACCOUNT_CREATE, NULL, NULL);
	assert_int_equal(store_request_account(&r), 0);
}

int test_open(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_is_no_store_is_refused),
			cmocka_unit_test(a_store_says_what_it_is),
			cmocka_unit_test(kinds_have_names_and_sides),
			cmocka_unit_test(a_fresh_request_can_be_dropped),
			cmocka_unit_test(a_write_belongs_to_its_account),
	};

	return cmocka_run_group_tests_name("open and requests", tests, NULL, NULL);
}
