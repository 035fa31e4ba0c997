#include <stdio.h>

#include "contract.h"

static int create(const struct bed *b, const char *id, int64_t *ret_number)
{
	struct store_request r;
	struct account *a;

	store_request_init(&r, STORE_ACCOUNT_CREATE, NULL, NULL);
	a = &r.u.account_create.in.account;
	snprintf(a->id, sizeof(a->id), "%s", id);
	snprintf(a->name, sizeof(a->name), "the name of %s", id);
	a->created_ms = NOW_MS;
	a->key_sha256[0][0] = 1;
	a->key_sha256[1][0] = 2;
	int rc = serve(b, &r);
	if (rc == 0)
		*ret_number = r.u.account_create.out.number;
	store_request_fini(&r);
	return rc;
}

/* ACCOUNT and OTHER_ACCOUNT are the numbers of the first two. */
static void create_two(const struct bed *b)
{
	int64_t number = 0;

	assert_int_equal(create(b, "one", &number), 0);
	assert_int_equal(number, ACCOUNT);
	assert_int_equal(create(b, "two", &number), 0);
	assert_int_equal(number, OTHER_ACCOUNT);
}

static void list(const struct bed *b, struct store_request *r)
{
	store_request_init(r, STORE_ACCOUNT_LIST, NULL, NULL);
	assert_int_equal(serve(b, r), 0);
}

static int delete (const struct bed *b, int64_t number)
{
	struct store_request r;

	store_request_init(&r, STORE_ACCOUNT_DELETE, NULL, NULL);
	r.u.account_delete.in.number = number;
	r.u.account_delete.in.now_ms = NOW_MS;
	return serve_drop(b, &r);
}

static bool sweep(const struct bed *b, int64_t number, size_t limit, size_t *ret_removed)
{
	struct store_request r;

	store_request_init(&r, STORE_ACCOUNT_SWEEP, NULL, NULL);
	r.u.account_sweep.in.number = number;
	r.u.account_sweep.in.limit = limit;
	assert_int_equal(serve(b, &r), 0);
	bool more = r.u.account_sweep.out.more;
	*ret_removed = r.u.account_sweep.out.removed;
	store_request_fini(&r);
	return more;
}

static void sweep_webhook(const struct bed *b, unsigned n)
{
	struct store_request r;

	store_request_init(&r, STORE_WEBHOOK_SWEEP, NULL, NULL);
	r.u.webhook_sweep.in.id = id_of('w', n);
	r.u.webhook_sweep.in.limit = 100;
	r.u.webhook_sweep.in.now_ms = NOW_MS;
	assert_int_equal(serve_drop(b, &r), 0);
}

static int put_call(const struct bed *b, int64_t account, unsigned call)
{
	struct call_spec spec = {.account = account, .call = call, .status = CALL_COMPLETED};
	struct store_request r;

	ask_put(b, &r, &spec);
	return serve_drop(b, &r);
}

static int get_call(const struct bed *b, int64_t account, unsigned call)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = account;
	r.u.call_get.in.id = id_of('c', call);
	return serve_drop(b, &r);
}

static void a_key_is_rotated(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	create_two(b);
	store_request_init(&r, STORE_ACCOUNT_UPDATE, NULL, NULL);
	r.u.account_update.in.number = OTHER_ACCOUNT;
	r.u.account_update.in.now_ms = NOW_MS + 5;
	r.u.account_update.in.has_key[1] = true;
	r.u.account_update.in.key_sha256[1][0] = 9;
	assert_int_equal(serve_drop(b, &r), 0);
	list(b, &r);
	assert_int_equal(r.u.account_list.out.count, 2);
	const struct account *a = &r.u.account_list.out.accounts[1];
	assert_string_equal(a->name, "the name of two");
	assert_int_equal(a->key_sha256[0][0], 1);
	assert_int_equal(a->key_sha256[1][0], 9);
	assert_int_equal(a->key_rotated_ms[0], 0);
	assert_int_equal(a->key_rotated_ms[1], NOW_MS + 5);
	assert_int_equal(r.u.account_list.out.accounts[0].key_sha256[1][0], 2);
	store_request_fini(&r);
}

static void an_account_that_is_not_there(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	create_two(b);
	assert_int_equal(delete (b, 77), CH_ENOENT);
	store_request_init(&r, STORE_ACCOUNT_UPDATE, NULL, NULL);
	r.u.account_update.in.number = 77;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	store_request_init(&r, STORE_ACCOUNT_SWEEP, NULL, NULL);
	r.u.account_sweep.in.number = ACCOUNT;
	r.u.account_sweep.in.limit = 1;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
}

