#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_store_sqlite.h"

/* A file with flipped bytes may give errors or wrong data, but it must not take the process down. */

#define CALLS 60
#define ROUNDS 150

struct damage {
	struct bed bed;
	struct delivery made[CALLS];
	char *file;
	size_t bytes;
	char path[128];
	size_t errors;
};

static void fill(struct damage *d)
{
	struct store_request r;

	for (unsigned n = 1; n <= 3; n++)
		make_webhook_of(&d->bed, n, n);
	for (unsigned i = 0; i < CALLS; i++) {
		d->made[i] = make_delivery(&d->bed, i + 1);
		for (unsigned t = 0; t < i % 4; t++) {
			ask_attempt(&d->bed, &r, &d->made[i], i * 4 + t,
					t == 2 ? DELIVERY_DELIVERED : DELIVERY_PENDING);
			assert_int_equal(serve_drop(&d->bed, &r), 0);
		}
	}
}

static void keep_file(struct damage *d)
{
	struct stat st;
	int fd = open(d->path, O_RDONLY);

	assert_int_equal(fstat(fd, &st), 0);
	d->bytes = (size_t)st.st_size;
	d->file = malloc(d->bytes);
	assert_int_equal(read(fd, d->file, d->bytes), d->bytes);
	close(fd);
}

static void write_damaged(struct damage *d, const struct ch_rand *rand)
{
	size_t flips = 1 + ch_rand_below(rand, 40);
	char *copy = malloc(d->bytes);
	int fd = open(d->path, O_WRONLY | O_TRUNC);

	memcpy(copy, d->file, d->bytes);
	/* Not in the first 100 bytes: a broken header is found at once and nothing after it is tried. */
	for (size_t i = 0; i < flips; i++)
		copy[100 + ch_rand_below(rand, d->bytes - 100)] ^= (char)(1 + ch_rand_below(rand, 255));
	assert_int_equal(write(fd, copy, d->bytes), d->bytes);
	close(fd);
	free(copy);
}

static void count(struct damage *d, int rc)
{
	assert_true(rc == 0 || rc == CH_EDAMAGED || rc == CH_EIO || rc == CH_ENOENT || rc == CH_ENOMEM ||
			rc == CH_EEXIST || rc == CH_ECONFLICT || rc == CH_EGONE);
	d->errors += rc == CH_EDAMAGED || rc == CH_EIO;
}

static void ask(struct damage *d, struct store_request *r)
{
	d->bed.store->ops->read(d->bed.reader, r);
	count(d, r->result);
	store_request_fini(r);
}

static void read_lists(struct damage *d)
{
	struct store_request r;

	for (unsigned i = 0; i < 8; i++) {
		store_request_init(&r, STORE_CALL_LIST, NULL, NULL);
		r.u.call_list.in.account = ACCOUNT;
		r.u.call_list.in.has_agent = (i & 1) != 0;
		r.u.call_list.in.agent_id = id_of('a', 0);
		r.u.call_list.in.is_ascending = (i & 2) != 0;
		r.u.call_list.in.from_s = (i & 4) != 0 ? NOW_MS / 1000 : INT64_MIN;
		r.u.call_list.in.to_s = (i & 4) != 0 ? NOW_MS / 1000 : INT64_MAX;
		r.u.call_list.in.skip = i * 3;
		r.u.call_list.in.limit = 100;
		r.u.call_list.in.max_bytes = SIZE_MAX;
		ask(d, &r);
	}
	store_request_init(&r, STORE_AGENT_LIST, NULL, NULL);
	r.u.agent_list.in.account = ACCOUNT;
	r.u.agent_list.in.limit = 100;
	ask(d, &r);
}

