#include "api/metrics.h"

#include <string.h>

#define BUCKETS 12

_Static_assert(BUCKETS == STORE_COMMIT_BUCKETS, "one histogram writer serves both");

static void head(struct ch_buf *out, const char *name, const char *type, const char *help)
{
	ch_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct ch_buf *out, const char *name, const char *type, const char *help, double value)
{
	head(out, name, type, help);
	ch_buf_addf(out, "%s %.15g\n", name, value);
}

/* ---- the ledger ---- */

/* How long the delivery that is due longest has waited. One between two tries is not due. */
static int64_t overdue_ms(const struct api *a, const struct store_ledger *ledger)
{
	int64_t now_ms = ch_clock_wall(&a->conf.clock).ms, due_ms = ledger->out.first_due_ms;

	return due_ms >= 0 && due_ms < now_ms ? now_ms - due_ms : 0;
}

static void put_oldest(struct ch_buf *out, const struct api *a, int64_t oldest_ms)
{
	int64_t age_ms = oldest_ms < 0 ? 0 : ch_clock_wall(&a->conf.clock).ms - oldest_ms;

	one(out, "callhook_oldest_pending_seconds", "gauge",
			"Age of the oldest pending delivery, due or not, as counted some seconds ago; 0: "
			"none is.",
			age_ms < 0 ? 0 : (double)age_ms / 1000.0);
}

static void put_ledger(struct ch_buf *out, const struct ledger *l, int64_t overdue_ms)
{
	const struct {
		const char *state;
		int64_t count;
	} states[] = {{"pending", l->pending}, {"delivered", l->delivered}, {"failed", l->failed},
			{"parked", l->parked}, {"canceled", l->canceled}};

	one(out, "callhook_ledger_accepted", "gauge",
			"Deliveries ever created; the sum of callhook_ledger_deliveries.",
			(double)l->accepted);
	head(out, "callhook_ledger_deliveries", "gauge", "Deliveries by state.");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		ch_buf_addf(out, "callhook_ledger_deliveries{state=\"%s\"} %lld\n", states[i].state,
				(long long)states[i].count);
	one(out, "callhook_oldest_due_seconds", "gauge",
			"How long the pending delivery that is due longest has been due; 0: none is.",
			(double)overdue_ms / 1000.0);
}

/* ---- the delivery loops, summed ---- */

struct engine_sum {
	unsigned long long attempts[ATTEMPT_OUTCOME_COUNT];
	unsigned long long answers[6];
	unsigned long long delivered, failed, retried, reused, claims, claimed, overflowed;
	unsigned long long probes, deaths, suspensions, switched_off, outages, resent;
	long long in_flight, held, body_bytes, slow_in_flight, probes_in_flight, results_waiting;
	long long lanes[LANE_STATE_COUNT], lanes_rate_limited, lanes_slow_waiting;
	long long outage, refused; /* loops that are in that state */
	unsigned long long attempt_us, receipt_us;
	unsigned long long attempt_bucket[BUCKETS], receipt_bucket[BUCKETS];
};

static void add_counts(unsigned long long *sum, const atomic_ullong *counts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += atomic_load_explicit(&counts[i], memory_order_relaxed);
}

static void add_gauge(long long *sum, const atomic_llong *gauge)
{
	*sum += atomic_load_explicit(gauge, memory_order_relaxed);
}

