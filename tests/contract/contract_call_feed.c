#include <string.h>

#include "contract.h"

/* The feed of finished calls: the order of the commits, nothing left out, nothing twice. */

static void ask_feed(struct store_request *r, int64_t account, int64_t after, size_t limit)
{
	store_request_init(r, STORE_CALL_FEED, NULL, NULL);
	r->u.call_feed.in.account = account;
	r->u.call_feed.in.after = after;
	r->u.call_feed.in.limit = limit;
	r->u.call_feed.in.max_bytes = 1000000;
}

static void put_of(
		const struct bed *b, int64_t account, unsigned call, enum call_status status, unsigned note)
{
	struct store_request r;

	ask_put(b, &r, &(struct call_spec){.account = account, .call = call, .status = status, .note = note});
	assert_int_equal(serve_drop(b, &r), 0);
}

static void put(const struct bed *b, unsigned call, enum call_status status, unsigned note)
{
	put_of(b, ACCOUNT, call, status, note);
}

static void erase(const struct bed *b, unsigned call)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_ERASE, NULL, NULL);
	r.u.call_erase.in.account = ACCOUNT;
	r.u.call_erase.in.id = id_of('c', call);
	r.u.call_erase.in.now_ms = b->clock.wall.ms;
	assert_int_equal(serve_drop(b, &r), 0);
}

/* What the feed gives in pages of `limit`: "1v2 3v1! ", ! for a tombstone. Returns where it ended. */
static int64_t walk(const struct bed *b, int64_t account, int64_t after, size_t limit, const char *want)
{
	struct ch_buf out;
	bool more = true;

	ch_buf_init(&out, 100000);
	ch_buf_adds(&out, "");
	while (more) {
		struct store_request r;

		ask_feed(&r, account, after, limit);
		assert_int_equal(serve(b, &r), 0);
		assert_false(r.u.call_feed.out.is_purged || r.u.call_feed.out.is_beyond);
		for (size_t i = 0; i < r.u.call_feed.out.count; i++) {
			const struct store_version_row *row = &r.u.call_feed.out.rows[i];

			assert_true(row->seq > after && row->seq <= r.u.call_feed.out.last);
			after = row->seq;
			ch_buf_addf(&out, "%uv%lld%s ",
					(unsigned)row->call_id.b[14] << 8 | row->call_id.b[15],
					(long long)row->version, row->body == NULL ? "!" : "");
			assert_int_equal(row->accepted_ms, b->clock.wall.ms);
		}
		assert_true(r.u.call_feed.out.last >= after);
		after = r.u.call_feed.out.last;
		more = r.u.call_feed.out.more;
		store_request_fini(&r);
	}
	assert_string_equal(ch_buf_text(&out), want);
	ch_buf_fini(&out);
	return after;
}

static void versions_come_in_the_order_of_their_commits(void **state)
{
	struct bed *b = *state;

	put(b, 5, CALL_COMPLETED, 0);
	put(b, 2, CALL_FAILED, 0);
	put(b, 9, CALL_NO_ANSWER, 0);
	put(b, 2, CALL_FAILED, 7);
	put(b, 5, CALL_COMPLETED, 0);
	for (size_t limit = 1; limit <= 5; limit++)
		walk(b, ACCOUNT, -1, limit, "5v1 2v1 9v1 2v2 ");
	int64_t end = walk(b, ACCOUNT, -1, 100, "5v1 2v1 9v1 2v2 ");
	assert_int_equal(walk(b, ACCOUNT, end, 100, ""), end);
	put(b, 1, CALL_COMPLETED, 0);
	walk(b, ACCOUNT, end, 100, "1v1 ");
}

static void the_body_is_the_one_of_that_version(void **state)
{
	struct bed *b = *state;
	struct store_request first, r;

	ask_put(b, &first, &(struct call_spec){.call = 1, .status = CALL_COMPLETED});
	assert_int_equal(serve(b, &first), 0);
	put(b, 1, CALL_COMPLETED, 7);
	ask_feed(&r, ACCOUNT, -1, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_feed.out.count, 2);
	assert_string_equal(r.u.call_feed.out.rows[0].body->data, first.u.call_put.out.body->data);
	assert_string_not_equal(r.u.call_feed.out.rows[1].body->data, first.u.call_put.out.body->data);
	store_request_fini(&r);
	store_request_fini(&first);
}

