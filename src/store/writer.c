#include "store/writer.h"

#include <limits.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"

const int store_commit_bounds_ms[STORE_COMMIT_BUCKETS - 1] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000};

static struct store_request *request_of(struct ch_list *n)
{
	return CH_CONTAINER_OF(CH_CONTAINER_OF(n, struct ch_msg, link), struct store_request, msg);
}

static void answered(struct ch_msg *m)
{
	struct store_request *r = CH_CONTAINER_OF(m, struct store_request, msg);

	r->done(r);
}

void store_writer_accept(struct store_request *r, const struct ch_clock *clock)
{
	CH_ASSERT(r->kind < STORE_KIND_COUNT && r->reply_to != NULL && r->done != NULL);
	ch_list_init(&r->msg.link);
	r->msg.run = answered;
	r->result = 0;
	r->err.code = 0;
	r->err.text[0] = '\0';
	r->queued_mono_ms = ch_clock_mono(clock).ms;
}

void store_writer_answer(struct ch_list *requests)
{
	while (!ch_list_is_empty(requests)) {
		struct ch_port *port = request_of(requests->next)->reply_to;
		struct ch_list group;

		ch_list_init(&group);
		CH_LIST_FOREACH (requests, it, nx) {
			if (request_of(it)->reply_to != port)
				continue;
			ch_list_unlink(it);
			ch_list_push_back(&group, it);
		}
		ch_queue_push_all(&port->queue, &group);
	}
}

int store_writer_init(struct store_writer *w, struct store *store, const struct ch_clock *clock,
		const struct store_watcher *watcher, struct store_stats *stats, struct ch_err *err)
{
	struct store_reader *reader;
	int rc = store->ops->reader_open(store, &reader, err);

	if (rc != 0)
		return rc;
	*w = (struct store_writer){
			.store = store,
			.reader = reader,
			.clock = *clock,
			.watcher = *watcher,
			.stats = stats,
			.must_look = true,
			.look_at_mono_ms = ch_clock_mono(clock).ms,
	};
	ch_list_init(&w->sweeps);
	ch_list_init(&w->replays);
	ch_list_init(&w->retentions);
	return 0;
}

void store_writer_fini(struct store_writer *w)
{
	struct ch_list *n;

	while ((n = ch_list_pop_front(&w->sweeps)) != NULL)
		ch_free(request_of(n));
	while ((n = ch_list_pop_front(&w->replays)) != NULL)
		ch_free(request_of(n));
	while ((n = ch_list_pop_front(&w->retentions)) != NULL)
		ch_free(request_of(n));
	w->store->ops->reader_close(w->reader);
}

/* sweeps: requests of our own, known by having nobody to answer */

static bool is_own(const struct store_request *r)
{
	return r->reply_to == NULL;
}

static void look_later(struct store_writer *w)
{
	w->must_look = true;
	w->look_at_mono_ms = ch_clock_mono(&w->clock).ms + WRITER_RETRY_MS;
}

static bool is_queued(const struct store_writer *w, const struct id *webhook)
{
	CH_LIST_FOREACH (&w->sweeps, it, nx) {
		if (request_of(it)->kind == STORE_WEBHOOK_SWEEP &&
				id_equal(&request_of(it)->u.webhook_sweep.in.id, webhook))
			return true;
	}
	return false;
}

static void queue_sweep(struct store_writer *w, const struct id *webhook)
{
	struct store_request *r;

	if (is_queued(w, webhook))
		return;
	r = ch_alloc(sizeof(*r));
	if (r == NULL) {
		look_later(w);
		return;
	}
	store_request_init(r, STORE_WEBHOOK_SWEEP, NULL, NULL);
	r->u.webhook_sweep.in.id = *webhook;
	r->u.webhook_sweep.in.limit = WRITER_SWEEP_ROWS;
	ch_list_push_back(&w->sweeps, &r->msg.link);
}

static bool is_purge_queued(const struct store_writer *w, int64_t account)
{
	CH_LIST_FOREACH (&w->sweeps, it, nx) {
		if (request_of(it)->kind == STORE_ACCOUNT_SWEEP &&
				request_of(it)->u.account_sweep.in.number == account)
			return true;
	}
	return false;
}

