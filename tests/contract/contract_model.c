#include "../unit/nth_alloc.h"
#include "dump.h"

/* Random requests go to a store in memory and to one in SQLite, which must answer the same and hold the
 * same, and to a little model of what the contract says, which must have foreseen it. */

#define CALLS 6
#define WEBHOOKS 6
#define STORES 2
#define BATCH_MAX 4
#define DELIVERIES_MAX 4000
#define STEPS 300

enum op_kind { OP_PUT, OP_CREATE, OP_UPDATE, OP_DELETE, OP_ATTEMPT, OP_RESEND, OP_KINDS };

struct op {
	enum op_kind kind;
	struct call_spec call;
	unsigned webhook;
	bool enabled, release;
	call_status_set statuses;
	int64_t revision;
	bool has_other_url;
	int round;
	int64_t quiet_ms; /* from now; 0: none */
	size_t delivery; /* its place among the known ones */
	unsigned attempt;
	enum delivery_state next;
	enum attempt_outcome outcome;
	int32_t total_us;
	int64_t ago_ms; /* that it began */
};

struct model_call {
	int64_t version; /* 0: none */
	enum call_status status;
	unsigned agent, note;
	size_t padding;
};

struct model_webhook {
	bool exists, deleted, enabled, is_releasing;
	call_status_set statuses;
	int64_t revision;
};

struct model_delivery {
	struct id ids[STORES];
	unsigned webhook;
	enum delivery_state state;
	int round;
	bool was_delivered;
};

struct world {
	struct bed beds[STORES];
	struct ch_rand_seeded seeded;
	struct ch_rand rand;
	struct model_call calls[CALLS];
	struct model_webhook webhooks[WEBHOOKS];
	struct model_delivery *deliveries;
	size_t delivery_count;
	unsigned attempts;
	bool is_bleak; /* nothing succeeds */
	unsigned hopeless; /* answers that said so */
	bool is_dirty; /* some webhook's rows may not follow its switch yet */
};

static unsigned below(struct world *w, unsigned n)
{
	return (unsigned)ch_rand_below(&w->rand, n);
}

static enum call_status any_status(struct world *w)
{
	static const enum call_status some[] = {
			CALL_IN_PROGRESS, CALL_IN_PROGRESS, CALL_COMPLETED, CALL_FAILED, CALL_NO_ANSWER};

	return some[below(w, 5)];
}

static enum delivery_state any_next(struct world *w)
{
	static const enum delivery_state some[] = {DELIVERY_DELIVERED, DELIVERY_PENDING, DELIVERY_PENDING,
			DELIVERY_FAILED, DELIVERY_PARKED};

	return some[w->is_bleak ? 1 + below(w, 4) : below(w, 5)];
}

static struct op any_op(struct world *w)
{
	static const enum op_kind kinds[] = {OP_PUT, OP_PUT, OP_PUT, OP_PUT, OP_ATTEMPT, OP_ATTEMPT,
			OP_ATTEMPT, OP_CREATE, OP_UPDATE, OP_UPDATE, OP_DELETE, OP_RESEND, OP_RESEND};
	struct op op = {.kind = kinds[below(w, sizeof(kinds) / sizeof(kinds[0]))]};

	if ((op.kind == OP_ATTEMPT || op.kind == OP_RESEND) && w->delivery_count == 0)
		op.kind = OP_CREATE;
	if (op.kind == OP_DELETE && below(w, 3) > 0)
		op.kind = OP_PUT;
	op.webhook = below(w, WEBHOOKS);
	op.call = (struct call_spec){.call = below(w, CALLS),
			.agent = below(w, 2),
			.status = any_status(w),
			.note = below(w, 3),
			.notify = below(w, 3) == 0,
			.padding = below(w, 4) == 0 ? 5000 : 0};
	op.enabled = below(w, 3) > 0;
	op.release = op.enabled && below(w, 2) == 0;
	op.has_other_url = below(w, 8) == 0;
	op.quiet_ms = below(w, 4) == 0 ? 1 + below(w, 20000) : 0;
	op.statuses = below(w, 2) == 0 ? WEBHOOK_STATUSES_DEFAULT : 1u << CALL_NO_ANSWER;
	op.revision = w->webhooks[op.webhook].revision + (below(w, 6) == 0);
	op.next = any_next(w);
	op.outcome = (enum attempt_outcome)(below(w, 3) == 0 ? below(w, ATTEMPT_OUTCOME_COUNT) : 0);
	op.total_us = (int32_t)below(w, 1u << below(w, 25));
	op.ago_ms = below(w, 4) == 0 ? below(w, 600000) : 0;
	op.attempt = below(w, 8) == 0 && w->attempts > 0 ? below(w, w->attempts) : w->attempts++;
	if (w->delivery_count > 0)
		op.delivery = w->delivery_count - 1 -
			      below(w, w->delivery_count < 20 ? (unsigned)w->delivery_count : 20);
	if (w->delivery_count > 0 && below(w, 5) > 0)
		op.round = w->deliveries[op.delivery].round;
	return op;
}