static void what_is_in_progress_does_not_come(void **state)
{
	struct bed *b = *state;

	assert_int_equal(walk(b, ACCOUNT, -1, 10, ""), 0);
	put(b, 1, CALL_IN_PROGRESS, 0);
	put(b, 1, CALL_IN_PROGRESS, 1);
	put(b, 2, CALL_IN_PROGRESS, 0);
	walk(b, ACCOUNT, -1, 10, "");
	put(b, 1, CALL_COMPLETED, 2);
	walk(b, ACCOUNT, -1, 10, "1v3 ");
	erase(b, 2);
	walk(b, ACCOUNT, -1, 10, "1v3 ");
}

static void only_the_accounts_own_come(void **state)
{
	struct bed *b = *state;

	put(b, 1, CALL_COMPLETED, 0);
	put_of(b, OTHER_ACCOUNT, 1, CALL_COMPLETED, 0);
	put_of(b, OTHER_ACCOUNT, 2, CALL_COMPLETED, 0);
	put(b, 3, CALL_COMPLETED, 0);
	walk(b, ACCOUNT, -1, 1, "1v1 3v1 ");
	walk(b, OTHER_ACCOUNT, -1, 1, "1v1 2v1 ");
	walk(b, 3, -1, 10, "");
}

static void of_an_erased_call_the_tombstone_is_left(void **state)
{
	struct bed *b = *state;

	put(b, 1, CALL_COMPLETED, 0);
	put(b, 2, CALL_COMPLETED, 0);
	put(b, 1, CALL_COMPLETED, 1);
	int64_t at = walk(b, ACCOUNT, -1, 10, "1v1 2v1 1v2 ");
	erase(b, 1);
	erase(b, 1);
	walk(b, ACCOUNT, at, 10, "1v3! ");
	for (size_t limit = 1; limit <= 3; limit++)
		walk(b, ACCOUNT, -1, limit, "2v1 1v3! ");
}

/* More emptied versions than one read looks at: the place moves on all the same. */
static void a_long_run_of_what_was_erased_is_passed_over(void **state)
{
	struct bed *b = *state;

	for (unsigned i = 0; i < 600; i++)
		put(b, 1, CALL_COMPLETED, i);
	put(b, 2, CALL_COMPLETED, 0);
	erase(b, 1);
	walk(b, ACCOUNT, -1, 100, "2v1 1v601! ");
}

static void retain(const struct bed *b, int64_t calls_before_ms)
{
	struct store_retention_place place = {0, 0};

	for (bool more = true; more;) {
		struct store_request r;

		store_request_init(&r, STORE_RETENTION_STEP, NULL, NULL);
		r.u.retention_step.in.now_ms = b->clock.wall.ms;
		r.u.retention_step.in.calls_before_ms = calls_before_ms;
		r.u.retention_step.in.attempts_before_ms = INT64_MIN;
		r.u.retention_step.in.limit = 10;
		r.u.retention_step.in.place = place;
		assert_int_equal(serve(b, &r), 0);
		place = r.u.retention_step.out.place;
		more = r.u.retention_step.out.more;
		store_request_fini(&r);
	}
}

static bool is_purged(const struct bed *b, int64_t account, int64_t after)
{
	struct store_request r;

	ask_feed(&r, account, after, 10);
	assert_int_equal(serve(b, &r), 0);
	bool is = r.u.call_feed.out.is_purged;
	assert_true(!is || r.u.call_feed.out.count == 0);
	store_request_fini(&r);
	return is;
}

static void who_comes_too_late_for_what_retention_removed_is_told(void **state)
{
	struct bed *b = *state;

	put(b, 1, CALL_COMPLETED, 0);
	int64_t early = walk(b, ACCOUNT, -1, 10, "1v1 ");
	put(b, 2, CALL_COMPLETED, 0);
	erase(b, 2);
	int64_t late = walk(b, ACCOUNT, early, 10, "2v2! ");
	put_of(b, OTHER_ACCOUNT, 1, CALL_COMPLETED, 0);
	put(b, 3, CALL_IN_PROGRESS, 0);
	ch_clock_virtual_advance(&b->clock, 1000);
	put(b, 4, CALL_COMPLETED, 0);
	assert_false(is_purged(b, ACCOUNT, 0));
	retain(b, NOW_MS + 500);
	assert_true(is_purged(b, ACCOUNT, 0) && is_purged(b, ACCOUNT, early));
	assert_false(is_purged(b, ACCOUNT, late));
	assert_true(is_purged(b, OTHER_ACCOUNT, late));
	assert_false(is_purged(b, 3, 0));
	walk(b, ACCOUNT, late, 10, "4v1 ");
	walk(b, ACCOUNT, -1, 10, "4v1 ");
	int64_t other = walk(b, OTHER_ACCOUNT, -1, 10, "");
	assert_false(is_purged(b, OTHER_ACCOUNT, other));
}

