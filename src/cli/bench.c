#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "cli/bench_receiver.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/remote.h"

#define CALLS_MAX 10000000
#define CONNECTIONS_MAX 256
#define IMPORT_CALLS 1000
#define RECORD_MAX_BYTES 65536
#define TIMEOUT_S 120
#define LOOK_MS 50
#define PATIENCE_MS 30000 /* without a delivery */

static const struct opt_spec specs[] = {
		REMOTE_SERVER_OPT,
		REMOTE_ACCOUNT_OPTS,
		{.name = "calls", .arg = "N", .fallback = "10000", .help = "how many"},
		{.name = "connections", .arg = "N", .fallback = "16", .help = "that write at a time, to 256"},
		{.name = "import", .help = "write 1,000 calls a request instead of one"},
		{.name = "bytes", .arg = "N", .fallback = "1024", .help = "of a record, about; 300 to 60000"},
		{.name = "listen",
				.arg = "HOST:PORT",
				.fallback = "127.0.0.1:0",
				.help = "where it receives; port 0: any"},
		{.name = "url", .arg = "URL", .help = "by which the server reaches that; absent: HOST:PORT"},
		{.name = "quiet", .help = "no progress"},
		{.name = "json", .help = "as one JSON object"},
		{0},
};

static const struct opts_page page = {
		.command = "bench",
		.usage = "[options]",
		.about = "Loads a server with calls, receives their webhooks, and says how many a second and "
			 "how "
			 "long they took.\n"
			 "For a server to try things on: the calls stay there, and other webhooks of the "
			 "account "
			 "get them too.\n"
			 "The server must be allowed to send to this machine (--dev or --allow-network). "
			 "Exits 1 "
			 "when a call was\n"
			 "refused or not delivered.",
		.example = "  callhook bench --calls 20000 --connections 64\n"
			   "  callhook bench --calls 200000 --import --json",
		.specs = specs,
};

struct bench {
	const struct opts *o;
	struct ch_clock clock;
	struct bench_receiver receiver;
	int64_t calls, connections, bytes;
	bool is_import;
	uint64_t run; /* tells its calls from all others */
	char agent[37];
	char webhook[40];
	char *padding;
	int64_t *began_ms; /* mono, of each call's request; -1: not written */
	int64_t *took_us; /* of each request */
	atomic_int_least64_t next, requests, accepted, refused;
	int64_t load_ms;
	pthread_mutex_t lock;
	struct ch_err first; /* refusal */
};

/* ---- writing ---- */

static void note(struct bench *b, const char *words, int64_t calls)
{
	atomic_fetch_add(&b->refused, calls);
	pthread_mutex_lock(&b->lock);
	if (!b->first.text[0])
		ch_err_set(&b->first, CH_ECONFLICT, "%s", words);
	pthread_mutex_unlock(&b->lock);
}

static void add_record(const struct bench *b, int64_t call, struct ch_buf *out)
{
	char id[BENCH_ID_LEN + 1];

	bench_id(b->run, call, id);
	ch_buf_addf(out,
			"{\"id\":\"%s\",\"agentId\":\"%s\",\"type\":\"INBOUND\",\"status\":\"COMPLETED\","
			"\"duration\":61,\"context\":{\"bench\":\"%lld\"},\"summary\":\"%s\"}\n",
			id, b->agent, (long long)call, b->padding);
}

/* Of an import's answer. */
static int64_t accepted_of(const struct ch_buf *answer)
{
	static const char made[] = "\"status\":201";
	int64_t count = 0;

	for (const char *at = ch_buf_text(answer); (at = strstr(at, made)) != NULL; at += sizeof(made) - 1)
		count++;
	return count;
}

/* One call, or some of them; what was refused counts, and goes no further. */
static void write_calls(struct bench *b, struct remote *r, int64_t first, int64_t count)
{
	char id[BENCH_ID_LEN + 1], path[60];
	struct ch_buf body, answer;
	struct ch_err err = {0};

	ch_buf_init(&body, (size_t)IMPORT_CALLS * RECORD_MAX_BYTES);
	ch_buf_init(&answer, (size_t)IMPORT_CALLS * RECORD_MAX_BYTES);
	bench_id(b->run, first, id);
	snprintf(path, sizeof(path), "/v1/calls/%s", b->is_import ? "import" : id);
	int64_t began_ms = ch_clock_mono(&b->clock).ms;
	for (int64_t i = first; i < first + count; i++) {
		b->began_ms[i] = began_ms;
		add_record(b, i, &body);
	}
	int rc = body.err ? ch_err_set(&err, CH_ENOMEM, "out of memory")
			  : remote_ask_raw(r,
					    &(struct remote_ask){.method = b->is_import ? "POST" : "PUT",
							    .path = path,
							    .raw = body.data,
							    .raw_len = body.len,
							    .raw_type = b->is_import ? "application/x-ndjson"
										     : "application/json",
							    .timeout_s = TIMEOUT_S},
					    &answer, &err);
	int64_t accepted = rc != 0 ? 0 : b->is_import ? accepted_of(&answer) : count;
	atomic_fetch_add(&b->accepted, accepted);
	if (accepted < count)
		note(b, rc != 0 ? err.text : "lines of an import", count - accepted);
	b->took_us[atomic_fetch_add(&b->requests, 1)] = remote_took_us(r);
	ch_buf_fini(&body);
	ch_buf_fini(&answer);
}

