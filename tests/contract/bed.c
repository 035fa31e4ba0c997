#include <stdio.h>
#include <unistd.h>

#include "base/time_text.h"
#include "contract.h"

enum flavour contract_flavour;

struct store_conf bed_conf(struct bed *b)
{
	return (struct store_conf){ch_clock_virtual_of(&b->clock), ch_rand_seeded_of(&b->seeded)};
}

static void open_store(struct bed *b)
{
	struct store_conf conf = bed_conf(b);
	struct ch_err err = {0};
	char url[128];
	int rc;

	snprintf(url, sizeof(url), "sqlite:%s/store.db", b->dir);
	rc = store_open(flavour_is_durable(b->flavour) ? url : "memory:", &conf, &b->store, &err);
	if (rc != 0)
		fail_msg("store_open: %s", err.text);
	if (flavour_has_faults(b->flavour)) {
		b->store = store_fault_wrap(b->store);
		assert_non_null(b->store);
	}
	rc = b->store->ops->reader_open(b->store, &b->reader, &err);
	if (rc != 0)
		fail_msg("reader_open: %s", err.text);
}

static void close_store(struct bed *b)
{
	b->store->ops->reader_close(b->reader);
	store_close(&b->store);
	assert_null(b->store);
}

void bed_open(struct bed *b, enum flavour flavour)
{
	bed_open_seeded(b, flavour, 7);
}

void bed_open_seeded(struct bed *b, enum flavour flavour, uint64_t seed)
{
	*b = (struct bed){.flavour = flavour, .clock = {{NOW_MS}, {1000}}};
	ch_rand_seeded_init(&b->seeded, seed);
	if (flavour_is_durable(b->flavour)) {
		strcpy(b->dir, "/tmp/callhook-contract-XXXXXX");
		assert_non_null(mkdtemp(b->dir));
	}
	open_store(b);
}

void bed_remove(const struct bed *b)
{
	static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm", "store.db-lock",
			"store.db.lock", "store.db-journal"};
	char path[128];

	if (!flavour_is_durable(b->flavour))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", b->dir, names[i]);
		unlink(path);
	}
	rmdir(b->dir);
}

void bed_close(struct bed *b)
{
	close_store(b);
	bed_remove(b);
}

void bed_restart(struct bed *b)
{
	close_store(b);
	open_store(b);
}

int bed_setup(void **state)
{
	struct bed *b = malloc(sizeof(*b));

	bed_open(b, contract_flavour);
	*state = b;
	return 0;
}

int bed_teardown(void **state)
{
	bed_close(*state);
	free(*state);
	return 0;
}

struct id id_of(char kind, unsigned n)
{
	struct id id = {{0}};

	id.b[0] = (uint8_t)kind;
	id.b[6] = 0x40;
	id.b[8] = 0x80;
	for (int i = 0; i < 4; i++)
		id.b[15 - i] = (uint8_t)(n >> (8 * i));
	return id;
}

/* A canonical record as far as stores look into one: its head, and "created" last. */
static char *make_body(const struct call_facts *facts, const struct call_spec *spec, size_t *ret_len)
{
	size_t room = spec->padding + 512;
	char *body = ch_alloc(room), created[TIME_TEXT_LEN + 1] = {0};
	char id[ID_TEXT_LEN + 1], agent[ID_TEXT_LEN + 1], phone[20] = "null";
	int len;

	assert_non_null(body);
	time_text_format(facts->created_s, created);
	id_format(&facts->id, id);
	id_format(&facts->agent_id, agent);
	if (facts->phone[0] != '\0')
		snprintf(phone, sizeof(phone), "\"%s\"", facts->phone);
	len = snprintf(body, room,
			"{\"id\":\"%s\",\"agentId\":\"%s\",\"phone\":%s,\"type\":\"%s\",\"duration\":null,"
			"\"startTime\":null,\"endTime\":null,\"anonymous\":false,\"status\":\"%s\","
			"\"note\":%u,\"padding\":\"%*s\",\"created\":\"%s\"}",
			id, agent, phone, call_type_name(facts->type), call_status_name(facts->status),
			spec->note, (int)spec->padding, "", created);
	assert_true(len > 0 && (size_t)len < room);
	*ret_len = (size_t)len;
	return body;
}