static void queue_purge(struct store_writer *w, int64_t account)
{
	struct store_request *r;

	if (is_purge_queued(w, account))
		return;
	r = ch_alloc(sizeof(*r));
	if (r == NULL) {
		look_later(w);
		return;
	}
	store_request_init(r, STORE_ACCOUNT_SWEEP, NULL, NULL);
	r->u.account_sweep.in.number = account;
	r->u.account_sweep.in.limit = WRITER_SWEEP_ROWS;
	ch_list_push_back(&w->sweeps, &r->msg.link);
}

static bool has_replay(const struct store_writer *w, const struct id *replay)
{
	CH_LIST_FOREACH (&w->replays, it, nx) {
		if (id_equal(&request_of(it)->u.replay_step.in.id, replay))
			return true;
	}
	return false;
}

static void queue_replay(struct store_writer *w, const struct id *replay)
{
	struct store_request *r;

	if (has_replay(w, replay))
		return;
	r = ch_alloc(sizeof(*r));
	if (r == NULL) {
		look_later(w);
		return;
	}
	store_request_init(r, STORE_REPLAY_STEP, NULL, NULL);
	r->u.replay_step.in.id = *replay;
	r->u.replay_step.in.limit = WRITER_REPLAY_ROWS;
	r->u.replay_step.in.at_mono_ms = ch_clock_mono(&w->clock).ms;
	ch_list_push_back(&w->replays, &r->msg.link);
}

int store_writer_keep(struct store_writer *w, const struct store_retention *retention, struct ch_err *err)
{
	struct store_request *r;

	CH_ASSERT(ch_list_is_empty(&w->retentions));
	if (retention->calls_ms == 0 && retention->attempts_ms == 0)
		return 0;
	r = ch_alloc(sizeof(*r));
	if (r == NULL)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	w->retention = *retention;
	w->kept_since_wall = ch_clock_wall(&w->clock);
	w->kept_since_mono = ch_clock_mono(&w->clock);
	store_request_init(r, STORE_RETENTION_STEP, NULL, NULL);
	r->u.retention_step.in.limit = WRITER_RETENTION_ROWS;
	r->u.retention_step.in.at_mono_ms = ch_clock_mono(&w->clock).ms + WRITER_RETRY_MS;
	ch_list_push_back(&w->retentions, &r->msg.link);
	return 0;
}

/* While much waits for the writer a step of retention lets it go first. -1: there is none. */
static int64_t retention_in_ms(const struct store_writer *w, int64_t now_ms)
{
	int64_t left;

	if (ch_list_is_empty(&w->retentions))
		return -1;
	left = request_of(w->retentions.next)->u.retention_step.in.at_mono_ms - now_ms;
	if (left <= 0 && atomic_load(&w->stats->queued) > WRITER_RETENTION_BUSY)
		left += WRITER_RETENTION_WAIT_MS;
	return left < 0 ? 0 : left;
}

int store_writer_step_in_ms(const struct store_writer *w)
{
	int64_t now_ms = ch_clock_mono(&w->clock).ms, least = retention_in_ms(w, now_ms);

	CH_LIST_FOREACH (&w->replays, it, nx) {
		int64_t left = request_of(it)->u.replay_step.in.at_mono_ms - now_ms;

		left = left < 0 ? 0 : left;
		least = least < 0 || left < least ? left : least;
	}
	return least > INT_MAX ? INT_MAX : (int)least;
}

bool store_writer_has_work(const struct store_writer *w)
{
	return !ch_list_is_empty(&w->sweeps) || store_writer_step_in_ms(w) == 0;
}

/* A wall clock that is set years ahead by mistake must not take everything with it: what it gained since the
 * start on the clock that nobody sets does not count. */
static int64_t retention_now_ms(const struct store_writer *w)
{
	int64_t passed_ms = ch_clock_mono(&w->clock).ms - w->kept_since_mono.ms;
	int64_t latest_ms = w->kept_since_wall.ms + passed_ms + WRITER_RETENTION_AHEAD_MS;
	int64_t wall_ms = ch_clock_wall(&w->clock).ms;

	return wall_ms < latest_ms ? wall_ms : latest_ms;
}

static int64_t before(int64_t now_ms, int64_t kept_ms)
{
	return kept_ms == 0 ? INT64_MIN : now_ms - kept_ms;
}

static struct store_request *next_retention(struct store_writer *w, int64_t now_mono_ms)
{
	struct store_request *r;
	struct store_retention_step *q;