static void *write_some(void *ctx)
{
	struct bench *b = ctx;
	int64_t step = b->is_import ? IMPORT_CALLS : 1;
	struct remote r = {0};
	struct ch_err err = {0};

	if (remote_init_account(b->o, &r, &err) != 0)
		note(b, err.text, 1);
	while (r.curl && !interrupt_is_asked()) {
		int64_t first = atomic_fetch_add(&b->next, step);

		if (first >= b->calls)
			break;
		write_calls(b, &r, first, b->calls - first < step ? b->calls - first : step);
	}
	remote_fini(&r);
	return NULL;
}

static void show(struct bench *b, struct progress *p, bool is_end)
{
	int64_t received = bench_receiver_count(&b->receiver);
	char words[120];

	snprintf(words, sizeof(words), "%lld accepted, %lld delivered", (long long)atomic_load(&b->accepted),
			(long long)received);
	if (is_end)
		progress_last(p, received, b->calls, words);
	else
		progress_show(p, received, b->calls, words);
}

/* Until all that was accepted has come, or nothing comes any more. */
static void wait_for_deliveries(struct bench *b, struct progress *p)
{
	int64_t quiet_ms = 0, before = -1;

	while (quiet_ms < PATIENCE_MS && bench_receiver_count(&b->receiver) < atomic_load(&b->accepted)) {
		int64_t now = bench_receiver_count(&b->receiver);

		quiet_ms = now == before ? quiet_ms + LOOK_MS : 0;
		before = now;
		show(b, p, false);
		if (!interrupt_wait(LOOK_MS))
			return;
	}
}

static int load(struct bench *b, struct ch_err *err)
{
	pthread_t threads[CONNECTIONS_MAX];
	int64_t started = 0, began_ms = ch_clock_mono(&b->clock).ms;
	struct progress p;

	progress_begin(&p, "bench", b->clock);
	p.is_quiet = opts_has(b->o, "quiet");
	while (started < b->connections && pthread_create(&threads[started], NULL, write_some, b) == 0)
		started++;
	while (started > 0 && atomic_load(&b->accepted) + atomic_load(&b->refused) < b->calls &&
			interrupt_wait(LOOK_MS))
		show(b, &p, false);
	for (int64_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	b->load_ms = ch_clock_mono(&b->clock).ms - began_ms;
	if (started > 0)
		wait_for_deliveries(b, &p);
	show(b, &p, true);
	return started > 0 ? 0 : ch_err_set(err, CH_ENOMEM, "can't start a thread");
}

/* ---- what came of it ---- */

static int compare(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return a < b ? -1 : a > b;
}

/* Sorts; of values in thousandths of ms. */
static json_t *percentiles(int64_t *us, int64_t count)
{
	static const struct {
		const char *name;
		int per_mille;
	} wanted[] = {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"max", 1000}};
	json_t *json = json_object();

	qsort(us, (size_t)count, sizeof(*us), compare);
	for (size_t i = 0; count > 0 && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		int64_t at = (count * wanted[i].per_mille + 999) / 1000;
		json_object_set_new(json, wanted[i].name, json_real((double)us[at ? at - 1 : 0] / 1000));
	}
	return json;
}

static double per_second(int64_t count, int64_t ms)
{
	return (double)count * 1000 / (double)(ms > 0 ? ms : 1);
}

/* The receiver has stopped. */
static json_t *results(struct bench *b)
{
	int64_t *us = ch_alloc((size_t)b->calls * sizeof(*us));
	int64_t count = 0, last_ms = 0, first_ms = INT64_MAX;

	for (int64_t i = 0; us && i < b->calls; i++) {
		int64_t came_ms = b->receiver.came_ms[i];

		if (b->began_ms[i] >= 0 && b->began_ms[i] < first_ms)
			first_ms = b->began_ms[i];
		if (came_ms <= 0)
			continue;
		last_ms = came_ms > last_ms ? came_ms : last_ms;
		us[count++] = (came_ms - b->began_ms[i]) * 1000;
	}
	json_t *receipt = us ? percentiles(us, count) : NULL;
	ch_free(us);
	return json_pack("{s:I, s:I, s:I, s:f, s:f, s:o, s:o*}", "accepted",
			(json_int_t)atomic_load(&b->accepted), "refused",
			(json_int_t)atomic_load(&b->refused), "delivered", (json_int_t)count,
			"acceptedPerSecond", per_second(atomic_load(&b->accepted), b->load_ms),
			"deliveredPerSecond", per_second(count, last_ms - first_ms), "requestMs",
			percentiles(b->took_us, atomic_load(&b->requests)), "receiptMs", receipt);
}

static double ms_of(const json_t *r, const char *of, const char *name)
{
	return json_number_value(json_object_get(json_object_get(r, of), name));
}

