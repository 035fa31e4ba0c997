#include <pthread.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/list.h"
#include "store/rules.h"
#include "store/store.h"

struct countdown {
	int left; /* 0: none; the one that finds 1 fails */
	int code;
};

struct store_fault {
	struct store base;
	struct store *inner;
	pthread_mutex_t lock; /* the countdowns: readers and the test are on threads of their own */
	struct countdown writes;
	struct countdown reads;
};

struct fault_reader {
	struct store_fault *store;
	struct store_reader *inner;
};

static struct store_fault *fault_of(struct store *s)
{
	return CH_CONTAINER_OF(s, struct store_fault, base);
}

/* 0, or the code that this one is to fail with. */
static int count(struct store_fault *f, struct countdown *c)
{
	int code = 0;

	pthread_mutex_lock(&f->lock);
	if (c->left > 0 && --c->left == 0)
		code = c->code;
	pthread_mutex_unlock(&f->lock);
	return code;
}

static void set(struct store *s, struct countdown *c, int nth, int code)
{
	CH_ASSERT(nth >= 0 && (nth == 0 || code < 0));
	pthread_mutex_lock(&fault_of(s)->lock);
	*c = (struct countdown){nth, code};
	pthread_mutex_unlock(&fault_of(s)->lock);
}

static int fault_write(struct store *s, struct store_request *const *requests, size_t n, struct ch_err *err)
{
	struct store_fault *f = fault_of(s);
	int code = count(f, &f->writes);

	if (code == 0)
		return f->inner->ops->write(f->inner, requests, n, err);
	rules_batch_failed(requests, n, code, "a fault was injected into this write");
	return ch_err_set(err, code, "a fault was injected into this write");
}

static int fault_reader_open(struct store *s, struct store_reader **ret, struct ch_err *err)
{
	struct store_fault *f = fault_of(s);
	struct fault_reader *r = ch_calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	r->store = f;
	rc = f->inner->ops->reader_open(f->inner, &r->inner, err);
	if (rc != 0) {
		ch_free(r);
		return rc;
	}
	*ret = (struct store_reader *)r;
	return 0;
}

static void fault_reader_close(struct store_reader *reader)
{
	struct fault_reader *r = (struct fault_reader *)reader;

	r->store->inner->ops->reader_close(r->inner);
	ch_free(r);
}

static void fault_read(struct store_reader *reader, struct store_request *request)
{
	struct fault_reader *r = (struct fault_reader *)reader;
	int code = count(r->store, &r->store->reads);

	if (code == 0)
		r->store->inner->ops->read(r->inner, request);
	else
		request->result = ch_err_set(&request->err, code, "a fault was injected into this read");
}

static void fault_maintain(struct store *s)
{
	struct store *inner = fault_of(s)->inner;

	if (inner->ops->maintain != NULL)
		inner->ops->maintain(inner);
}

static void fault_close(struct store *s)
{
	struct store_fault *f = fault_of(s);

	store_close(&f->inner);
	pthread_mutex_destroy(&f->lock);
	ch_free(f);
}

static const struct store_ops fault_ops = {
		.name = "fault",
		.write = fault_write,
		.reader_open = fault_reader_open,
		.reader_close = fault_reader_close,
		.read = fault_read,
		.maintain = fault_maintain,
		.close = fault_close,
};

struct store *store_fault_wrap(struct store *inner)
{
	struct store_fault *f = ch_calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	if (pthread_mutex_init(&f->lock, NULL) != 0) {
		ch_free(f);
		return NULL;
	}
	f->base.ops = &fault_ops;
	f->inner = inner;
	return &f->base;
}

void store_fault_fail_write(struct store *s, int nth, int code)
{
	CH_ASSERT(s->ops == &fault_ops);
	set(s, &fault_of(s)->writes, nth, code);
}

void store_fault_fail_read(struct store *s, int nth, int code)
{
	CH_ASSERT(s->ops == &fault_ops);
	set(s, &fault_of(s)->reads, nth, code);
}