static void add_engine(struct engine_sum *sum, const struct engine_stats *s)
{
	add_counts(sum->attempts, s->attempts, ATTEMPT_OUTCOME_COUNT);
	add_counts(sum->answers, s->answers, 6);
	add_counts(&sum->delivered, &s->delivered, 1);
	add_counts(&sum->failed, &s->failed, 1);
	add_counts(&sum->retried, &s->retried, 1);
	add_counts(&sum->reused, &s->reused_connections, 1);
	add_counts(&sum->claims, &s->claims, 1);
	add_counts(&sum->claimed, &s->claimed, 1);
	add_counts(&sum->overflowed, &s->overflowed, 1);
	add_counts(&sum->probes, &s->probes, 1);
	add_counts(&sum->deaths, &s->deaths, 1);
	add_counts(&sum->suspensions, &s->suspensions, 1);
	add_counts(&sum->switched_off, &s->switched_off, 1);
	add_counts(&sum->outages, &s->outages, 1);
	add_counts(&sum->resent, &s->resent, 1);
	add_counts(&sum->attempt_us, &s->attempt_us, 1);
	add_counts(&sum->receipt_us, &s->receipt_us, 1);
	add_counts(sum->attempt_bucket, s->attempt_bucket, BUCKETS);
	add_counts(sum->receipt_bucket, s->receipt_bucket, BUCKETS);
	add_gauge(&sum->in_flight, &s->in_flight);
	add_gauge(&sum->slow_in_flight, &s->slow_in_flight);
	add_gauge(&sum->probes_in_flight, &s->probes_in_flight);
	add_gauge(&sum->lanes_rate_limited, &s->lanes_rate_limited);
	add_gauge(&sum->lanes_slow_waiting, &s->lanes_slow_waiting);
	add_gauge(&sum->results_waiting, &s->results_waiting);
	add_gauge(&sum->outage, &s->is_outage);
	add_gauge(&sum->refused, &s->is_refused);
	for (int i = 0; i < LANE_STATE_COUNT; i++)
		add_gauge(&sum->lanes[i], &s->lanes_by_state[i]);
	add_gauge(&sum->held, &s->held);
	add_gauge(&sum->body_bytes, &s->body_bytes);
}

static void histogram(struct ch_buf *out, const char *name, const char *help,
		const unsigned long long buckets[BUCKETS], const int bounds_ms[BUCKETS - 1],
		unsigned long long sum_us)
{
	unsigned long long count = 0;

	head(out, name, "histogram", help);
	for (int i = 0; i < BUCKETS; i++) {
		count += buckets[i];
		if (i < BUCKETS - 1)
			ch_buf_addf(out, "%s_bucket{le=\"%g\"} %llu\n", name, bounds_ms[i] / 1000.0, count);
		else
			ch_buf_addf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, count);
	}
	ch_buf_addf(out, "%s_sum %.6f\n%s_count %llu\n", name, (double)sum_us / 1e6, name, count);
}

static void put_attempts(struct ch_buf *out, const struct engine_sum *s)
{
	head(out, "callhook_attempts_total", "counter", "Attempts by outcome.");
	for (int i = 0; i < ATTEMPT_OUTCOME_COUNT; i++)
		ch_buf_addf(out, "callhook_attempts_total{outcome=\"%s\"} %llu\n",
				attempt_outcome_name((enum attempt_outcome)i), s->attempts[i]);
	head(out, "callhook_answers_total", "counter", "Answers of endpoints by class of status.");
	for (int i = 1; i < 6; i++)
		ch_buf_addf(out, "callhook_answers_total{class=\"%dxx\"} %llu\n", i, s->answers[i]);
	histogram(out, "callhook_attempt_duration_seconds", "From the start of an attempt to its end.",
			s->attempt_bucket, engine_bucket_bounds_ms, s->attempt_us);
	histogram(out, "callhook_receipt_duration_seconds",
			"From a call's acceptance to its delivery, for those delivered at the first try.",
			s->receipt_bucket, engine_bucket_bounds_ms, s->receipt_us);
}

