#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/commit_bell.h"
#include "api_rig.h"
#include "groups.h"
#include "store/store.h"

/* Waiting for finished calls, on a clock that stands still; there is no bell in the rig, so the store is
 * asked at every tick. */

#define MOST 16 /* that may wait, of one account */

static void begin(struct api_rig *r, struct client *c, const char *query)
{
	char text[300];

	client_open(c, &r->rig);
	snprintf(text, sizeof(text), "GET /v1/calls/feed?%s HTTP/1.1\r\nHost: x\r\n" KEY_A "\r\n", query);
	client_sends(c, text);
}

static void begin_waits(struct api_rig *r, struct client *clients, size_t count)
{
	size_t busy = api_busy(r->api);

	for (size_t i = 0; i < count; i++)
		begin(r, &clients[i], "wait=30");
	while (api_busy(r->api) < busy + count)
		rig_turn(&r->rig);
}

static void ended(struct client *c, int status, size_t calls)
{
	struct answer a = client_read(c, false);

	if (a.status != status)
		fail_msg("%d and not %d: %s", a.status, status, a.body);
	if (status == 200) {
		json_t *json = json_loadb(a.body, a.body_len, JSON_REJECT_DUPLICATES, NULL);

		assert_int_equal(json_array_size(json_object_get(json, "content")), calls);
		assert_int_equal(strlen(json_text(json, "next")), 22);
		json_decref(json);
	} else {
		assert_problem(&a, status);
	}
	answer_fini(&a);
	client_close(c);
}

/* More turns than a wait would need to be looked at. */
static void let_ticks_pass(struct api_rig *r)
{
	for (int i = 0; i < 120; i++)
		rig_turn(&r->rig);
}

static void a_wait_ends_when_its_time_is_over(void **state)
{
	struct api_rig *r = *state;
	struct client c;

	begin_waits(r, &c, 1);
	ch_clock_virtual_advance(&r->rig.time, 29999);
	let_ticks_pass(r);
	assert_int_equal(api_busy(r->api), 1);
	assert_int_equal(c.in.len, 0);
	ch_clock_virtual_advance(&r->rig.time, 1);
	ended(&c, 200, 0);
}

static void a_call_ends_it_before(void **state)
{
	struct api_rig *r = *state;
	struct client c;

	begin_waits(r, &c, 1);
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_1, record_json(CALL_1, "IN_PROGRESS", NULL), 201));
	let_ticks_pass(r);
	assert_int_equal(api_busy(r->api), 1);
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_1, record_json(CALL_1, NULL, NULL), 200));
	ended(&c, 200, 1);
	begin(r, &c, "wait=30");
	ended(&c, 200, 1);
}

static void so_many_wait_and_who_leaves_makes_room(void **state)
{
	struct api_rig *r = *state;
	struct client c[MOST], late;

	begin_waits(r, c, MOST);
	begin(r, &late, "wait=30");
	ended(&late, 429, 0);
	struct answer a = api_ask(r, "GET", "/v1/calls/feed", KEY_B, NULL);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	client_close(&c[0]);
	while (api_busy(r->api) == MOST)
		rig_turn(&r->rig);
	begin_waits(r, &late, 1);
	ch_clock_virtual_advance(&r->rig.time, 30000);
	ended(&late, 200, 0);
	for (size_t i = 1; i < MOST; i++)
		ended(&c[i], 200, 0);
}

static void a_stop_ends_it(void **state)
{
	struct api_rig *r = *state;
	struct client c[2];

	begin_waits(r, c, 2);
	api_stopping(r->api);
	ended(&c[0], 200, 0);
	ended(&c[1], 200, 0);
}

static void a_store_that_fails_ends_it(void **state)
{
	struct api_rig *r = *state;
	struct client c;

	begin_waits(r, &c, 1);
	store_fault_fail_read(r->fault, 1, CH_EIO);
	ended(&c, 503, 0);
	store_fault_fail_read(r->fault, 0, 0);
}

/* ---- the bell ---- */

struct ear {
	struct ch_port port;
	struct commit_bell bell;
	size_t heard[COMMIT_NEWS_COUNT];
	uint64_t accounts;
};

static void heard_attempts(void *ctx, uint64_t accounts)
{
	((struct ear *)ctx)->heard[COMMIT_ATTEMPTS]++;
	((struct ear *)ctx)->accounts = accounts;
}

