/* bench/bench_lists.c - what a page of calls costs in the SQLite store, and whether it grows with the calls.
 *
 * Usage: bench_lists [DIRECTORY [CALLS…]]
 * Fills a store with each number of calls in turn (default 10,000 and 1,000,000), all of one account, spread
 * over 90 days or all created in one second, and prints for each list the CPU of a page of 20: the least of 5
 * rounds. Reading starts with what the page cache of the machine holds; the reader's own is small.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/time_text.h"
#include "store/store.h"

#define BATCH 512
#define BODY_BYTES 1024
#define AGENTS 50
#define ROUNDS 5
#define TURNS 40 /* in a round */
#define SIZE 20
#define FIRST_S INT64_C(1722297600)
#define SPAN_S (90 * INT64_C(86400))

struct bench {
	struct store *store;
	struct store_reader *reader;
	struct ch_rand rand;
	size_t calls;
	bool is_spread;
	struct store_request rows[BATCH];
};

static void check(int rc, const struct ch_err *err)
{
	if (rc == 0)
		return;
	(void)fprintf(stderr, "bench_lists: %s\n", err->text);
	exit(1);
}

static double seconds(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One agent has half of the calls, one in a thousand calls is REJECTED, one phone number is rare. */
static void make_put(struct bench *b, struct store_request *r, size_t i)
{
	struct store_call_put *put = &r->u.call_put;
	struct call_facts *facts = &put->in.facts;
	char created[TIME_TEXT_LEN + 1] = {0};

	store_request_init(r, STORE_CALL_PUT, NULL, NULL);
	put->in.account = 1;
	ch_rand_fill(&b->rand, facts->id.b, 16);
	facts->agent_id.b[0] = i % 2 ? 0 : (uint8_t)ch_rand_below(&b->rand, AGENTS);
	facts->status = i % 1000 == 500 ? CALL_REJECTED : i % 5 ? CALL_COMPLETED : CALL_NO_ANSWER;
	facts->type = ch_rand_below(&b->rand, 3) ? CALL_INBOUND : CALL_OUTBOUND;
	(void)snprintf(facts->phone, sizeof(facts->phone), "+336%08u",
			i % (b->calls / 20) ? 1 + (unsigned)ch_rand_below(&b->rand, 1000000) : 0);
	facts->created_s = FIRST_S + (b->is_spread ? (int64_t)i * SPAN_S / (int64_t)b->calls : 0);
	put->in.body = ch_alloc(BODY_BYTES + 1);
	CH_ASSERT(put->in.body);
	memset(put->in.body, 'x', BODY_BYTES + 1);
	time_text_format(facts->created_s, created);
	(void)snprintf(put->in.body + BODY_BYTES - 33, 34, "\"created\":\"%s\"}", created);
	put->in.body_len = BODY_BYTES;
	put->in.now_ms = facts->created_s * 1000;
}

static void fill(struct bench *b)
{
	struct store_request *list[BATCH];
	struct ch_err err = {0};
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

	for (size_t done = 0, n; done < b->calls; done += n) {
		n = b->calls - done < BATCH ? b->calls - done : BATCH;
		for (size_t i = 0; i < n; i++) {
			make_put(b, &b->rows[i], done + i);
			list[i] = &b->rows[i];
		}
		check(b->store->ops->write(b->store, list, n, &err), &err);
		for (size_t i = 0; i < n; i++)
			store_request_fini(&b->rows[i]);
	}
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("\n%zu calls, %s: filled with %.1f us CPU a call\n", b->calls,
			b->is_spread ? "over 90 days" : "in one second", cpu * 1e6 / (double)b->calls);
}

enum filter {
	BY_AGENT = 1,
	BY_RARE = 2,
	BY_STATUS = 4,
	BY_TYPE = 8,
	BY_PHONE = 16,
	BY_DAYS = 32,
	UPWARD = 64
};

static const struct {
	const char *name;
	unsigned filter;
} lists[] = {
		{"all", 0},
		{"all, oldest first", UPWARD},
		{"a frequent status", BY_STATUS},
		{"a rare status", BY_RARE},
		{"a type", BY_TYPE},
		{"an agent", BY_AGENT},
		{"an agent and a rare status", BY_AGENT | BY_RARE},
		{"an agent, a status and a type", BY_AGENT | BY_STATUS | BY_TYPE},
		{"ten days", BY_DAYS},
		{"ten days of an agent", BY_DAYS | BY_AGENT},
		{"a phone number", BY_PHONE},
};

static void ask(const struct bench *b, unsigned filter, int64_t skip, struct store_request *r)
{
	struct store_call_list *q = &r->u.call_list;

	store_request_init(r, STORE_CALL_LIST, NULL, NULL);
	q->in.account = 1;
	q->in.has_agent = (filter & BY_AGENT) != 0;
	q->in.has_type = (filter & BY_TYPE) != 0;
	q->in.type = CALL_OUTBOUND;
	q->in.statuses = (call_status_set)((filter & BY_STATUS) != 0 ? 1u << CALL_COMPLETED
					   : (filter & BY_RARE) != 0 ? 1u << CALL_REJECTED
								     : 0);
	if ((filter & BY_PHONE) != 0)
		(void)snprintf(q->in.phone, sizeof(q->in.phone), "+33600000000");
	q->in.from_s = (filter & BY_DAYS) != 0 && b->is_spread ? FIRST_S + 30 * 86400 : INT64_MIN;
	q->in.to_s = (filter & BY_DAYS) != 0 && b->is_spread ? FIRST_S + 40 * 86400 - 1 : INT64_MAX;
	q->in.is_ascending = (filter & UPWARD) != 0;
	q->in.skip = skip;
	q->in.limit = SIZE;
	q->in.max_bytes = SIZE_MAX;
	b->store->ops->read(b->reader, r);
	check(r->result, &r->err);
}

static double cost(const struct bench *b, unsigned filter, int64_t skip)
{
	double least = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

		for (int i = 0; i < TURNS; i++) {
			struct store_request r;

			ask(b, filter, skip, &r);
			store_request_fini(&r);
		}
		cpu = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / TURNS;
		least = cpu < least ? cpu : least;
	}
	return least * 1e6;
}