	if (retention_in_ms(w, now_mono_ms) != 0)
		return NULL;
	r = request_of(ch_list_pop_front(&w->retentions));
	q = &r->u.retention_step;
	q->in.now_ms = retention_now_ms(w);
	q->in.calls_before_ms = before(q->in.now_ms, w->retention.calls_ms);
	q->in.attempts_before_ms = before(q->in.now_ms, w->retention.attempts_ms);
	return r;
}

/* Those that wait the longest go first: a step that is done goes to the end. */
static struct store_request *next_step(struct store_writer *w)
{
	int64_t now_ms = ch_clock_mono(&w->clock).ms;

	CH_LIST_FOREACH (&w->replays, it, nx) {
		struct store_request *r = request_of(it);

		if (r->u.replay_step.in.at_mono_ms > now_ms)
			continue;
		ch_list_unlink(it);
		r->u.replay_step.in.now_ms = ch_clock_wall(&w->clock).ms;
		return r;
	}
	return next_retention(w, now_ms);
}

struct store_request *store_writer_next_sweep(struct store_writer *w)
{
	struct ch_list *n = ch_list_pop_front(&w->sweeps);
	struct store_request *r;

	if (n == NULL)
		return next_step(w);
	r = request_of(n);
	if (r->kind == STORE_WEBHOOK_SWEEP)
		r->u.webhook_sweep.in.now_ms = ch_clock_wall(&w->clock).ms;
	return r;
}

int store_writer_look_in_ms(const struct store_writer *w)
{
	int64_t left = w->look_at_mono_ms - ch_clock_mono(&w->clock).ms;

	if (!w->must_look)
		return -1;
	if (left > WRITER_RETRY_MS)
		return WRITER_RETRY_MS;
	return left < 0 ? 0 : (int)left;
}

void store_writer_look(struct store_writer *w, bool even_early)
{
	struct store_request look;

	if (!w->must_look || (!even_early && store_writer_look_in_ms(w) > 0))
		return;
	store_request_init(&look, STORE_SWEEPS, NULL, NULL);
	w->store->ops->read(w->reader, &look);
	w->must_look = false;
	/* What is to be removed of an account may be hidden as yet behind its webhooks' sweeps. */
	if (look.result != 0 || look.u.sweeps.out.count > 0)
		look_later(w);
	for (size_t i = 0; i < look.u.sweeps.out.count; i++)
		queue_sweep(w, &look.u.sweeps.out.ids[i]);
	for (size_t i = 0; i < look.u.sweeps.out.account_count; i++)
		queue_purge(w, look.u.sweeps.out.accounts[i]);
	for (size_t i = 0; i < look.u.sweeps.out.replay_count; i++)
		queue_replay(w, &look.u.sweeps.out.replays[i]);
	store_request_fini(&look);
}

static void count_retention(struct store_stats *stats, const struct store_retention_step *q)
{
	atomic_fetch_add(&stats->expired, q->out.canceled);
	atomic_fetch_add(&stats->removed_calls, q->out.calls);
	atomic_fetch_add(&stats->removed_attempts, q->out.attempts);
	atomic_fetch_add(&stats->removed_replays, q->out.replays);
}

static void after_retention(struct store_writer *w, struct store_request *r)
{
	struct store_retention_step *q = &r->u.retention_step;
	int64_t pause_ms = WRITER_RETRY_MS;

	if (r->result == 0) {
		count_retention(w->stats, q);
		q->in.place = q->out.more ? q->out.place : (struct store_retention_place){0, 0};
		pause_ms = q->out.more ? WRITER_RETENTION_PAUSE_MS : WRITER_RETENTION_EVERY_MS;
	} else if (r->result == CH_EDAMAGED) {
		q->in.place = (struct store_retention_place){q->in.place.phase + 1, 0};
	}
	q->in.at_mono_ms = ch_clock_mono(&w->clock).ms + pause_ms;
	store_request_clear_out(r);
	ch_list_push_back(&w->retentions, &r->msg.link);
}

/* A batch may hold a sweep and the change that called for it; each is asked on its own. */
static void after_own(struct store_writer *w, struct store_request *r)
{
	if (r->kind == STORE_RETENTION_STEP) {
		CH_CRASH_POINT(retention_between);
		after_retention(w, r);
		return;
	}
	if (r->kind == STORE_REPLAY_STEP)
		CH_CRASH_POINT(replay_between);
	else
		CH_CRASH_POINT(sweep_between);
	if (r->kind == STORE_REPLAY_STEP && r->result == 0 && r->u.replay_step.out.more) {
		r->u.replay_step.in.at_mono_ms = ch_clock_mono(&w->clock).ms + r->u.replay_step.out.wait_ms;
		store_request_clear_out(r);
		ch_list_push_back(&w->replays, &r->msg.link);
		return;
	}
	if (r->result != 0)
		look_later(w);
	store_request_fini(r);
	ch_free(r);
}