static void deletion_names_the_webhooks(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	create_two(b);
	make_webhook_of(b, OTHER_ACCOUNT, 1);
	make_webhook_of(b, OTHER_ACCOUNT, 2);
	make_webhook_of(b, ACCOUNT, 3);
	store_request_init(&r, STORE_ACCOUNT_DELETE, NULL, NULL);
	r.u.account_delete.in.number = OTHER_ACCOUNT;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.account_delete.out.webhook_count, 2);
	store_request_fini(&r);
	store_request_init(&r, STORE_WEBHOOK_LIST, NULL, NULL);
	r.u.webhook_list.in.account = OTHER_ACCOUNT;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.webhook_list.out.count, 0);
	store_request_fini(&r);
	list(b, &r);
	assert_int_equal(r.u.account_list.out.count, 1);
	assert_int_equal(r.u.account_list.out.accounts[0].number, ACCOUNT);
	store_request_fini(&r);
	assert_int_equal(delete (b, OTHER_ACCOUNT), CH_ENOENT);
}

static void nothing_new_comes_for_a_deleted_account(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	create_two(b);
	assert_int_equal(delete (b, OTHER_ACCOUNT), 0);
	for (int again = 0; again <= flavour_is_durable(b->flavour); again++) {
		assert_int_equal(put_call(b, OTHER_ACCOUNT, 1), CH_ENOENT);
		assert_int_equal(put_call(b, ACCOUNT, 1), 0);
		ask_webhook(b, &r, 1, true);
		r.u.webhook_create.in.webhook.account = OTHER_ACCOUNT;
		assert_int_equal(serve_drop(b, &r), CH_ENOENT);
		if (flavour_is_durable(b->flavour))
			bed_restart(b);
	}
}

static void rows_go_when_the_deliveries_are_canceled(void **state)
{
	struct bed *b = *state;
	size_t removed;
	int64_t number;

	create_two(b);
	make_webhook_of(b, OTHER_ACCOUNT, 1);
	make_webhook_of(b, ACCOUNT, 2);
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(put_call(b, OTHER_ACCOUNT, i), 0);
	assert_int_equal(put_call(b, ACCOUNT, 1), 0);
	assert_int_equal(delete (b, OTHER_ACCOUNT), 0);
	assert_false(sweep(b, OTHER_ACCOUNT, 3, &removed));
	assert_int_equal(get_call(b, OTHER_ACCOUNT, 1), 0);
	sweep_webhook(b, 1);
	assert_int_equal(create(b, "two", &number), CH_EEXIST);
	while (sweep(b, OTHER_ACCOUNT, 3, &removed)) {
		assert_true(removed >= 3);
		if (flavour_is_durable(b->flavour))
			bed_restart(b);
	}
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(get_call(b, OTHER_ACCOUNT, i), CH_ENOENT);
	assert_int_equal(get_call(b, ACCOUNT, 1), 0);
	assert_ledger(b, OTHER_ACCOUNT, 0, 0, 0, 0, 5);
	assert_ledger(b, ACCOUNT, 1, 0, 0, 0, 0);
	assert_int_equal(create(b, "two", &number), 0);
	assert_true(number > OTHER_ACCOUNT);
	assert_int_equal(get_call(b, number, 1), CH_ENOENT);
}

static size_t purges(const struct bed *b)
{
	struct store_request r;

	store_request_init(&r, STORE_SWEEPS, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	size_t count = r.u.sweeps.out.account_count;
	store_request_fini(&r);
	return count;
}

static void unfinished_removal_is_found(void **state)
{
	struct bed *b = *state;
	size_t removed;

	create_two(b);
	make_webhook_of(b, OTHER_ACCOUNT, 1);
	assert_int_equal(put_call(b, OTHER_ACCOUNT, 1), 0);
	assert_int_equal(purges(b), 0);
	assert_int_equal(delete (b, OTHER_ACCOUNT), 0);
	assert_int_equal(purges(b), 0);
	sweep_webhook(b, 1);
	assert_int_equal(purges(b), 1);
	while (sweep(b, OTHER_ACCOUNT, 1, &removed))
		assert_int_equal(purges(b), 1);
	assert_int_equal(purges(b), 0);
}

int contract_accounts(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(a_key_is_rotated, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					an_account_that_is_not_there, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(deletion_names_the_webhooks, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					nothing_new_comes_for_a_deleted_account, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					rows_go_when_the_deliveries_are_canceled, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(unfinished_removal_is_found, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("accounts", tests, NULL, NULL);
}