void ask_put(const struct bed *b, struct store_request *r, const struct call_spec *spec)
{
	struct store_call_put *put = &r->u.call_put;
	int64_t created_s = spec->created_s != 0 ? spec->created_s : b->clock.wall.ms / 1000;

	store_request_init(r, STORE_CALL_PUT, NULL, NULL);
	put->in.account = spec->account != 0 ? spec->account : ACCOUNT;
	put->in.facts.id = id_of('c', spec->call);
	put->in.facts.agent_id = id_of('a', spec->agent);
	put->in.facts.status = spec->status;
	put->in.facts.type = spec->type;
	if (spec->phone != 0)
		snprintf(put->in.facts.phone, sizeof(put->in.facts.phone), "+33%u", spec->phone);
	put->in.facts.created_s = created_s;
	put->in.facts.has_created = spec->created_s != 0;
	put->in.now_ms = b->clock.wall.ms;
	put->in.notify = spec->notify;
	put->in.body = make_body(&put->in.facts, spec, &put->in.body_len);
}

static void fill_webhook(const struct bed *b, struct webhook *w, unsigned n, bool enabled)
{
	webhook_init(w);
	w->id = id_of('w', n);
	w->account = ACCOUNT;
	w->url = ch_strdup("https://example.com/hook");
	if (w->name == NULL)
		w->name = ch_strdup("");
	w->enabled = enabled;
	w->created_ms = b->clock.wall.ms;
}

void ask_webhook(const struct bed *b, struct store_request *r, unsigned n, bool enabled)
{
	store_request_init(r, STORE_WEBHOOK_CREATE, NULL, NULL);
	fill_webhook(b, &r->u.webhook_create.in.webhook, n, enabled);
	r->u.webhook_create.in.max_webhooks = 50;
}

void ask_update(const struct bed *b, struct store_request *r, unsigned n, bool enabled, int64_t revision)
{
	store_request_init(r, STORE_WEBHOOK_UPDATE, NULL, NULL);
	fill_webhook(b, &r->u.webhook_update.in.webhook, n, enabled);
	r->u.webhook_update.in.webhook.revision = revision;
}

void ask_delete(const struct bed *b, struct store_request *r, unsigned n)
{
	store_request_init(r, STORE_WEBHOOK_DELETE, NULL, NULL);
	r->u.webhook_delete.in.account = ACCOUNT;
	r->u.webhook_delete.in.id = id_of('w', n);
	r->u.webhook_delete.in.now_ms = b->clock.wall.ms;
}

void ask_sweep(const struct bed *b, struct store_request *r, unsigned n, size_t limit)
{
	store_request_init(r, STORE_WEBHOOK_SWEEP, NULL, NULL);
	r->u.webhook_sweep.in.id = id_of('w', n);
	r->u.webhook_sweep.in.limit = limit;
	r->u.webhook_sweep.in.now_ms = b->clock.wall.ms;
}

void ask_attempt(const struct bed *b, struct store_request *r, const struct delivery *d, unsigned attempt,
		enum delivery_state next)
{
	struct store_attempt *a = &r->u.attempt;

	store_request_init(r, STORE_ATTEMPT, NULL, NULL);
	a->in.account = d->account;
	a->in.webhook_id = d->webhook_id;
	a->in.round = d->round;
	a->in.attempt.id = id_of('t', attempt);
	a->in.attempt.delivery_id = d->id;
	a->in.attempt.started_ms = b->clock.wall.ms;
	a->in.attempt.outcome = ATTEMPT_ANSWERED;
	a->in.attempt.status = next == DELIVERY_DELIVERED ? 200 : 500;
	a->in.attempt.dns_us = a->in.attempt.connect_us = a->in.attempt.tls_us = -1;
	a->in.attempt.first_byte_us = a->in.attempt.total_us = 1500;
	a->in.attempt.retry_after_s = -1;
	a->in.next.state = next;
	a->in.next.tries = 1;
	if (next == DELIVERY_PENDING)
		a->in.next.due_ms = b->clock.wall.ms + 5000;
	if (next == DELIVERY_DELIVERED || next == DELIVERY_FAILED)
		a->in.next.finished_ms = b->clock.wall.ms;
}