static void put_lanes(struct ch_buf *out, const struct engine_sum *s)
{
	head(out, "callhook_lanes", "gauge", "Webhooks that the delivery loops know, by the lane's state.");
	for (int i = 0; i < LANE_STATE_COUNT; i++)
		ch_buf_addf(out, "callhook_lanes{state=\"%s\"} %lld\n", lane_state_name((enum lane_state)i),
				s->lanes[i]);
	head(out, "callhook_lanes_waiting", "gauge",
			"Lanes that are READY and have something due, by what they wait for.");
	ch_buf_addf(out,
			"callhook_lanes_waiting{for=\"rate_limit\"} %lld\n"
			"callhook_lanes_waiting{for=\"slow_half\"} %lld\n",
			s->lanes_rate_limited, s->lanes_slow_waiting);
	one(out, "callhook_lane_deaths_total", "counter", "Times that an endpoint was taken for dead.",
			(double)s->deaths);
	one(out, "callhook_lane_suspensions_total", "counter",
			"Times that an endpoint asked to be left alone.", (double)s->suspensions);
	one(out, "callhook_probes_total", "counter", "Attempts to find out whether a dead endpoint lives.",
			(double)s->probes);
	one(out, "callhook_probes_in_flight", "gauge", "Such attempts under way; part of callhook_in_flight.",
			(double)s->probes_in_flight);
	one(out, "callhook_slow_in_flight", "gauge",
			"Attempts under way at slow endpoints; part of callhook_in_flight.",
			(double)s->slow_in_flight);
	one(out, "callhook_webhooks_switched_off_total", "counter",
			"Webhooks switched off because of a 410, or because nothing succeeded for days.",
			(double)s->switched_off);
	one(out, "callhook_outages_total", "counter",
			"Times that our own line or name server was taken to be down.", (double)s->outages);
	one(out, "callhook_outage", "gauge",
			"1 while our own line or name server is taken to be down and sending pauses.",
			s->outage > 0);
}

static void put_engine(struct ch_buf *out, const struct engine_sum *s)
{
	put_attempts(out, s);
	put_lanes(out, s);
	one(out, "callhook_deliveries_delivered_total", "counter", "Deliveries that were delivered.",
			(double)s->delivered);
	one(out, "callhook_deliveries_failed_total", "counter", "Deliveries that used up their tries.",
			(double)s->failed);
	one(out, "callhook_deliveries_retried_total", "counter",
			"Attempts after which another was scheduled.", (double)s->retried);
	one(out, "callhook_connections_reused_total", "counter", "Attempts over a connection kept alive.",
			(double)s->reused);
	one(out, "callhook_claims_total", "counter", "Reads of due deliveries from the store.",
			(double)s->claims);
	one(out, "callhook_claimed_total", "counter", "Deliveries read that way.", (double)s->claimed);
	one(out, "callhook_overflowed_total", "counter",
			"Fresh deliveries left to the store for want of room.", (double)s->overflowed);
	one(out, "callhook_in_flight", "gauge", "Attempts under way.", (double)s->in_flight);
	one(out, "callhook_deliveries_resent_total", "counter",
			"Deliveries sent again because somebody asked.", (double)s->resent);
	one(out, "callhook_results_waiting", "gauge", "Attempts whose result is not yet in the store.",
			(double)s->results_waiting);
	one(out, "callhook_results_refused", "gauge",
			"1 while the store refuses results and no new attempt starts.", s->refused > 0);
	one(out, "callhook_held_deliveries", "gauge", "Deliveries held in memory.", (double)s->held);
	one(out, "callhook_held_body_bytes", "gauge", "Bytes of bodies held in memory for delivery.",
			(double)s->body_bytes);
}

/* ---- the store ---- */