static void heard_calls(void *ctx, uint64_t accounts)
{
	((struct ear *)ctx)->heard[COMMIT_CALLS]++;
	((struct ear *)ctx)->accounts = accounts;
}

static void ear_init(struct ear *e)
{
	struct ch_err err;

	memset(e, 0, sizeof(*e));
	assert_int_equal(ch_port_init(&e->port, false, &err), 0);
	commit_bell_init(&e->bell, &e->port);
	commit_bell_listen(&e->bell, COMMIT_ATTEMPTS, heard_attempts, e);
	commit_bell_listen(&e->bell, COMMIT_CALLS, heard_calls, e);
}

static void commit_put(struct ear *e, int64_t account, enum call_status status, enum store_put_result what,
		int result)
{
	struct store_request s, *list[] = {&s};

	store_request_init(&s, STORE_CALL_PUT, NULL, NULL);
	s.u.call_put.in.account = account;
	s.u.call_put.in.facts.status = status;
	s.u.call_put.out.what = what;
	s.result = result;
	commit_bell_committed(&e->bell, list, 1);
}

static void commit_other(struct ear *e, enum store_kind kind)
{
	struct store_request s, *list[] = {&s};

	store_request_init(&s, kind, NULL, NULL);
	commit_bell_committed(&e->bell, list, 1);
}

static void the_bell_rings_for_what_is_waited_for(void **state)
{
	struct ear e;

	ear_init(&e);
	commit_put(&e, 1, CALL_COMPLETED, STORE_PUT_CREATED, 0);
	commit_other(&e, STORE_ATTEMPT);
	assert_int_equal(ch_port_dispatch(&e.port), 0);
	commit_bell_wait(&e.bell, COMMIT_CALLS);
	commit_other(&e, STORE_ATTEMPT);
	commit_put(&e, 1, CALL_IN_PROGRESS, STORE_PUT_CREATED, 0);
	commit_put(&e, 1, CALL_COMPLETED, STORE_PUT_UNCHANGED, 0);
	commit_put(&e, 1, CALL_COMPLETED, STORE_PUT_REPLACED, CH_ECONFLICT);
	assert_int_equal(ch_port_dispatch(&e.port), 0);
	commit_put(&e, 3, CALL_COMPLETED, STORE_PUT_CREATED, 0);
	commit_put(&e, 66, CALL_FAILED, STORE_PUT_REPLACED, 0);
	assert_int_equal(ch_port_dispatch(&e.port), 1);
	assert_int_equal(e.heard[COMMIT_CALLS], 1);
	assert_true(commit_bell_concerns(e.accounts, 3) && commit_bell_concerns(e.accounts, 66));
	assert_true(commit_bell_concerns(e.accounts, 2)); /* as 66: one of 64 */
	assert_false(commit_bell_concerns(e.accounts, 1) || commit_bell_concerns(e.accounts, 4));
	commit_other(&e, STORE_CALL_ERASE);
	assert_int_equal(ch_port_dispatch(&e.port), 1);
	assert_int_equal(e.heard[COMMIT_CALLS], 2);
	commit_bell_leave(&e.bell, COMMIT_CALLS);
	commit_bell_wait(&e.bell, COMMIT_ATTEMPTS);
	commit_put(&e, 1, CALL_COMPLETED, STORE_PUT_CREATED, 0);
	assert_int_equal(ch_port_dispatch(&e.port), 0);
	commit_other(&e, STORE_ATTEMPT);
	assert_int_equal(ch_port_dispatch(&e.port), 1);
	assert_int_equal(e.heard[COMMIT_ATTEMPTS], 1);
	assert_int_equal(e.heard[COMMIT_CALLS], 2);
	ch_port_fini(&e.port);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_rig_setup, api_rig_teardown)

int group_call_feed(void)
{
	const struct CMUnitTest tests[] = {
			TEST(a_wait_ends_when_its_time_is_over),
			TEST(a_call_ends_it_before),
			TEST(so_many_wait_and_who_leaves_makes_room),
			TEST(a_stop_ends_it),
			TEST(a_store_that_fails_ends_it),
			cmocka_unit_test(the_bell_rings_for_what_is_waited_for),
	};
	return cmocka_run_group_tests_name("call feed", tests, NULL, NULL);
}