static void ask(const struct world *w, int at, const struct op *op, struct store_request *r)
{
	const struct bed *b = &w->beds[at];
	struct delivery d = {.account = ACCOUNT};

	switch (op->kind) {
	case OP_PUT:
		ask_put(b, r, &op->call);
		break;
	case OP_CREATE:
		ask_webhook(b, r, op->webhook, op->enabled);
		r->u.webhook_create.in.webhook.statuses = op->statuses;
		break;
	case OP_UPDATE:
		ask_update(b, r, op->webhook, op->enabled, op->revision);
		r->u.webhook_update.in.webhook.statuses = op->statuses;
		r->u.webhook_update.in.release = op->release;
		r->u.webhook_update.in.ends_quiet = op->quiet_ms > 0;
		if (op->has_other_url)
			r->u.webhook_update.in.webhook.url[0] = 'H';
		break;
	case OP_DELETE:
		ask_delete(b, r, op->webhook);
		break;
	case OP_ATTEMPT:
		d.id = w->deliveries[op->delivery].ids[at];
		d.webhook_id = id_of('w', w->deliveries[op->delivery].webhook);
		d.round = op->round;
		ask_attempt(b, r, &d, op->attempt, op->next);
		r->u.attempt.in.attempt.outcome = op->outcome;
		r->u.attempt.in.attempt.total_us = op->total_us;
		r->u.attempt.in.attempt.started_ms -= op->ago_ms;
		r->u.attempt.in.quiet_until_ms = op->quiet_ms > 0 ? b->clock.wall.ms + op->quiet_ms : 0;
		r->u.attempt.in.quiet_status = op->quiet_ms > 0 ? 503 : 0;
		break;
	case OP_RESEND:
		ask_resend(b, r, &w->deliveries[op->delivery].ids[at]);
		break;
	case OP_KINDS:
		fail();
	}
}

/* The model's foresight: the result, and for a put how many deliveries. */

static size_t foresee_deliveries(struct world *w, const struct op *op)
{
	size_t count = 0;

	for (unsigned i = 0; i < WEBHOOKS; i++) {
		struct model_webhook *hook = &w->webhooks[i];

		if (hook->exists && !hook->deleted && (hook->statuses & (1u << op->call.status)) != 0)
			count++;
	}
	return count;
}

static bool is_same_call(const struct model_call *c, const struct call_spec *spec)
{
	return c->version > 0 && c->status == spec->status && c->agent == spec->agent &&
	       c->note == spec->note && c->padding == spec->padding;
}

static int foresee_put(struct world *w, const struct op *op, size_t *deliveries)
{
	struct model_call *c = &w->calls[op->call.call];
	bool was_final = c->version > 0 && call_status_is_final(c->status);
	bool is_final = call_status_is_final(op->call.status);

	*deliveries = 0;
	if (is_same_call(c, &op->call))
		return 0;
	if (was_final && !is_final)
		return CH_ECONFLICT;
	*c = (struct model_call){
			c->version + 1, op->call.status, op->call.agent, op->call.note, op->call.padding};
	if (is_final && (!was_final || op->call.notify))
		*deliveries = foresee_deliveries(w, op);
	return 0;
}

static int foresee_hook(struct world *w, const struct op *op)
{
	struct model_webhook *hook = &w->webhooks[op->webhook];

	if (op->kind == OP_CREATE) {
		if (hook->exists)
			return CH_EEXIST;
		*hook = (struct model_webhook){true, false, op->enabled, false, op->statuses, 1};
		return 0;
	}
	if (!hook->exists || hook->deleted)
		return CH_ENOENT;
	if (op->kind == OP_UPDATE) {
		if (op->revision != hook->revision)
			return CH_ECONFLICT;
		hook->is_releasing = op->enabled && (op->release || hook->is_releasing);
		hook->enabled = op->enabled;
		hook->statuses = op->statuses;
	} else {
		hook->deleted = true;
	}
	hook->revision++;
	w->is_dirty = true;
	return 0;
}

/* The same attempt may have been written before, so that nothing changes. */
static bool is_consistent(const struct op *op, const struct model_delivery *d, enum delivery_state now)
{
	enum delivery_state next = op->next;

	if (now == d->state)
		return true;
	if (next == DELIVERY_FAILED && d->was_delivered)
		next = DELIVERY_DELIVERED;
	if (op->round != d->round && op->next != DELIVERY_DELIVERED)
		return false;
	return d->state != DELIVERY_DELIVERED && now == next;
}