static double load(const atomic_ullong *counter)
{
	return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

static void put_store(struct ch_buf *out, const struct store_stats *s)
{
	unsigned long long buckets[BUCKETS] = {0};

	add_counts(buckets, s->commit_bucket, BUCKETS);
	histogram(out, "callhook_store_commit_duration_seconds",
			"Transactions from their first write until they were on disk (fsync included).",
			buckets, store_commit_bounds_ms, atomic_load(&s->commit_us));
	one(out, "callhook_store_requests_total", "counter", "Writes in those transactions.", load(&s->rows));
	one(out, "callhook_store_failures_total", "counter", "Transactions that failed as a whole.",
			load(&s->failures));
	one(out, "callhook_events_total", "counter", "Operational events put in line, for each receiver.",
			load(&s->events));
	one(out, "callhook_events_dropped_total", "counter",
			"Operational events that found no room behind those that wait.",
			load(&s->events_dropped));
	one(out, "callhook_store_reads_total", "counter", "Reads.", load(&s->reads));
	one(out, "callhook_retention_calls_total", "counter", "Calls removed for their age.",
			load(&s->removed_calls));
	one(out, "callhook_retention_attempts_total", "counter", "Attempts removed for their age.",
			load(&s->removed_attempts));
	one(out, "callhook_retention_canceled_total", "counter",
			"Deliveries canceled because they were parked for longer than calls are kept.",
			load(&s->expired));
	one(out, "callhook_store_queued", "gauge", "Writes that wait.", (double)atomic_load(&s->queued));
	one(out, "callhook_store_writable", "gauge", "1, or 0 while the store refuses writes.",
			atomic_load(&s->last_error) == 0);
}

/* ---- the API ---- */

static void put_routes(struct ch_buf *out, const struct api *a)
{
	head(out, "callhook_api_requests_total", "counter",
			"Requests answered, by route and class of status.");
	for (size_t i = 0; i <= api_route_count; i++) {
		const struct route *route = i < api_route_count ? &api_routes[i] : NULL;
		for (int class = 1; class < API_STATUS_CLASSES; class ++) {
			if (a->stats[i].answers[class] == 0)
				continue;
			ch_buf_addf(out,
					"callhook_api_requests_total{method=\"%s\",route=\"%s\",class=\"%"
					"dxx\"} %llu\n",
					route ? route->method : "", route ? route->pattern : "", class,
					(unsigned long long)a->stats[i].answers[class]);
		}
	}
	head(out, "callhook_api_request_seconds_total", "counter", "Time from request to answer, by route.");
	for (size_t i = 0; i < api_route_count; i++)
		if (a->stats[i].time_ms > 0)
			ch_buf_addf(out,
					"callhook_api_request_seconds_total{method=\"%s\",route=\"%s\"} "
					"%.3f\n",
					api_routes[i].method, api_routes[i].pattern,
					(double)a->stats[i].time_ms / 1000.0);
	head(out, "callhook_import_lines_total", "counter", "Lines of imports answered, by class of status.");
	for (int class = 2; class < API_STATUS_CLASSES; class ++)
		ch_buf_addf(out, "callhook_import_lines_total{class=\"%dxx\"} %llu\n", class,
				(unsigned long long)a->import_lines[class]);
	one(out, "callhook_api_requests_under_way", "gauge", "Requests not yet answered.", (double)a->busy);
}

static void put_process(struct ch_buf *out, const struct api *a)
{
	int64_t up_ms = ch_clock_mono(&a->conf.clock).ms - a->started_mono.ms;

	if (a->conf.log)
		one(out, "callhook_log_lines_lost_total", "counter",
				"Lines of the log that could not be written, or that nobody took.",
				(double)atomic_load(&a->conf.log->lost));
	head(out, "callhook_build_info", "gauge", "The version that runs.");
	ch_buf_addf(out, "callhook_build_info{version=\"%s\"} 1\n", a->conf.version ? a->conf.version : "");
	one(out, "callhook_uptime_seconds", "gauge", "Time since the start.", (double)up_ms / 1000.0);
	head(out, "process_start_time_seconds", "gauge", "Start time of the process since the Unix epoch.");
	ch_buf_addf(out, "process_start_time_seconds %.3f\n", (double)a->started.ms / 1000.0);
	one(out, "callhook_stopping", "gauge", "1 while the process finishes its work before it ends.",
			a->is_stopping);
}

void metrics_write(
		struct ch_buf *out, const struct api *a, const struct store_ledger *ledger, int64_t oldest_ms)
{
	struct engine_sum sum = {0};

	for (int i = 0; i < a->conf.workers->count; i++)
		add_engine(&sum, worker_stats(a->conf.workers->items[i]));
	put_process(out, a);
	if (ledger)
		put_ledger(out, &ledger->out.ledger, overdue_ms(a, ledger));
	if (oldest_ms != METRICS_UNKNOWN)
		put_oldest(out, a, oldest_ms);
	put_engine(out, &sum);
	if (a->conf.store_stats)
		put_store(out, a->conf.store_stats);
	put_routes(out, a);
}
