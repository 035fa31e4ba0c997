#include "clients.h"

#include "base/assert.h"

static struct gate *gate_of(struct store *s)
{
	return CH_CONTAINER_OF(s, struct gate, base);
}

static void note_batch(struct gate *g, struct store_request *const *requests, size_t n)
{
	struct gate_batch *b = &g->batches[g->batch_count++];

	CH_ASSERT(g->batch_count <= GATE_BATCHES_MAX);
	b->n = n;
	for (size_t i = 0; i < n && i < GATE_KINDS_MAX; i++) {
		b->kinds[i] = requests[i]->kind;
		b->accounts[i] = store_request_account(requests[i]);
	}
}

static int gate_write(struct store *s, struct store_request *const *requests, size_t n, struct ch_err *err)
{
	struct gate *g = gate_of(s);

	pthread_mutex_lock(&g->lock);
	note_batch(g, requests, n);
	g->inside++;
	pthread_cond_broadcast(&g->changed);
	while (!g->is_open)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
	return g->inner->ops->write(g->inner, requests, n, err);
}

/* The readers are the inner store's own. */
static int gate_reader_open(struct store *s, struct store_reader **ret, struct ch_err *err)
{
	return gate_of(s)->inner->ops->reader_open(gate_of(s)->inner, ret, err);
}

static void gate_close(struct store *s)
{
	struct gate *g = gate_of(s);

	store_close(&g->inner);
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static void gate_maintain(struct store *s)
{
	struct gate *g = gate_of(s);

	pthread_mutex_lock(&g->lock);
	g->maintained++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

struct gate *gate_create(struct store *inner, bool is_open)
{
	static struct store_ops ops;
	struct gate *g = calloc(1, sizeof(*g));

	ops = *inner->ops;
	ops.write = gate_write;
	ops.reader_open = gate_reader_open;
	ops.maintain = gate_maintain;
	ops.close = gate_close;
	g->base.ops = &ops;
	g->inner = inner;
	g->is_open = is_open;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	return g;
}

static void set_open(struct gate *g, bool is_open)
{
	pthread_mutex_lock(&g->lock);
	g->is_open = is_open;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

void gate_open(struct gate *g)
{
	set_open(g, true);
}

void gate_shut(struct gate *g)
{
	set_open(g, false);
}

void gate_wait_inside(struct gate *g, int writes)
{
	pthread_mutex_lock(&g->lock);
	while (g->inside < writes)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void gate_wait_maintained(struct gate *g, int times)
{
	pthread_mutex_lock(&g->lock);
	while (g->maintained < times)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

size_t gate_batches(struct gate *g)
{
	size_t count;

	pthread_mutex_lock(&g->lock);
	count = g->batch_count;
	pthread_mutex_unlock(&g->lock);
	return count;
}

struct gate_batch gate_batch_at(struct gate *g, size_t at)
{
	struct gate_batch b;

	pthread_mutex_lock(&g->lock);
	assert_true(at < g->batch_count);
	b = g->batches[at];
	pthread_mutex_unlock(&g->lock);
	return b;
}

/* watcher */

static void nothing(struct ch_msg *m)
{
	(void)m;
}

static void see(struct seen *seen, struct store_request *r)
{
	atomic_fetch_add(&seen->requests, 1);
	if (r->result != 0)
		atomic_fetch_add(&seen->failed, 1);
	if (r->kind == STORE_CALL_PUT) {
		struct delivery *rows = r->u.call_put.out.deliveries;

		for (size_t i = 0; i < r->u.call_put.out.delivery_count; i++)
			delivery_fini(&rows[i]);
		atomic_fetch_add(&seen->deliveries, (long long)r->u.call_put.out.delivery_count);
		ch_free(rows);
		r->u.call_put.out.deliveries = NULL;
	}
	if (r->kind == STORE_WEBHOOK_SWEEP) {
		atomic_fetch_add(&seen->sweeps, 1);
		if (!r->u.webhook_sweep.out.more) {
			atomic_fetch_add(&seen->last_sweeps, 1);
			if (seen->wake != NULL) {
				seen->woken.run = nothing;
				ch_port_post(seen->wake, &seen->woken);
				seen->wake = NULL;
			}
		}
	}
}

static void committed(void *ctx, struct store_request *const *requests, size_t n)
{
	struct seen *seen = ctx;

	atomic_fetch_add(&seen->commits, 1);
	for (size_t i = 0; i < n; i++)
		see(seen, requests[i]);
}

struct store_watcher watcher_of(struct seen *seen)
{
	return (struct store_watcher){committed, seen};
}

/* requests */

struct seen *asked_seen;

void asked_done(struct store_request *r)
{
	struct asked *a = CH_CONTAINER_OF(r, struct asked, r);

	CH_ASSERT(!a->is_done);
	a->is_done = true;
	a->result = r->result;
	a->commits_seen = asked_seen == NULL ? 0 : atomic_load(&asked_seen->commits);
}

struct asked *asked_create(void)
{
	struct asked *a = calloc(1, sizeof(*a));

	a->result = 1;
	return a;
}

void asked_free(struct asked *a)
{
	store_request_fini(&a->r);
	free(a);
}

void asked_aim(struct asked *a, struct ch_port *port)
{
	a->r.reply_to = port;
	a->r.done = asked_done;
}

void port_pump(struct ch_port *port, size_t messages)
{
	while (messages > 0) {
		struct ch_list items, *n;

		ch_list_init(&items);
		ch_queue_take_wait(&port->queue, &items, -1);
		while ((n = ch_list_pop_front(&items)) != NULL) {
			struct ch_msg *m = CH_CONTAINER_OF(n, struct ch_msg, link);

			assert_true(messages > 0);
			messages--;
			m->run(m);
		}
	}
}

void port_wait(struct ch_port *port)
{
	struct ch_list items, *n;

	ch_list_init(&items);
	ch_queue_take_wait(&port->queue, &items, -1);
	while ((n = ch_list_pop_front(&items)) != NULL) {
		struct ch_msg *m = CH_CONTAINER_OF(n, struct ch_msg, link);

		m->run(m);
	}
}

void fill_store(struct bed *b, unsigned rows)
{
	make_webhook(b, 1, true);
	for (unsigned i = 0; i < rows; i++) {
		struct delivery d = make_delivery(b, i);

		delivery_fini(&d);
	}
}