void ask_dead(const struct bed *b, struct store_request *r, unsigned webhook)
{
	store_request_init(r, STORE_EVENT, NULL, NULL);
	r->u.event.in.account = ACCOUNT;
	r->u.event.in.webhook_id = id_of('w', webhook);
	r->u.event.in.type = EVENT_WEBHOOK_DEAD;
	r->u.event.in.reason = ch_strdup("5 attempts in a row failed");
	r->u.event.in.now_ms = b->clock.wall.ms;
}

void ask_resend(const struct bed *b, struct store_request *r, const struct id *id)
{
	store_request_init(r, STORE_RESEND, NULL, NULL);
	r->u.resend.in.account = ACCOUNT;
	r->u.resend.in.id = *id;
	r->u.resend.in.now_ms = b->clock.wall.ms;
}

void ask_probe(struct store_request *r, unsigned webhook, const struct id *last)
{
	store_request_init(r, STORE_PROBE, NULL, NULL);
	r->u.probe.in.webhook_id = id_of('w', webhook);
	r->u.probe.in.has_last = last != NULL;
	if (last != NULL)
		r->u.probe.in.last = *last;
}

void ask_claim(const struct bed *b, struct store_request *r, unsigned webhook, size_t limit)
{
	store_request_init(r, STORE_CLAIM, NULL, NULL);
	r->u.claim.in.webhook_id = id_of('w', webhook);
	r->u.claim.in.now_ms = b->clock.wall.ms;
	r->u.claim.in.limit = limit;
	r->u.claim.in.max_bytes = 1 << 20;
}

void ask_list(struct store_request *r, size_t limit)
{
	store_request_init(r, STORE_DELIVERY_LIST, NULL, NULL);
	r->u.delivery_list.in.account = ACCOUNT;
	r->u.delivery_list.in.from_ms = INT64_MIN;
	r->u.delivery_list.in.to_ms = INT64_MAX;
	r->u.delivery_list.in.limit = limit;
}

int serve(const struct bed *b, struct store_request *r)
{
	struct ch_err err = {0};

	if (!store_kind_is_write(r->kind)) {
		b->store->ops->read(b->reader, r);
	} else if (b->store->ops->write(b->store, &r, 1, &err) != 0) {
		fail_msg("%s failed as a whole: %s", store_kind_name(r->kind), err.text);
	}
	if (r->result != 0)
		assert_string_not_equal(r->err.text, "");
	return r->result;
}

int serve_drop(const struct bed *b, struct store_request *r)
{
	int rc = serve(b, r);

	store_request_fini(r);
	return rc;
}

void make_webhook(const struct bed *b, unsigned n, bool enabled)
{
	struct store_request r;

	ask_webhook(b, &r, n, enabled);
	assert_int_equal(serve_drop(b, &r), 0);
}

void make_webhook_of(const struct bed *b, int64_t account, unsigned n)
{
	struct store_request r;

	ask_webhook(b, &r, n, true);
	r.u.webhook_create.in.webhook.account = account;
	assert_int_equal(serve_drop(b, &r), 0);
}

struct delivery make_delivery(const struct bed *b, unsigned call)
{
	struct call_spec spec = {.call = call, .status = CALL_COMPLETED};
	struct store_request r;
	struct delivery d;

	ask_put(b, &r, &spec);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.delivery_count, 1);
	d = r.u.call_put.out.deliveries[0];
	memset(&r.u.call_put.out.deliveries[0], 0, sizeof(d));
	ch_bytes_unref(&d.body);
	store_request_fini(&r);
	return d;
}

struct ledger ledger_of(const struct bed *b, int64_t account)
{
	struct store_request r;
	struct ledger l;

	store_request_init(&r, STORE_LEDGER, NULL, NULL);
	r.u.ledger.in.account = account;
	assert_int_equal(serve(b, &r), 0);
	l = r.u.ledger.out.ledger;
	store_request_fini(&r);
	return l;
}

void assert_ledger(const struct bed *b, int64_t account, int64_t pending, int64_t delivered, int64_t failed,
		int64_t parked, int64_t canceled)
{
	struct ledger l = ledger_of(b, account);

	assert_int_equal(l.pending, pending);
	assert_int_equal(l.delivered, delivered);
	assert_int_equal(l.failed, failed);
	assert_int_equal(l.parked, parked);
	assert_int_equal(l.canceled, canceled);
	assert_int_equal(l.accepted, pending + delivered + failed + parked + canceled);
}