static void a_page_ends_with_its_bytes(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	for (unsigned i = 1; i <= 3; i++)
		put(b, i, CALL_COMPLETED, 0);
	ask_feed(&r, ACCOUNT, -1, 10);
	r.u.call_feed.in.max_bytes = 1;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_feed.out.count, 1);
	assert_true(r.u.call_feed.out.more);
	assert_int_equal(r.u.call_feed.out.last, r.u.call_feed.out.rows[0].seq);
	store_request_fini(&r);
}

static int64_t end_of(const struct bed *b, int64_t account)
{
	struct store_request r;
	int64_t end;

	ask_feed(&r, account, STORE_FEED_END, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_feed.out.count, 0);
	assert_false(r.u.call_feed.out.more);
	end = r.u.call_feed.out.last;
	store_request_fini(&r);
	return end;
}

static void the_end_is_the_accounts_own(void **state)
{
	struct bed *b = *state;

	assert_int_equal(end_of(b, ACCOUNT), 0);
	put(b, 1, CALL_COMPLETED, 0);
	int64_t end = walk(b, ACCOUNT, -1, 10, "1v1 ");
	put_of(b, OTHER_ACCOUNT, 1, CALL_COMPLETED, 0);
	put(b, 2, CALL_IN_PROGRESS, 0);
	assert_int_equal(end_of(b, ACCOUNT), end);
	put(b, 2, CALL_COMPLETED, 0);
	walk(b, ACCOUNT, end, 10, "2v2 ");
	walk(b, ACCOUNT, end_of(b, ACCOUNT), 10, "");
}

static void a_place_that_never_was_is_beyond(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	put(b, 1, CALL_COMPLETED, 0);
	int64_t end = walk(b, ACCOUNT, -1, 10, "1v1 ");
	ask_feed(&r, ACCOUNT, end + 1, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_true(r.u.call_feed.out.is_beyond && !r.u.call_feed.out.is_purged);
	assert_int_equal(r.u.call_feed.out.count, 0);
	store_request_fini(&r);
}

static struct id store_id_of(const struct bed *b)
{
	struct store_request r;
	struct id id;

	ask_feed(&r, ACCOUNT, -1, 1);
	assert_int_equal(serve(b, &r), 0);
	id = r.u.call_feed.out.store_id;
	store_request_fini(&r);
	return id;
}

static void every_store_has_an_id_of_its_own(void **state)
{
	struct bed *b = *state;
	struct bed other;
	struct id id = store_id_of(b), again, theirs;

	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	again = store_id_of(b);
	assert_id_equal(&id, &again);
	bed_open_seeded(&other, b->flavour, 8);
	theirs = store_id_of(&other);
	assert_memory_not_equal(&id, &theirs, sizeof(id));
	bed_close(&other);
}

static void it_is_there_after_a_restart(void **state)
{
	struct bed *b = *state;

	if (!flavour_is_durable(b->flavour)) {
		walk(b, ACCOUNT, -1, 10, "");
		return;
	}
	put(b, 1, CALL_COMPLETED, 0);
	put(b, 2, CALL_COMPLETED, 0);
	erase(b, 1);
	int64_t at = walk(b, ACCOUNT, -1, 10, "2v1 1v2! ");
	bed_restart(b);
	assert_int_equal(walk(b, ACCOUNT, -1, 10, "2v1 1v2! "), at);
	put(b, 3, CALL_COMPLETED, 0);
	walk(b, ACCOUNT, at, 10, "3v1 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

int contract_call_feed(void)
{
	const struct CMUnitTest tests[] = {
			TEST(versions_come_in_the_order_of_their_commits),
			TEST(the_body_is_the_one_of_that_version),
			TEST(what_is_in_progress_does_not_come),
			TEST(only_the_accounts_own_come),
			TEST(of_an_erased_call_the_tombstone_is_left),
			TEST(a_long_run_of_what_was_erased_is_passed_over),
			TEST(who_comes_too_late_for_what_retention_removed_is_told),
			TEST(a_page_ends_with_its_bytes),
			TEST(the_end_is_the_accounts_own),
			TEST(a_place_that_never_was_is_beyond),
			TEST(every_store_has_an_id_of_its_own),
			TEST(it_is_there_after_a_restart),
	};

	return cmocka_run_group_tests_name("call feed", tests, NULL, NULL);
}