static void measure(const struct bench *b)
{
	printf("%-32s %10s %12s %12s %12s\n", "us CPU a page of 20", "total", "first page", "middle", "last");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct store_request r;
		int64_t total;

		ask(b, lists[i].filter, 0, &r);
		total = r.u.call_list.out.total;
		store_request_fini(&r);
		int64_t last = total > SIZE ? total - SIZE : 0;
		printf("%-32s %10lld %12.0f %12.0f %12.0f\n", lists[i].name, (long long)total,
				cost(b, lists[i].filter, 0),
				cost(b, lists[i].filter, last / 2 + 700 % (last + 1)),
				cost(b, lists[i].filter, last));
	}
}

static void remove_files(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[512];

	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

static void run(const char *dir, size_t calls, bool is_spread)
{
	static struct bench b;
	static struct ch_rand_seeded seeded;
	struct store_conf conf = {.clock = ch_clock_system(), .rand = ch_rand_system()};
	struct ch_err err = {0};
	char path[400];

	b = (struct bench){.calls = calls, .is_spread = is_spread};
	ch_rand_seeded_init(&seeded, 1);
	b.rand = ch_rand_seeded_of(&seeded);
	(void)snprintf(path, sizeof(path), "%s/bench_lists_%d.db", dir, (int)getpid());
	remove_files(path);
	check(store_sqlite_open(path, &conf, &b.store, &err), &err);
	fill(&b);
	check(b.store->ops->reader_open(b.store, &b.reader, &err), &err);
	measure(&b);
	b.store->ops->reader_close(b.reader);
	b.store->ops->close(b.store);
	remove_files(path);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "/tmp";

	for (int spread = 1; spread >= 0; spread--) {
		if (argc <= 2) {
			run(dir, 10000, spread);
			run(dir, 1000000, spread);
		}
		for (int i = 2; i < argc; i++)
			run(dir, strtoul(argv[i], NULL, 10), spread);
	}
	return 0;
}