static void read_all(struct damage *d)
{
	struct store_request r;

	read_lists(d);

	for (unsigned i = 0; i < CALLS; i++) {
		store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
		r.u.delivery_get.in.account = ACCOUNT;
		r.u.delivery_get.in.id = d->made[i].id;
		r.u.delivery_get.in.attempt_limit = 10;
		ask(d, &r);
		store_request_init(&r, STORE_CALL_GET, NULL, NULL);
		r.u.call_get.in.account = ACCOUNT;
		r.u.call_get.in.id = id_of('c', i + 1);
		ask(d, &r);
	}
	store_request_init(&r, STORE_CALL_FEED, NULL, NULL);
	r.u.call_feed.in.account = ACCOUNT;
	r.u.call_feed.in.after = -1;
	r.u.call_feed.in.limit = 100;
	r.u.call_feed.in.max_bytes = SIZE_MAX;
	ask(d, &r);
	for (int kind = STORE_LANES; kind <= STORE_LEDGER; kind++) {
		store_request_init(&r, (enum store_kind)kind, NULL, NULL);
		ask(d, &r);
	}
	for (unsigned states = 0; states < 64; states++) {
		ask_list(&r, 100);
		r.u.delivery_list.in.states = (uint8_t)(states & ~(1u << DELIVERY_DELIVERING));
		ask(d, &r);
	}
	for (int32_t step_s = 60; step_s <= 3600; step_s += 3540) {
		ask_history(&d->bed, &r, 1, step_s, 50);
		ask(d, &r);
	}
	store_request_init(&r, STORE_BACKLOG, NULL, NULL);
	r.u.backlog.in.account = ACCOUNT;
	r.u.backlog.in.webhook_id = id_of('w', 1);
	r.u.backlog.in.limit = 1000;
	ask(d, &r);
	ask_claim(&d->bed, &r, 1, 100);
	ask(d, &r);
	ask_probe(&r, 1, NULL);
	ask(d, &r);
}

static void write_one(struct damage *d, struct store_request *r)
{
	struct store_request *list[1] = {r};
	struct ch_err err;

	(void)d->bed.store->ops->write(d->bed.store, list, 1, &err);
	count(d, r->result);
	store_request_fini(r);
}

static void write_some(struct damage *d)
{
	struct store_request r;

	for (unsigned i = 0; i < CALLS; i++) {
		struct call_spec spec = {.call = i + 1, .status = CALL_COMPLETED, .note = 7, .notify = true};

		ask_put(&d->bed, &r, &spec);
		write_one(d, &r);
		ask_attempt(&d->bed, &r, &d->made[i], 1000 + i, DELIVERY_DELIVERED);
		write_one(d, &r);
		ask_resend(&d->bed, &r, &d->made[i].id);
		write_one(d, &r);
	}
	for (unsigned i = 0; i < CALLS; i += 2) {
		store_request_init(&r, STORE_CALL_ERASE, NULL, NULL);
		r.u.call_erase.in.account = ACCOUNT;
		r.u.call_erase.in.id = id_of('c', i + 1);
		r.u.call_erase.in.now_ms = NOW_MS;
		write_one(d, &r);
	}
	ask_delete(&d->bed, &r, 1);
	write_one(d, &r);
	for (int i = 0; i < 5; i++) {
		ask_sweep(&d->bed, &r, 1, 20);
		write_one(d, &r);
	}
}

static void one_round(struct damage *d)
{
	struct store_conf conf = bed_conf(&d->bed);
	struct ch_err err = {0};

	if (store_sqlite_open(d->path, &conf, &d->bed.store, &err) != 0) {
		assert_true(err.text[0] != '\0');
		d->errors++;
		return;
	}
	if (d->bed.store->ops->reader_open(d->bed.store, &d->bed.reader, &err) == 0) {
		read_all(d);
		write_some(d);
		read_all(d);
		d->bed.store->ops->reader_close(d->bed.reader);
	}
	store_close(&d->bed.store);
}

