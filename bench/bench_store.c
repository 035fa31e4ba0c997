/* bench/bench_store.c - what a call costs in the SQLite store: accepted, its delivery made, attempted
 * and delivered.
 *
 * Usage: bench_store [DIRECTORY [CALLS [WEBHOOKS [BATCH]]]]
 * Prints for transactions of 1, 16 and 256 requests (or only of BATCH) the CPU of the process per call and
 * the commits per second of wall time. The database is made in DIRECTORY (default /tmp) and removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store.h"

#define BATCH_MAX 256
#define BODY_BYTES 1024
#define AGENTS 20

struct bench {
	struct store *store;
	struct ch_clock clock;
	struct ch_rand rand;
	struct id_gen ids;
	size_t webhooks;
	char body[BODY_BYTES];
	struct store_request puts[BATCH_MAX];
	struct store_request attempts[BATCH_MAX];
	size_t commits;
};

static void check(int rc, const struct ch_err *err)
{
	if (rc == 0)
		return;
	(void)fprintf(stderr, "bench_store: %s\n", err->text);
	exit(1);
}

static double seconds(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_all(struct bench *b, struct store_request *requests, size_t n)
{
	struct store_request *list[BATCH_MAX];
	struct ch_err err = {0};

	for (size_t i = 0; i < n; i++)
		list[i] = &requests[i];
	check(b->store->ops->write(b->store, list, n, &err), &err);
	b->commits++;
	if (b->store->ops->maintain != NULL && b->commits % 8 == 0)
		b->store->ops->maintain(b->store);
}

static void make_webhook(struct bench *b, int64_t account)
{
	struct store_request *r = &b->puts[0];
	struct webhook *w = &r->u.webhook_create.in.webhook;

	store_request_init(r, STORE_WEBHOOK_CREATE, NULL, NULL);
	webhook_init(w);
	w->id = id_gen_next(&b->ids);
	w->account = account;
	w->url = ch_strdup("https://customer.example/hook");
	w->name = ch_strdup("");
	w->created_ms = ch_clock_wall(&b->clock).ms;
	r->u.webhook_create.in.max_webhooks = 50;
	write_all(b, r, 1);
	check(r->result, &r->err);
	store_request_fini(r);
}

/* Call ids are the platform's: random, not in order. An account has AGENTS agents, who speak to a million
 * people. */
static void make_put(struct bench *b, struct store_request *r)
{
	struct store_call_put *put = &r->u.call_put;
	struct call_facts *facts = &put->in.facts;

	store_request_init(r, STORE_CALL_PUT, NULL, NULL);
	put->in.account = 1 + (int64_t)ch_rand_below(&b->rand, b->webhooks);
	ch_rand_fill(&b->rand, put->in.facts.id.b, 16);
	facts->agent_id.b[0] = (uint8_t)ch_rand_below(&b->rand, AGENTS);
	facts->agent_id.b[1] = (uint8_t)put->in.account;
	facts->status = CALL_COMPLETED;
	facts->type = ch_rand_below(&b->rand, 2) == 0 ? CALL_INBOUND : CALL_OUTBOUND;
	(void)snprintf(facts->phone, sizeof(facts->phone), "+336%08u",
			(unsigned)ch_rand_below(&b->rand, 1000000));
	put->in.body = ch_memdup0(b->body, BODY_BYTES);
	put->in.body_len = BODY_BYTES;
	put->in.now_ms = ch_clock_wall(&b->clock).ms;
	facts->created_s = put->in.now_ms / 1000;
}