static int foresee_resend(struct world *w, const struct op *op)
{
	struct model_delivery *d = &w->deliveries[op->delivery];
	const struct model_webhook *hook = &w->webhooks[d->webhook];

	if (d->state == DELIVERY_CANCELED)
		return CH_ECONFLICT;
	if (hook->deleted)
		return CH_ENOENT;
	if (!hook->enabled)
		return CH_ECONFLICT;
	d->state = DELIVERY_PENDING;
	d->round++;
	return 0;
}

static void check_attempt(struct world *w, const struct op *op, struct store_request *const answers[STORES])
{
	struct model_delivery *d = &w->deliveries[op->delivery];

	assert_int_equal(answers[0]->result, 0);
	assert_int_equal(answers[0]->u.attempt.out.state, answers[1]->u.attempt.out.state);
	assert_int_equal(answers[0]->u.attempt.out.pending, answers[1]->u.attempt.out.pending);
	assert_int_equal(answers[0]->u.attempt.out.is_hopeless, answers[1]->u.attempt.out.is_hopeless);
	w->hopeless += answers[0]->u.attempt.out.is_hopeless;
	assert_true(is_consistent(op, d, answers[0]->u.attempt.out.state));
	d->state = answers[0]->u.attempt.out.state;
	d->was_delivered = d->was_delivered || d->state == DELIVERY_DELIVERED;
}

/* What one answered put made. */
static void learn_deliveries(struct world *w, struct store_request *const answers[STORES])
{
	size_t count = answers[0]->u.call_put.out.delivery_count;

	for (size_t i = 0; i < count; i++) {
		struct model_delivery *d = &w->deliveries[w->delivery_count++];

		assert_true(w->delivery_count <= DELIVERIES_MAX);
		for (int s = 0; s < STORES; s++)
			d->ids[s] = answers[s]->u.call_put.out.deliveries[i].id;
		d->state = answers[0]->u.call_put.out.deliveries[i].state;
		assert_int_equal(answers[1]->u.call_put.out.deliveries[i].state, d->state);
		d->webhook = answers[0]->u.call_put.out.deliveries[i].webhook_id.b[15];
		assert_int_equal(d->state,
				w->webhooks[d->webhook].enabled ? DELIVERY_PENDING : DELIVERY_PARKED);
	}
}

static void check_answer(struct world *w, const struct op *op, struct store_request *const answers[STORES])
{
	size_t deliveries = 0;

	for (int s = 1; s < STORES; s++)
		assert_int_equal(answers[s]->result, answers[0]->result);
	if (op->kind == OP_PUT) {
		assert_int_equal(answers[0]->result, foresee_put(w, op, &deliveries));
		for (int s = 0; s < STORES; s++) {
			assert_int_equal(answers[s]->u.call_put.out.what, answers[0]->u.call_put.out.what);
			assert_int_equal(answers[s]->u.call_put.out.version,
					answers[0]->u.call_put.out.version);
			assert_int_equal(answers[s]->u.call_put.out.delivery_count, deliveries);
		}
		learn_deliveries(w, answers);
	} else if (op->kind == OP_ATTEMPT) {
		check_attempt(w, op, answers);
	} else if (op->kind == OP_RESEND) {
		assert_int_equal(answers[0]->result, foresee_resend(w, op));
	} else {
		assert_int_equal(answers[0]->result, foresee_hook(w, op));
	}
}

static void check_ledger(const struct world *w)
{
	int64_t counts[DELIVERY_STATE_COUNT] = {0};

	for (size_t i = 0; i < w->delivery_count; i++)
		counts[w->deliveries[i].state]++;
	for (int s = 0; s < STORES; s++)
		assert_ledger(&w->beds[s], ACCOUNT, counts[DELIVERY_PENDING], counts[DELIVERY_DELIVERED],
				counts[DELIVERY_FAILED], counts[DELIVERY_PARKED], counts[DELIVERY_CANCELED]);
}

static void check_same(const struct world *w)
{
	char *dumps[STORES];

	for (int s = 0; s < STORES; s++)
		dumps[s] = dump(&w->beds[s], CALLS, WEBHOOKS);
	assert_string_equal(dumps[0], dumps[1]);
	for (int s = 0; s < STORES; s++)
		ch_free(dumps[s]);
}

/* A write that is made to fail, by the store or by memory, once in a while; whatever it is, the store is as
 * it was, and the same requests go through after. */