static void remove_log(const struct damage *d)
{
	char name[140];

	snprintf(name, sizeof(name), "%s-wal", d->path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", d->path);
	unlink(name);
}

static void damage_gives_errors(void **state)
{
	struct damage *d = calloc(1, sizeof(*d));
	struct ch_rand_seeded seeded;
	struct ch_rand rand = ch_rand_seeded_of(&seeded);

	ch_rand_seeded_init(&seeded, 11);
	bed_open(&d->bed, SQLITE);
	snprintf(d->path, sizeof(d->path), "%s/store.db", d->bed.dir);
	fill(d);
	d->bed.store->ops->reader_close(d->bed.reader);
	store_close(&d->bed.store);
	keep_file(d);
	for (int i = 0; i < ROUNDS; i++) {
		write_damaged(d, &rand);
		one_round(d);
		remove_log(d);
	}
	assert_true(d->errors > ROUNDS / 2);
	bed_remove(&d->bed);
	for (size_t i = 0; i < CALLS; i++)
		delivery_fini(&d->made[i]);
	free(d->file);
	free(d);
}

/* One wrong value each, of the kind that would end in an assertion, an overflow or an endless loop if it
 * were believed. */
static const char *const wrong_values[] = {
		"UPDATE ledger SET pending = 0",
		"UPDATE ledger SET accepted = -1",
		"UPDATE ledger SET delivered = 9223372036854775807",
		"UPDATE webhook SET settings = '['",
		"UPDATE webhook SET id = x'00' WHERE number = 1",
		"UPDATE webhook SET revision = 9223372036854775807",
		"DELETE FROM mark",
		"UPDATE mark SET id_ahead_ms = 9223372036854775807",
		"UPDATE mark SET store_id = x'00'",
		"UPDATE call_version SET n = -1 WHERE seq = 3",
		"UPDATE call_version SET body = x'7b7d'",
		"UPDATE call_version SET body = x''",
		"UPDATE call_version SET status = 99",
		"DELETE FROM call_version WHERE seq = 3",
		"UPDATE delivery SET key = 9000000000000000000 + call",
		"UPDATE delivery SET state = 77",
		"UPDATE delivery SET state = 1, attempts = 2",
		"UPDATE delivery SET attempts = 9223372036854775807",
		"UPDATE delivery SET tries = -1",
		"UPDATE delivery SET round = -1",
		"UPDATE webhook SET sweep = 3",
		"UPDATE ledger SET quiet_until_ms = -1",
		"UPDATE ledger SET quiet_status = -1",
		"UPDATE ledger SET streak_since_ms = 9223372036854775807",
		"UPDATE ledger SET streak_attempts = 9223372036854775807",
		"UPDATE ledger SET streak_since_ms = 5, streak_delivery = NULL",
		"UPDATE attempt SET id = x'00'",
		"UPDATE attempt SET outcome = 99",
		"UPDATE attempt SET address = x'010203'",
		"UPDATE attempt SET tls_version = 'a version with too many letters'",
		"UPDATE attempt SET previous = number",
		"UPDATE listed SET seq = seq + 100000",
		"UPDATE tally SET number = -number",
		"UPDATE stretch SET counts = x'00'",
		"UPDATE stretch SET created_s = 5",
		"DELETE FROM stretch",
		"UPDATE agent SET id = x'00'",
};

static void wrong_values_give_errors(void **state)
{
	struct damage *d = calloc(1, sizeof(*d));

	bed_open(&d->bed, SQLITE);
	snprintf(d->path, sizeof(d->path), "%s/store.db", d->bed.dir);
	fill(d);
	d->bed.store->ops->reader_close(d->bed.reader);
	store_close(&d->bed.store);
	keep_file(d);
	for (size_t i = 0; i < sizeof(wrong_values) / sizeof(wrong_values[0]); i++) {
		int fd = open(d->path, O_WRONLY | O_TRUNC);
		sqlite3 *db = NULL;

		assert_int_equal(write(fd, d->file, d->bytes), d->bytes);
		close(fd);
		assert_int_equal(sqlite3_open(d->path, &db), SQLITE_OK);
		if (sqlite3_exec(db, wrong_values[i], NULL, NULL, NULL) != SQLITE_OK)
			fail_msg("%s: %s", wrong_values[i], sqlite3_errmsg(db));
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		d->errors = 0;
		one_round(d);
		if (d->errors == 0)
			fail_msg("not noticed: %s", wrong_values[i]);
		remove_log(d);
	}
	bed_remove(&d->bed);
	for (size_t i = 0; i < CALLS; i++)
		delivery_fini(&d->made[i]);
	free(d->file);
	free(d);
}

int sqlite_damage_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(damage_gives_errors),
			cmocka_unit_test(wrong_values_give_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