static void make_attempt(struct bench *b, const struct delivery *d, struct store_request *r)
{
	static const char headers[] = "Content-Type: application/json\nUser-Agent: callhook/0.1.0\n"
				      "webhook-id: 01890a5d-ac96-774b-bcce-b302099a8057\n"
				      "webhook-timestamp: 1722350100\nX-Webhook-Signature: "
				      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
				      "webhook-signature: v1,47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
	struct store_attempt *q = &r->u.attempt;
	int64_t now_ms = ch_clock_wall(&b->clock).ms;

	store_request_init(r, STORE_ATTEMPT, NULL, NULL);
	q->in.account = d->account;
	q->in.webhook_id = d->webhook_id;
	q->in.attempt = (struct attempt){
			.id = id_gen_next(&b->ids),
			.delivery_id = d->id,
			.started_ms = now_ms,
			.outcome = ATTEMPT_ANSWERED,
			.status = 200,
			.dns_us = -1,
			.connect_us = 4000,
			.tls_us = 9000,
			.first_byte_us = 20000,
			.total_us = 20100,
			.address = {4, {192, 0, 2, 1}},
			.tls_version = "TLSv1.3",
			.cert_end_s = 1800000000,
			.request_headers = ch_strdup(headers),
			.answer = ch_strdup("OK"),
			.answer_len = 2,
	};
	q->in.next.state = DELIVERY_DELIVERED;
	q->in.next.tries = 1;
	q->in.next.finished_ms = now_ms;
}

static double one_batch(struct bench *b, size_t n)
{
	double cpu;

	for (size_t i = 0; i < n; i++)
		make_put(b, &b->puts[i]);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	write_all(b, b->puts, n);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	for (size_t i = 0; i < n; i++) {
		CH_ASSERT(b->puts[i].u.call_put.out.delivery_count == 1);
		make_attempt(b, &b->puts[i].u.call_put.out.deliveries[0], &b->attempts[i]);
		store_request_fini(&b->puts[i]);
	}
	cpu -= seconds(CLOCK_PROCESS_CPUTIME_ID);
	write_all(b, b->attempts, n);
	cpu += seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < n; i++) {
		CH_ASSERT(b->attempts[i].u.attempt.out.state == DELIVERY_DELIVERED);
		store_request_fini(&b->attempts[i]);
	}
	return cpu;
}

static void run(struct bench *b, size_t n, size_t calls)
{
	double cpu = 0, wall;
	size_t done = 0;

	b->commits = 0;
	wall = seconds(CLOCK_MONOTONIC);
	for (; done < calls; done += n)
		cpu += one_batch(b, n);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	printf("batch %3zu: %6.2f us CPU a call, %7.0f commits/s, %8.0f calls/s (%zu calls)\n", n,
			cpu * 1e6 / (double)done, (double)b->commits / wall, (double)done / wall, done);
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

int main(int argc, char **argv)
{
	static struct bench b;
	static struct ch_rand_seeded seeded;
	struct store_conf conf = {.clock = ch_clock_system(), .rand = ch_rand_system()};
	size_t calls = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
	size_t batch = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	struct ch_err err = {0};
	char path[400];

	b.clock = conf.clock;
	ch_rand_seeded_init(&seeded, 1);
	b.rand = ch_rand_seeded_of(&seeded);
	b.webhooks = argc > 3 ? strtoul(argv[3], NULL, 10) : 10;
	id_gen_init(&b.ids, b.clock, b.rand);
	memset(b.body, 'x', sizeof(b.body));
	memcpy(b.body + BODY_BYTES - 33, "\"created\":\"2024-07-30T14:35:00Z\"}", 33);
	(void)snprintf(path, sizeof(path), "%s/bench_store_%d.db", argc > 1 ? argv[1] : "/tmp",
			(int)getpid());
	remove_files(path);
	check(store_sqlite_open(path, &conf, &b.store, &err), &err);
	for (size_t i = 0; i < b.webhooks; i++)
		make_webhook(&b, (int64_t)i + 1);
	if (batch > 0 && batch <= BATCH_MAX) {
		run(&b, batch, calls);
	} else {
		run(&b, 1, calls < 4000 ? calls : 4000);
		run(&b, 16, calls < 32000 ? calls : 32000);
		run(&b, 256, calls);
	}
	b.store->ops->close(b.store);
	remove_files(path);
	return 0;
}