struct delivery delivery_of(const struct bed *b, const struct id *id)
{
	struct store_request r;
	struct delivery d;

	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = ACCOUNT;
	r.u.delivery_get.in.id = *id;
	r.u.delivery_get.in.attempt_limit = 1;
	assert_int_equal(serve(b, &r), 0);
	d = r.u.delivery_get.out.delivery;
	memset(&r.u.delivery_get.out.delivery, 0, sizeof(d));
	store_request_fini(&r);
	return d;
}

enum delivery_state state_of(const struct bed *b, const struct id *id)
{
	struct delivery d = delivery_of(b, id);
	enum delivery_state state = d.state;

	delivery_fini(&d);
	return state;
}

struct lane_row lane_of(const struct bed *b, unsigned webhook)
{
	struct lane_row found = {.next_due_ms = -2};
	struct id id = id_of('w', webhook);
	struct store_request r;

	store_request_init(&r, STORE_LANES, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	for (size_t i = 0; i < r.u.lanes.out.count; i++) {
		const struct store_lane *row = &r.u.lanes.out.rows[i];

		if (id_equal(&row->webhook.id, &id))
			found = (struct lane_row){row->next_due_ms, row->pending, row->quiet_until_ms,
					row->quiet_status};
	}
	store_request_fini(&r);
	return found;
}

void ask_history(const struct bed *b, struct store_request *r, unsigned webhook, int32_t step_s, size_t count)
{
	int64_t now_s = b->clock.wall.ms / 1000;

	store_request_init(r, STORE_HISTORY, NULL, NULL);
	r->u.history.in.account = ACCOUNT;
	r->u.history.in.webhook_id = id_of('w', webhook);
	r->u.history.in.step_s = step_s;
	r->u.history.in.count = count;
	r->u.history.in.from_s = now_s - now_s % step_s - (int64_t)(count - 1) * step_s;
}

/* webhook ALL_WEBHOOKS: everybody's. */
static void ask_backlog(const struct bed *b, struct store_request *r, unsigned webhook, size_t limit)
{
	store_request_init(r, STORE_BACKLOG, NULL, NULL);
	r->u.backlog.in.is_all = webhook == ALL_WEBHOOKS;
	r->u.backlog.in.account = ACCOUNT;
	r->u.backlog.in.webhook_id = id_of('w', webhook);
	r->u.backlog.in.now_ms = b->clock.wall.ms;
	r->u.backlog.in.limit = limit;
	r->u.backlog.in.after_due_ms = INT64_MIN;
}

struct backlog backlog_of(const struct bed *b, unsigned webhook, size_t limit)
{
	struct backlog all = {.oldest_ms = -1};
	struct store_request r;
	bool more = true;

	ask_backlog(b, &r, webhook, limit);
	while (more) {
		struct store_backlog *q = &r.u.backlog;
		int64_t counted = 0;

		if (serve(b, &r) != 0) {
			assert_int_equal(r.result, CH_ENOENT);
			all.oldest_ms = -2;
			break;
		}
		for (size_t i = 0; i < BACKLOG_AGES; i++) {
			counted += q->out.counts[i];
			all.counts[i] += q->out.counts[i];
		}
		assert_true(counted <= (int64_t)limit || webhook == ALL_WEBHOOKS);
		if (q->out.oldest_ms >= 0 && (all.oldest_ms < 0 || q->out.oldest_ms < all.oldest_ms))
			all.oldest_ms = q->out.oldest_ms;
		more = q->out.more;
		q->in.after_webhook = q->out.last_webhook;
		q->in.after_due_ms = q->out.last_due_ms;
		q->in.after = q->out.last;
		store_request_clear_out(&r);
	}
	store_request_fini(&r);
	return all;
}

size_t sweep_all(const struct bed *b, unsigned webhook, size_t limit)
{
	struct store_request r;
	size_t moved = 0;
	bool more = true;

	while (more) {
		ask_sweep(b, &r, webhook, limit);
		assert_int_equal(serve(b, &r), 0);
		assert_true(r.u.webhook_sweep.out.moved <= limit);
		moved += r.u.webhook_sweep.out.moved;
		more = r.u.webhook_sweep.out.more;
		store_request_fini(&r);
	}
	return moved;
}