static void print_text(const struct bench *b, const json_t *r)
{
	printf("accepted   %lld, %.0f a second%s\n", (long long)remote_number(r, "accepted"),
			json_number_value(json_object_get(r, "acceptedPerSecond")),
			b->is_import ? ", by import" : "");
	printf("delivered  %lld, %.0f a second\n", (long long)remote_number(r, "delivered"),
			json_number_value(json_object_get(r, "deliveredPerSecond")));
	printf("request    p50 %.1f  p90 %.1f  p99 %.1f  max %.1f ms\n", ms_of(r, "requestMs", "p50"),
			ms_of(r, "requestMs", "p90"), ms_of(r, "requestMs", "p99"),
			ms_of(r, "requestMs", "max"));
	printf("receipt    p50 %.0f  p90 %.0f  p99 %.0f  max %.0f ms, from the request's start to the "
	       "webhook's arrival\n",
			ms_of(r, "receiptMs", "p50"), ms_of(r, "receiptMs", "p90"),
			ms_of(r, "receiptMs", "p99"), ms_of(r, "receiptMs", "max"));
}

static int report(struct bench *b, struct ch_err *err)
{
	json_t *r = results(b);

	if (!r)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	int64_t missing = remote_number(r, "accepted") - remote_number(r, "delivered");
	if (opts_has(b->o, "json")) {
		json_dumpf(r, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else {
		print_text(b, r);
	}
	json_decref(r);
	if (atomic_load(&b->refused) > 0)
		return ch_err_set(err, CH_ECONFLICT, "%lld calls were refused: %s",
				(long long)atomic_load(&b->refused), b->first.text);
	return missing > 0 ? ch_err_set(err, CH_EIO, "%lld calls were not delivered", (long long)missing) : 0;
}

/* ---- from options to end ---- */

static int make_webhook(struct bench *b, struct remote *r, struct ch_err *err)
{
	const char *url = opts_get(b->o, "url");
	json_t *answer = NULL;
	json_t *body = json_pack("{s:s, s:s, s:[s]}", "url", url ? url : b->receiver.url, "name",
			"callhook bench", "agentIds", b->agent);

	if (!body)
		return ch_err_set(err, CH_EINVAL, "the URL is not UTF-8");
	int rc = remote_ask(r, &(struct remote_ask){.method = "POST", .path = "/v1/webhooks", .body = body},
			&answer, err);
	json_decref(body);
	snprintf(b->webhook, sizeof(b->webhook), "%s", remote_text(answer, "id"));
	json_decref(answer);
	return rc;
}

static void remove_webhook(struct bench *b, struct remote *r)
{
	json_t *answer = NULL;
	struct ch_err err;
	char path[80];

	if (!b->webhook[0])
		return;
	snprintf(path, sizeof(path), "/v1/webhooks/%s", b->webhook);
	if (remote_ask(r, &(struct remote_ask){.method = "DELETE", .path = path}, &answer, &err) != 0)
		fprintf(stderr, "callhook bench: the webhook %s is still there: %s\n", b->webhook, err.text);
	json_decref(answer);
}

static int prepare(struct bench *b, struct ch_err *err)
{
	struct ch_rand rand = ch_rand_system();
	int rc = opts_int(b->o, "calls", 1, CALLS_MAX, &b->calls, err);

	if (rc == 0)
		rc = opts_int(b->o, "connections", 1, CONNECTIONS_MAX, &b->connections, err);
	if (rc == 0)
		rc = opts_int(b->o, "bytes", 300, 60000, &b->bytes, err);
	if (rc != 0)
		return rc;
	b->run = ch_rand_u64(&rand);
	bench_id(~b->run, 0, b->agent);
	b->padding = ch_calloc((size_t)b->bytes, 1);
	b->began_ms = ch_alloc((size_t)b->calls * sizeof(int64_t));
	b->took_us = ch_calloc((size_t)b->calls, sizeof(int64_t));
	if (!b->padding || !b->began_ms || !b->took_us)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	memset(b->padding, 'x', (size_t)b->bytes - 290);
	memset(b->began_ms, 0xff, (size_t)b->calls * sizeof(int64_t));
	return bench_receiver_start(&b->receiver, b->o, b->run, b->calls, b->clock, err);
}

static int run(const struct opts *o, struct remote *r, struct ch_err *err)
{
	struct bench b = {.o = o, .clock = ch_clock_system(), .is_import = opts_has(o, "import")};
	int rc;

	pthread_mutex_init(&b.lock, NULL);
	interrupt_catch();
	r->is_patient = true; /* for the webhook; those that write are not */
	rc = prepare(&b, err);
	if (rc == 0)
		rc = make_webhook(&b, r, err);
	if (rc == 0)
		rc = load(&b, err);
	remove_webhook(&b, r);
	bench_receiver_stop(&b.receiver);
	if (rc == 0)
		rc = report(&b, err);
	bench_receiver_fini(&b.receiver);
	ch_free(b.padding);
	ch_free(b.began_ms);
	ch_free(b.took_us);
	pthread_mutex_destroy(&b.lock);
	return rc;
}

int cli_bench(int argc, char **argv)
{
	return remote_command(&page, argc, argv, run);
}
