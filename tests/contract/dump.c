#include "dump.h"

#include "model/webhook.h"

#define PAGE 20

static void add_id(struct ch_buf *out, const struct id *id)
{
	ch_buf_addf(out, " %c%u", id->b[0] > ' ' ? id->b[0] : '?',
			((unsigned)id->b[13] << 16) | ((unsigned)id->b[14] << 8) | id->b[15]);
}

static void add_ledger(struct ch_buf *out, const struct ledger *l)
{
	ch_buf_addf(out, " ledger %lld=%lld+%lld+%lld+%lld+%lld\n", (long long)l->accepted,
			(long long)l->pending, (long long)l->delivered, (long long)l->failed,
			(long long)l->parked, (long long)l->canceled);
	assert_int_equal(l->accepted, l->pending + l->delivered + l->failed + l->parked + l->canceled);
}

static void add_call(const struct bed *b, struct ch_buf *out, int64_t account, unsigned call)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = account;
	r.u.call_get.in.id = id_of('c', call);
	if (serve(b, &r) == 0)
		ch_buf_addf(out, "call %u v%lld %s\n", call, (long long)r.u.call_get.out.version,
				r.u.call_get.out.body->data);
	store_request_fini(&r);
}

/* A page of calls, whole or of one agent's and status; the bodies stand above. */
static void add_page(const struct bed *b, struct ch_buf *out, struct store_request *r)
{
	assert_int_equal(serve(b, r), 0);
	ch_buf_addf(out, "listed %lld:", (long long)r->u.call_list.out.total);
	for (size_t i = 0; i < r->u.call_list.out.count; i++)
		ch_buf_addf(out, " %.46s", r->u.call_list.out.bodies[i]->data);
	ch_buf_adds(out, "\n");
	store_request_fini(r);
}

static void add_lists(const struct bed *b, struct ch_buf *out, int64_t account)
{
	struct store_request r;

	for (int i = 0; i < 2; i++) {
		store_request_init(&r, STORE_CALL_LIST, NULL, NULL);
		r.u.call_list.in.account = account;
		r.u.call_list.in.from_s = INT64_MIN;
		r.u.call_list.in.to_s = INT64_MAX;
		r.u.call_list.in.limit = PAGE;
		r.u.call_list.in.max_bytes = SIZE_MAX;
		r.u.call_list.in.statuses = (call_status_set)(i == 0 ? 0 : 1u << CALL_COMPLETED);
		r.u.call_list.in.has_agent = i == 1;
		r.u.call_list.in.agent_id = id_of('a', 0);
		add_page(b, out, &r);
	}
	store_request_init(&r, STORE_AGENT_LIST, NULL, NULL);
	r.u.agent_list.in.account = account;
	r.u.agent_list.in.limit = PAGE;
	assert_int_equal(serve(b, &r), 0);
	ch_buf_addf(out, "agents %lld:", (long long)r.u.agent_list.out.total);
	for (size_t i = 0; i < r.u.agent_list.out.count; i++)
		ch_buf_addf(out, " %s", r.u.agent_list.out.rows[i].name);
	ch_buf_adds(out, "\n");
	store_request_fini(&r);
}

static void add_feed(const struct bed *b, struct ch_buf *out, int64_t account)
{
	bool more = true;
	int64_t after = -1;

	ch_buf_adds(out, "feed");
	while (more) {
		struct store_request r;

		store_request_init(&r, STORE_CALL_FEED, NULL, NULL);
		r.u.call_feed.in.account = account;
		r.u.call_feed.in.after = after;
		r.u.call_feed.in.limit = PAGE;
		r.u.call_feed.in.max_bytes = SIZE_MAX;
		assert_int_equal(serve(b, &r), 0);
		for (size_t i = 0; i < r.u.call_feed.out.count; i++) {
			const struct store_version_row *row = &r.u.call_feed.out.rows[i];

			add_id(out, &row->call_id);
			ch_buf_addf(out, " v%lld[%zu]", (long long)row->version,
					row->body == NULL ? 0 : row->body->len);
		}
		after = r.u.call_feed.out.last;
		more = r.u.call_feed.out.more;
		store_request_fini(&r);
	}
	ch_buf_adds(out, "\n");
}