/* What is stored of the account can go only when its webhooks' deliveries are canceled: the look finds out.
 */
static void after_account(struct store_writer *w, const struct store_request *r)
{
	if (r->result != 0)
		return;
	if (r->kind == STORE_ACCOUNT_DELETE) {
		for (size_t i = 0; i < r->u.account_delete.out.webhook_count; i++)
			queue_sweep(w, &r->u.account_delete.out.webhooks[i]);
		look_later(w);
	} else if (r->kind == STORE_ACCOUNT_SWEEP && r->u.account_sweep.out.more) {
		queue_purge(w, r->u.account_sweep.in.number);
	}
}

static void queue_sweeps_after(struct store_writer *w, struct store_request *const *requests, size_t n)
{
	struct id webhook;

	for (size_t i = 0; i < n; i++) {
		if (store_sweep_after(requests[i], &webhook))
			queue_sweep(w, &webhook);
		after_account(w, requests[i]);
		if (requests[i]->kind == STORE_REPLAY_CREATE && requests[i]->result == 0)
			queue_replay(w, &requests[i]->u.replay_create.in.replay.id);
	}
}

static void count_commit(struct store_stats *stats, size_t rows, int64_t ms)
{
	int i = 0;

	while (i < STORE_COMMIT_BUCKETS - 1 && ms > store_commit_bounds_ms[i])
		i++;
	atomic_fetch_add(&stats->commits, 1);
	atomic_fetch_add(&stats->rows, rows);
	atomic_fetch_add(&stats->commit_us, (unsigned long long)ms * 1000);
	atomic_fetch_add(&stats->commit_bucket[i], 1);
}

static void count_events(struct store_stats *stats, struct store_request *const *requests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		atomic_fetch_add(&stats->events, requests[i]->events.made);
		atomic_fetch_add(&stats->events_dropped, requests[i]->events.dropped);
	}
}

static int commit(struct store_writer *w, struct store_request *const *requests, size_t n)
{
	int64_t began_ms = ch_clock_mono(&w->clock).ms;
	int rc = w->store->ops->write(w->store, requests, n, NULL);

	if (rc == 0) {
		count_commit(w->stats, n, ch_clock_mono(&w->clock).ms - began_ms);
		count_events(w->stats, requests, n);
	} else {
		atomic_fetch_add(&w->stats->failures, 1);
	}
	/* Damage is some request's own: it says nothing about whether the store takes writes. */
	if (rc != CH_EDAMAGED)
		atomic_store(&w->stats->last_error, rc);
	return rc;
}

static void forget_failure(struct store_request *const *requests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		requests[i]->result = 0;
		requests[i]->err = (struct ch_err){0};
	}
}

/* What fails for damage is halved until the requests concerned stand alone. That costs some twenty
 * transactions for one among five hundred, where one for each would hold up every accept for as many syncs
 * of the disk. Recursive: as deep as the batch can be halved. */
static void run_part(struct store_writer *w, struct store_request *const *requests, size_t n)
{
	int rc = commit(w, requests, n);

	if (rc == 0) {
		if (w->watcher.committed != NULL)
			w->watcher.committed(w->watcher.ctx, requests, n);
		queue_sweeps_after(w, requests, n);
	} else if (rc == CH_EDAMAGED && n > 1) {
		forget_failure(requests, n);
		run_part(w, requests, n / 2);
		run_part(w, requests + n / 2, n - n / 2);
	}
}

void store_writer_run(struct store_writer *w, struct store_request *const *requests, size_t n)
{
	struct ch_list answers;

	CH_ASSERT(n > 0);
	run_part(w, requests, n);
	CH_CRASH_POINT(news_given);
	ch_list_init(&answers);
	for (size_t i = 0; i < n; i++) {
		if (is_own(requests[i]))
			after_own(w, requests[i]);
		else
			ch_list_push_back(&answers, &requests[i]->msg.link);
	}
	store_writer_answer(&answers);
}

void store_client_destroy(struct store_client **c)
{
	if (*c == NULL)
		return;
	(*c)->destroy(*c);
	*c = NULL;
}
