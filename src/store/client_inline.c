#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/rules.h"
#include "store/writer.h"

struct inline_client {
	struct store_client base;
	struct store *store; /* owned */
	struct store_reader *reader;
	struct ch_clock clock;
	struct store_writer writer;
	struct store_stats stats;
	struct ch_list writes, reads;
	size_t write_count;
	struct store_request **batch;
	size_t batch_cap;
	bool is_stopping;
};

static struct inline_client *inline_of(struct store_client *c)
{
	return CH_CONTAINER_OF(c, struct inline_client, base);
}

static struct store_request *request_of(struct ch_list *n)
{
	return CH_CONTAINER_OF(CH_CONTAINER_OF(n, struct ch_msg, link), struct store_request, msg);
}

static void inline_submit(struct store_client *base, struct store_request *r)
{
	struct inline_client *c = inline_of(base);

	store_writer_accept(r, &c->clock);
	if (!store_kind_is_write(r->kind)) {
		ch_list_push_back(&c->reads, &r->msg.link);
		return;
	}
	ch_list_push_back(&c->writes, &r->msg.link);
	c->write_count++;
	atomic_store(&c->stats.queued, (long long)c->write_count);
}

/* Room for all that waits and a sweep. */
static int reserve_batch(struct inline_client *c)
{
	size_t wanted = c->write_count + 1;
	struct store_request **batch;

	if (wanted <= c->batch_cap)
		return 0;
	batch = ch_realloc(c->batch, wanted * 2 * sizeof(struct store_request *));
	if (batch == NULL)
		return CH_ENOMEM;
	c->batch = batch;
	c->batch_cap = wanted * 2;
	return 0;
}

static size_t refuse_writes(struct inline_client *c)
{
	size_t count = c->write_count;

	CH_LIST_FOREACH (&c->writes, it, nx) {
		struct store_request *r = request_of(it);

		rules_batch_failed(&r, 1, CH_ENOMEM, "out of memory");
	}
	c->write_count = 0;
	store_writer_answer(&c->writes);
	return count;
}

static size_t step_writes(struct inline_client *c)
{
	struct store_request *sweep;
	struct ch_list *n;
	size_t count = 0;

	if (reserve_batch(c) != 0)
		return refuse_writes(c);
	while ((n = ch_list_pop_front(&c->writes)) != NULL)
		c->batch[count++] = request_of(n);
	c->write_count = 0;
	atomic_store(&c->stats.queued, 0);
	if (!c->is_stopping) {
		store_writer_look(&c->writer, false);
		sweep = store_writer_next_sweep(&c->writer);
		if (sweep != NULL)
			c->batch[count++] = sweep;
	}
	if (count > 0)
		store_writer_run(&c->writer, c->batch, count);
	return count;
}

static size_t step_reads(struct inline_client *c)
{
	struct ch_list reads;
	size_t count = 0;

	ch_list_init(&reads);
	ch_list_splice_back(&reads, &c->reads);
	CH_LIST_FOREACH (&reads, it, nx) {
		c->store->ops->read(c->reader, request_of(it));
		atomic_fetch_add(&c->stats.reads, 1);
		count++;
	}
	store_writer_answer(&reads);
	return count;
}

size_t store_inline_step(struct store_client *base)
{
	struct inline_client *c = inline_of(base);
	size_t served = step_writes(c);

	return served + step_reads(c);
}

int store_inline_keep(struct store_client *base, const struct store_retention *retention, struct ch_err *err)
{
	return store_writer_keep(&inline_of(base)->writer, retention, err);
}

static void inline_destroy(struct store_client *base)
{
	struct inline_client *c = inline_of(base);

	c->is_stopping = true;
	while (store_inline_step(base) > 0)
		;
	store_writer_fini(&c->writer);
	c->store->ops->reader_close(c->reader);
	store_close(&c->store);
	ch_free(c->batch);
	ch_free(c);
}

int store_inline_start(struct store **store, struct ch_clock clock, const struct store_watcher *watcher,
		struct store_client **ret, struct ch_err *err)
{
	static const struct store_watcher none;
	struct inline_client *c = ch_calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	c->base.submit = inline_submit;
	c->base.destroy = inline_destroy;
	c->clock = clock;
	ch_list_init(&c->writes);
	ch_list_init(&c->reads);
	rc = (*store)->ops->reader_open(*store, &c->reader, err);
	if (rc != 0) {
		ch_free(c);
		return rc;
	}
	rc = store_writer_init(&c->writer, *store, &clock, watcher == NULL ? &none : watcher, &c->stats, err);
	if (rc != 0) {
		(*store)->ops->reader_close(c->reader);
		ch_free(c);
		return rc;
	}
	c->store = *store;
	*store = NULL;
	*ret = &c->base;
	return 0;
}