static void add_webhooks(const struct bed *b, struct ch_buf *out, int64_t account)
{
	struct store_request r;

	store_request_init(&r, STORE_WEBHOOK_LIST, NULL, NULL);
	r.u.webhook_list.in.account = account;
	assert_int_equal(serve(b, &r), 0);
	for (size_t i = 0; i < r.u.webhook_list.out.count; i++) {
		const struct store_webhook_row *row = &r.u.webhook_list.out.rows[i];

		ch_buf_adds(out, "webhook");
		add_id(out, &row->webhook.id);
		ch_buf_addf(out, " r%lld enabled %d statuses %x", (long long)row->webhook.revision,
				row->webhook.enabled, row->webhook.statuses);
		add_ledger(out, &row->counts);
	}
	store_request_fini(&r);
}

static void add_attempts(const struct bed *b, struct ch_buf *out, int64_t account, const struct id *id)
{
	struct store_request r;

	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = account;
	r.u.delivery_get.in.id = *id;
	r.u.delivery_get.in.attempt_limit = 100;
	assert_int_equal(serve(b, &r), 0);
	for (size_t i = 0; i < r.u.delivery_get.out.attempt_count; i++) {
		add_id(out, &r.u.delivery_get.out.attempts[i].id);
		ch_buf_addf(out, ":%d", r.u.delivery_get.out.attempts[i].status);
	}
	store_request_fini(&r);
}

static void add_delivery(const struct bed *b, struct ch_buf *out, const struct delivery *d)
{
	ch_buf_adds(out, "delivery");
	add_id(out, &d->webhook_id);
	add_id(out, &d->call_id);
	ch_buf_addf(out,
			" v%lld %s %s round %d was delivered %d tries %d attempts %d created %lld due %lld "
			"finished %lld (%s)",
			(long long)d->version, call_status_name(d->call_status),
			delivery_state_name(d->state), d->round, d->was_delivered, d->tries, d->attempts,
			(long long)d->created_ms, (long long)d->due_ms, (long long)d->finished_ms,
			d->reason == NULL ? "-" : d->reason);
	add_attempts(b, out, d->account, &d->id);
	ch_buf_adds(out, "\n");
}

static void add_deliveries(const struct bed *b, struct ch_buf *out, int64_t account)
{
	struct id before = {{0}};
	bool more = true;

	for (int page = 0; more; page++) {
		struct store_request r;

		ask_list(&r, PAGE);
		r.u.delivery_list.in.account = account;
		r.u.delivery_list.in.has_before = page > 0;
		r.u.delivery_list.in.before = before;
		assert_int_equal(serve(b, &r), 0);
		for (size_t i = 0; i < r.u.delivery_list.out.count; i++) {
			add_delivery(b, out, &r.u.delivery_list.out.rows[i]);
			before = r.u.delivery_list.out.rows[i].id;
		}
		more = r.u.delivery_list.out.more;
		store_request_fini(&r);
	}
}

static void add_claim(const struct bed *b, struct ch_buf *out, unsigned webhook)
{
	struct store_request r;

	ask_claim(b, &r, webhook, 1000);
	assert_int_equal(serve(b, &r), 0);
	ch_buf_addf(out, "claim w%u next %lld more %d:", webhook, (long long)r.u.claim.out.next_due_ms,
			r.u.claim.out.more);
	for (size_t i = 0; i < r.u.claim.out.count; i++) {
		const struct delivery *d = &r.u.claim.out.rows[i];

		add_id(out, &d->call_id);
		ch_buf_addf(out, "@%lld[%zu]", (long long)d->due_ms, d->body->len);
	}
	ch_buf_adds(out, "\n");
	store_request_fini(&r);
}

static void add_lane(const struct bed *b, struct ch_buf *out, unsigned webhook)
{
	struct lane_row l = lane_of(b, webhook);

	ch_buf_addf(out, "lane w%u next %lld pending %lld quiet %lld %d\n", webhook, (long long)l.next_due_ms,
			(long long)l.pending, (long long)l.quiet_until_ms, l.quiet_status);
}

static void add_history(
		const struct bed *b, struct ch_buf *out, unsigned webhook, int32_t step_s, size_t count)
{
	struct store_request r;
	uint8_t packed[LATENCY_PACKED_MAX];

	ask_history(b, &r, webhook, step_s, count);
	ch_buf_addf(out, "history w%u every %d:", webhook, step_s);
	if (serve(b, &r) == 0) {
		for (size_t i = 0; i < count; i++) {
			const struct store_history_point *p = &r.u.history.out.points[i];

			if (p->attempts == 0)
				continue;
			ch_buf_addf(out, " %zu:%lld/%lld ", i, (long long)p->delivered,
					(long long)p->attempts);
			for (size_t at = 0, len = latency_pack(&p->latency, packed); at < len; at++)
				ch_buf_addf(out, "%02x", packed[at]);
		}
	}
	ch_buf_adds(out, "\n");
	store_request_fini(&r);
}