static void write_batch(struct world *w, int at, struct store_request *rows, size_t n, int trouble)
{
	struct bed *b = &w->beds[at];
	struct store_request *requests[BATCH_MAX];
	struct nth_alloc nth = {.fail_at = trouble};
	char *before;
	int rc;

	for (size_t i = 0; i < n; i++)
		requests[i] = &rows[i];
	if (trouble > 0) {
		before = dump(b, CALLS, WEBHOOKS);
		if (trouble == 1)
			store_fault_fail_write(b->store, 1, CH_EFULL);
		nth_alloc_begin(&nth);
		rc = b->store->ops->write(b->store, requests, n, NULL);
		nth_alloc_end(&nth);
		if (rc != 0) {
			char *after = dump(b, CALLS, WEBHOOKS);

			assert_int_equal(rc, trouble == 1 ? CH_EFULL : CH_ENOMEM);
			assert_string_equal(after, before);
			ch_free(after);
		}
		ch_free(before);
		if (rc == 0)
			return;
	}
	assert_int_equal(b->store->ops->write(b->store, requests, n, NULL), 0);
}

static void sweep_world(struct world *w, size_t limit)
{
	for (unsigned i = 0; i < WEBHOOKS; i++) {
		if (!w->webhooks[i].exists)
			continue;
		assert_int_equal(sweep_all(&w->beds[0], i, limit), sweep_all(&w->beds[1], i, limit));
	}
	for (size_t i = 0; i < w->delivery_count; i++) {
		struct model_delivery *d = &w->deliveries[i];
		const struct model_webhook *hook = &w->webhooks[d->webhook];

		if (hook->deleted && (d->state == DELIVERY_PENDING || d->state == DELIVERY_PARKED))
			d->state = DELIVERY_CANCELED;
		else if (!hook->enabled && d->state == DELIVERY_PENDING)
			d->state = DELIVERY_PARKED;
		else if (hook->is_releasing && d->state == DELIVERY_PARKED)
			d->state = DELIVERY_PENDING;
	}
	for (unsigned i = 0; i < WEBHOOKS; i++)
		w->webhooks[i].is_releasing = false;
	w->is_dirty = false;
}

static void step(struct world *w)
{
	struct store_request rows[STORES][BATCH_MAX];
	struct op ops[BATCH_MAX];
	size_t n = 1 + below(w, BATCH_MAX);
	int trouble = below(w, 6) == 0 ? (int)(1 + below(w, 40)) : 0;

	for (size_t i = 0; i < n; i++)
		ops[i] = any_op(w);
	for (int s = 0; s < STORES; s++) {
		for (size_t i = 0; i < n; i++)
			ask(w, s, &ops[i], &rows[s][i]);
		write_batch(w, s, rows[s], n, trouble);
	}
	for (size_t i = 0; i < n; i++) {
		struct store_request *answers[STORES] = {&rows[0][i], &rows[1][i]};

		check_answer(w, &ops[i], answers);
		for (int s = 0; s < STORES; s++)
			store_request_fini(answers[s]);
	}
	check_ledger(w);
	check_same(w);
	if (w->is_dirty) {
		sweep_world(w, 1 + below(w, 5));
		check_ledger(w);
		check_same(w);
	}
}

static unsigned run_seed(uint64_t seed)
{
	unsigned hopeless;
	struct world *w = calloc(1, sizeof(*w));

	print_message("seed %llu\n", (unsigned long long)seed);
	ch_rand_seeded_init(&w->seeded, seed);
	w->rand = ch_rand_seeded_of(&w->seeded);
	w->deliveries = calloc(DELIVERIES_MAX, sizeof(*w->deliveries));
	bed_open(&w->beds[0], MEMORY_FAULT);
	bed_open(&w->beds[1], SQLITE_FAULT);
	for (int s = 0; s < STORES; s++) {
		make_webhook_of(&w->beds[s], ops_event_account(ACCOUNT), WEBHOOKS + 1);
		make_webhook_of(&w->beds[s], EVENT_OPERATOR, WEBHOOKS + 2);
	}
	for (int i = 0; i < STEPS; i++) {
		int64_t ms = below(w, 6) == 0 ? 86400000 * 3 : below(w, 3000);

		w->is_bleak = i % 150 >= 50;
		step(w);
		for (int s = 0; s < STORES; s++)
			ch_clock_virtual_advance(&w->beds[s].clock, ms);
	}
	assert_true(w->delivery_count > 20);
	hopeless = w->hopeless;
	for (int s = 0; s < STORES; s++)
		bed_close(&w->beds[s]);
	free(w->deliveries);
	free(w);
	return hopeless;
}

static void stores_and_model_agree(void **state)
{
	unsigned hopeless = 0;

	for (uint64_t seed = 1; seed <= 4; seed++)
		hopeless += run_seed(seed);
	assert_true(hopeless > 0);
}

int contract_model(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test(stores_and_model_agree),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
