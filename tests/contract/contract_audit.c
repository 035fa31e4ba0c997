#include <stdio.h>

#include "contract.h"

static struct store_audit *audit_of(int64_t account, const char *action, const char *detail)
{
	struct store_audit *a = ch_calloc(1, sizeof(*a));

	a->account = account;
	a->at_ms = NOW_MS;
	snprintf(a->actor, sizeof(a->actor), "api key primary");
	snprintf(a->address, sizeof(a->address), "192.0.2.1");
	snprintf(a->action, sizeof(a->action), "%s", action);
	snprintf(a->target_kind, sizeof(a->target_kind), "webhook");
	snprintf(a->target_id, sizeof(a->target_id), "some-id");
	a->detail = detail ? ch_strdup(detail) : NULL;
	return a;
}

static void add(const struct bed *b, int64_t account, const char *action)
{
	struct store_request r;

	store_request_init(&r, STORE_AUDIT_ADD, NULL, NULL);
	r.audit = audit_of(account, action, NULL);
	assert_int_equal(serve_drop(b, &r), 0);
}

static void list(const struct bed *b, int64_t account, int64_t before, size_t limit, struct store_request *r)
{
	store_request_init(r, STORE_AUDIT_LIST, NULL, NULL);
	r->u.audit_list.in.account = account;
	r->u.audit_list.in.before = before;
	r->u.audit_list.in.limit = limit;
	assert_int_equal(serve(b, r), 0);
}

static size_t count_of(const struct bed *b, int64_t account)
{
	struct store_request r;

	list(b, account, 0, 100, &r);
	size_t count = r.u.audit_list.out.count;
	store_request_fini(&r);
	return count;
}

static void a_write_is_logged_with_it(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	ask_webhook(b, &r, 1, true);
	r.audit = audit_of(ACCOUNT, "webhook.create", "{\"enabled\":true}");
	assert_int_equal(serve_drop(b, &r), 0);
	list(b, ACCOUNT, 0, 10, &r);
	assert_int_equal(r.u.audit_list.out.count, 1);
	assert_false(r.u.audit_list.out.more);
	const struct store_audit *a = &r.u.audit_list.out.rows[0];
	assert_int_equal(a->account, ACCOUNT);
	assert_int_equal(a->at_ms, NOW_MS);
	assert_string_equal(a->actor, "api key primary");
	assert_string_equal(a->address, "192.0.2.1");
	assert_string_equal(a->action, "webhook.create");
	assert_string_equal(a->target_kind, "webhook");
	assert_string_equal(a->target_id, "some-id");
	assert_string_equal(a->detail, "{\"enabled\":true}");
	store_request_fini(&r);
}

static void what_is_refused_is_not_logged(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	ask_webhook(b, &r, 1, true);
	r.audit = audit_of(ACCOUNT, "webhook.create", NULL);
	assert_int_equal(serve_drop(b, &r), CH_EEXIST);
	assert_int_equal(count_of(b, ACCOUNT), 0);
}

static void a_batch_that_fails_leaves_no_line(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct store_request *one = &r;

	if (!flavour_has_faults(b->flavour))
		return;
	store_request_init(&r, STORE_AUDIT_ADD, NULL, NULL);
	r.audit = audit_of(ACCOUNT, "secret.reveal", NULL);
	store_fault_fail_write(b->store, 1, CH_EFULL);
	assert_int_equal(b->store->ops->write(b->store, &one, 1, NULL), CH_EFULL);
	store_request_fini(&r);
	assert_int_equal(count_of(b, ACCOUNT), 0);
	add(b, ACCOUNT, "secret.reveal");
	assert_int_equal(count_of(b, ACCOUNT), 1);
}

static void pages_go_back_from_the_newest(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	char action[20];
	int64_t before = 0;
	int seen = 0;

	for (int i = 0; i < 7; i++) {
		snprintf(action, sizeof(action), "a.%d", i);
		add(b, ACCOUNT, action);
		add(b, i < 3 ? OTHER_ACCOUNT : STORE_AUDIT_INSTALLATION, "b.other");
	}
	for (bool more = true; more;) {
		list(b, ACCOUNT, before, 3, &r);
		for (size_t i = 0; i < r.u.audit_list.out.count; i++) {
			snprintf(action, sizeof(action), "a.%d", 6 - seen++);
			assert_string_equal(r.u.audit_list.out.rows[i].action, action);
			before = r.u.audit_list.out.rows[i].number;
		}
		more = r.u.audit_list.out.more;
		store_request_fini(&r);
	}
	assert_int_equal(seen, 7);
	assert_int_equal(count_of(b, OTHER_ACCOUNT), 3);
	assert_int_equal(count_of(b, STORE_AUDIT_INSTALLATION), 4);
}

static int spend(const struct bed *b, unsigned n, int64_t now_ms, int64_t until_ms)
{
	struct store_request r;

	store_request_init(&r, STORE_SPEND, NULL, NULL);
	r.u.spend.in.id = id_of('s', n);
	r.u.spend.in.now_ms = now_ms;
	r.u.spend.in.until_ms = until_ms;
	return serve_drop(b, &r);
}

static void a_thing_is_spent_once(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	assert_int_equal(spend(b, 1, NOW_MS, NOW_MS + 10), 0);
	assert_int_equal(spend(b, 2, NOW_MS, NOW_MS + 100), 0);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	assert_int_equal(spend(b, 1, NOW_MS + 10, NOW_MS + 20), CH_EEXIST);
	store_request_init(&r, STORE_SPENT_LIST, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.spent_list.out.count, 2);
	struct id first = id_of('s', 1);
	assert_id_equal(&r.u.spent_list.out.rows[0].id, &first);
	assert_int_equal(r.u.spent_list.out.rows[0].until_ms, NOW_MS + 10);
	store_request_fini(&r);
	assert_int_equal(spend(b, 1, NOW_MS + 11, NOW_MS + 20), 0);
}

int contract_audit(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(a_write_is_logged_with_it, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					what_is_refused_is_not_logged, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_batch_that_fails_leaves_no_line, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					pages_go_back_from_the_newest, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_thing_is_spent_once, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