/* In small pieces, which must come to the same. */
static void add_backlog(const struct bed *b, struct ch_buf *out, unsigned webhook)
{
	struct backlog all = backlog_of(b, webhook, 3);

	ch_buf_addf(out, "backlog w%u oldest %lld:", webhook, (long long)all.oldest_ms);
	for (size_t i = 0; i < BACKLOG_AGES; i++)
		ch_buf_addf(out, " %lld", (long long)all.counts[i]);
	ch_buf_adds(out, "\n");
}

/* Two in a row, so that the second has a last one to avoid. */
static void add_probes(const struct bed *b, struct ch_buf *out, unsigned webhook)
{
	struct id last = {{0}};

	ch_buf_addf(out, "probes w%u", webhook);
	for (int i = 0; i < 2; i++) {
		struct store_request r;

		ask_probe(&r, webhook, i == 0 ? NULL : &last);
		assert_int_equal(serve(b, &r), 0);
		if (r.u.probe.out.has_row) {
			last = r.u.probe.out.row.id;
			add_id(out, &r.u.probe.out.row.call_id);
			ch_buf_addf(out, "[%zu]", r.u.probe.out.row.body->len);
		}
		store_request_fini(&r);
	}
	ch_buf_adds(out, "\n");
}

static void add_sweeps(const struct bed *b, struct ch_buf *out)
{
	struct store_request r;

	store_request_init(&r, STORE_SWEEPS, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	ch_buf_addf(out, "sweeps %zu\n", r.u.sweeps.out.count);
	store_request_fini(&r);
}

/* An event without the ids of deliveries: those are each store's own. */
static void add_event(const struct bed *b, struct ch_buf *out, const struct delivery *d)
{
	const char *cut;
	struct store_request r;

	ch_buf_addf(out, "event %s tries %d attempts %d created %lld due %lld finished %lld (%s) ",
			delivery_state_name(d->state), d->tries, d->attempts, (long long)d->created_ms,
			(long long)d->due_ms, (long long)d->finished_ms, d->reason == NULL ? "-" : d->reason);
	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = d->account;
	r.u.call_get.in.id = d->call_id;
	assert_int_equal(serve(b, &r), 0);
	cut = strstr(r.u.call_get.out.body->data, "\"deliveryId\"");
	ch_buf_add(out, r.u.call_get.out.body->data,
			cut == NULL ? r.u.call_get.out.body->len
				    : (size_t)(cut - r.u.call_get.out.body->data));
	ch_buf_adds(out, "\n");
	store_request_fini(&r);
}

/* The newest page of what an account's receiver of events has. */
static void add_events(const struct bed *b, struct ch_buf *out, int64_t account)
{
	struct store_request r;

	add_webhooks(b, out, account);
	ask_list(&r, PAGE);
	r.u.delivery_list.in.account = account;
	assert_int_equal(serve(b, &r), 0);
	for (size_t i = 0; i < r.u.delivery_list.out.count; i++)
		add_event(b, out, &r.u.delivery_list.out.rows[i]);
	store_request_fini(&r);
}

char *dump(const struct bed *b, unsigned calls, unsigned webhooks)
{
	struct ch_buf out;
	struct ledger all;

	ch_buf_init(&out, 16 << 20);
	for (int64_t account = ACCOUNT; account <= OTHER_ACCOUNT; account++) {
		struct ledger l = ledger_of(b, account);

		ch_buf_addf(&out, "account %lld", (long long)account);
		add_ledger(&out, &l);
		for (unsigned i = 0; i < calls; i++)
			add_call(b, &out, account, i);
		add_lists(b, &out, account);
		add_feed(b, &out, account);
		add_webhooks(b, &out, account);
		add_deliveries(b, &out, account);
	}
	add_events(b, &out, ops_event_account(ACCOUNT));
	add_events(b, &out, ops_event_account(OTHER_ACCOUNT));
	add_events(b, &out, EVENT_OPERATOR);
	for (unsigned i = 0; i < webhooks; i++) {
		add_claim(b, &out, i);
		add_lane(b, &out, i);
		add_probes(b, &out, i);
		add_history(b, &out, i, 60, 60);
		add_history(b, &out, i, 3600, 72);
		add_history(b, &out, i, 86400, 3);
		add_backlog(b, &out, i);
	}
	add_backlog(b, &out, ALL_WEBHOOKS);
	add_sweeps(b, &out);
	all = ledger_of(b, 0);
	ch_buf_adds(&out, "all");
	add_ledger(&out, &all);
	assert_int_equal(out.err, 0);
	return ch_buf_detach(&out);
}
