#include "delivery/resolver.h"

#include <ares.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"
#include "base/rand.h"
#include "delivery/resolver_channel.h"

#define DEFAULT_TIMEOUT_MS 2000
#define DEFAULT_TRIES 3
#define TTL_MIN_MS 1000
#define TTL_MAX_MS 60000
#define NAMES_MAX 8192 /* kept answers, about 400 bytes each */
#define TICK_MAX_MS 100
#define GRACE_MS 300 /* for AAAA, before A is asked for by itself */

struct resolver {
	struct event_base *base;
	struct ch_clock clock;
	struct ch_map names; /* struct name by text */
	struct ch_list by_age; /* names with an answer and no question under way, the oldest first */
	struct ch_list in_grace; /* names asked for, the first to be late first */
	struct resolver_channels channels;
	struct event tick;
	int tick_ms;
	int asking; /* questions under way */
	bool has_channels;
	bool is_library_up;
};

struct question {
	struct name *name;
	struct resolver_channel *on; /* NULL: not under way */
};

struct name {
	struct ch_map_node node;
	struct ch_list by_age;
	struct ch_list in_grace;
	struct ch_list waiting; /* struct resolver_query, for both */
	struct resolver *resolver;
	struct question both; /* A and AAAA */
	struct question only_v4;
	struct resolver_answer answer;
	int64_t asked_ms; /* mono, of both */
	int64_t expires_ms; /* mono; 0: no answer yet */
	size_t len;
	char text[];
};

/* ---- names ---- */

static struct name *name_find(struct resolver *r, const char *text, size_t len)
{
	struct ch_map_node *n = ch_map_get(&r->names, text, len);
	return n != NULL ? CH_CONTAINER_OF(n, struct name, node) : NULL;
}

static void name_destroy(struct name *n)
{
	CH_ASSERT(n->both.on == NULL && n->only_v4.on == NULL && ch_list_is_empty(&n->waiting));
	ch_list_unlink(&n->by_age);
	ch_list_unlink(&n->in_grace);
	ch_map_remove(&n->resolver->names, &n->node);
	ch_free(n);
}

/* No answer outlives TTL_MAX_MS, so what lies at the front that long is dead whatever its TTL was. */
static void names_trim(struct resolver *r, int64_t now_ms)
{
	while (!ch_list_is_empty(&r->by_age)) {
		struct name *n = CH_CONTAINER_OF(r->by_age.next, struct name, by_age);
		if (n->expires_ms > now_ms && r->names.len <= NAMES_MAX)
			break;
		name_destroy(n);
	}
}

static struct name *name_create(struct resolver *r, const char *text, size_t len)
{
	struct name *n = ch_calloc(1, sizeof(*n) + len + 1);
	if (n == NULL)
		return NULL;
	n->resolver = r;
	n->both.name = n->only_v4.name = n;
	n->len = len;
	memcpy(n->text, text, len);
	ch_list_init(&n->by_age);
	ch_list_init(&n->in_grace);
	ch_list_init(&n->waiting);
	if (ch_map_insert(&r->names, &n->node, n->text, len) != 0) {
		ch_free(n);
		return NULL;
	}
	return n;
}

/* ---- answers ---- */

static const char *status_words(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return "no such name";
	case ARES_ENODATA:
		return "the name has no address";
	case ARES_ETIMEOUT:
		return "no answer from the name server";
	case ARES_ESERVFAIL:
		return "the name server failed";
	case ARES_EREFUSED:
		return "the name server refused the question";
	case ARES_ECONNREFUSED:
		return "the name server can't be reached";
	case ARES_EBADNAME:
	case ARES_EBADQUERY:
		return "not a valid name";
	case ARES_EBADRESP:
	case ARES_EFORMERR:
		return "the name server's answer is malformed";
	case ARES_ENOMEM:
		return "no memory to look up a name";
	default:
		return "the name could not be looked up";
	}
}

static void answer_fail(struct resolver_answer *a, int status, bool lacks_descriptor)
{
	*a = (struct resolver_answer){.words = status_words(status)};
	if (lacks_descriptor && status != ARES_ENOTFOUND && status != ARES_ENODATA) {
		a->words = "no file descriptor to look up a name";
		a->is_local_fault = true;
	}
	if (status == ARES_ENOMEM)
		a->is_local_fault = true;
}

/* Returns the least TTL in ms, within bounds. */
static int64_t answer_fill(struct resolver_answer *a, const struct ares_addrinfo *info)
{
	int64_t ttl_ms = TTL_MAX_MS;
	*a = (struct resolver_answer){0};
	for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next) {
		if (a->count == RESOLVER_ADDRESSES_MAX)
			break;
		if (address_from_sockaddr(n->ai_addr, &a->addresses[a->count]) != 0)
			continue;
		a->count++;
		if (n->ai_ttl * 1000ll < ttl_ms)
			ttl_ms = n->ai_ttl * 1000ll;
	}
	for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL; c = c->next) {
		if (c->ttl * 1000ll < ttl_ms)
			ttl_ms = c->ttl * 1000ll;
	}
	return ttl_ms > TTL_MIN_MS ? ttl_ms : TTL_MIN_MS;
}

/* Nothing is asked about it any more: it lies in the cache, or is gone. */
static void name_rest(struct name *n, int64_t now_ms)
{
	if (n->both.on != NULL || n->only_v4.on != NULL)
		return;
	if (n->expires_ms > now_ms)
		ch_list_push_back(&n->resolver->by_age, &n->by_age);
	else
		name_destroy(n);
}

static struct resolver_channel *question_end(struct question *q)
{
	struct resolver_channel *on = q->on;
	q->on = NULL;
	on->asking--;
	q->name->resolver->asking--;
	if (q == &q->name->both)
		ch_list_unlink(&q->name->in_grace);
	return on;
}

/* The name may be gone before the callbacks run and they may ask for it again, so they get a copy. That A has
 * no answer says nothing about AAAA, but for a name that does not exist. */
static void question_answered(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = ctx;
	struct name *n = q->name;
	struct resolver_answer answer = {0};
	struct ch_list waiting;

	bool lacks_descriptor = question_end(q)->sockets.lacks_descriptor;
	int64_t ttl_ms = status == ARES_SUCCESS ? answer_fill(&answer, info) : 0;
	if (info != NULL)
		ares_freeaddrinfo(info);
	int64_t now_ms = ch_clock_mono(&n->resolver->clock).ms;
	if (answer.count == 0) {
		answer_fail(&answer, status == ARES_SUCCESS ? ARES_ENODATA : status, lacks_descriptor);
	} else if (q == &n->both || n->expires_ms <= now_ms) {
		n->answer = answer;
		n->expires_ms = now_ms + ttl_ms;
	}
	ch_list_init(&waiting);
	if (q == &n->both || answer.count > 0 || status == ARES_ENOTFOUND)
		ch_list_splice_back(&waiting, &n->waiting);
	name_rest(n, now_ms);
	for (struct ch_list *it; (it = ch_list_pop_front(&waiting)) != NULL;) {
		struct resolver_query *asker = CH_CONTAINER_OF(it, struct resolver_query, link);
		asker->done(asker, &answer);
	}
}

/* ---- questions ---- */

/* The name may be gone when this returns. */
static void question_ask(struct question *q, int family, int64_t now_ms)
{
	struct resolver *r = q->name->resolver;
	struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	q->on = resolver_channels_get(&r->channels, now_ms);
	q->on->asking++;
	r->asking++;
	ares_getaddrinfo(q->on->sockets.channel, q->name->text, NULL, &hints, question_answered, q);
}

static void name_ask(struct name *n, int64_t now_ms)
{
	struct resolver *r = n->resolver;
	if (n->both.on == NULL) {
		n->asked_ms = now_ms;
		ch_list_unlink(&n->by_age);
		ch_list_push_back(&r->in_grace, &n->in_grace);
		question_ask(&n->both, AF_UNSPEC, now_ms);
	} else if (n->only_v4.on == NULL && now_ms - n->asked_ms >= GRACE_MS) {
		ch_list_unlink(&n->in_grace);
		question_ask(&n->only_v4, AF_INET, now_ms);
	}
}

/* ares_timeout looks at every question under way, so asking it after each change costs the square of what a
 * thousand slow names ask. A tick while anything is asked costs nothing when nothing is. */
static void tick_arm(struct resolver *r)
{
	struct timeval tv = {r->tick_ms / 1000, r->tick_ms % 1000 * 1000};
	if (r->asking > 0 && !evtimer_pending(&r->tick, NULL))
		evtimer_add(&r->tick, &tv);
}

static void tick_fired(evutil_socket_t fd, short what, void *ctx)
{
	struct resolver *r = ctx;
	int64_t now_ms = ch_clock_mono(&r->clock).ms;
	resolver_channels_tick(&r->channels);
	while (!ch_list_is_empty(&r->in_grace)) {
		struct name *n = CH_CONTAINER_OF(r->in_grace.next, struct name, in_grace);
		if (now_ms - n->asked_ms < GRACE_MS)
			break;
		ch_list_unlink(&n->in_grace);
		if (!ch_list_is_empty(&n->waiting))
			name_ask(n, now_ms);
	}
	tick_arm(r);
}

void resolver_ask(struct resolver *r, const char *host, struct resolver_query *q)
{
	size_t len = strlen(host);
	int64_t now_ms = ch_clock_mono(&r->clock).ms;
	CH_ASSERT(len > 0 && q->done != NULL);
	ch_list_init(&q->link);
	names_trim(r, now_ms);
	struct name *n = name_find(r, host, len);
	if (n != NULL && n->expires_ms > now_ms) {
		struct resolver_answer answer = n->answer;
		q->done(q, &answer);
		return;
	}
	if (n == NULL)
		n = name_create(r, host, len);
	if (n == NULL) {
		struct resolver_answer answer;
		answer_fail(&answer, ARES_ENOMEM, false);
		q->done(q, &answer);
		return;
	}
	ch_list_push_back(&n->waiting, &q->link);
	name_ask(n, now_ms);
	tick_arm(r);
}

void resolver_cancel(struct resolver *r, struct resolver_query *q)
{
	if (q->link.next != NULL)
		ch_list_unlink(&q->link);
}

/* ---- setting up ---- */

static int resolver_open(struct resolver *r, const struct resolver_conf *conf, struct ch_err *err)
{
	struct resolver_conf c = *conf;
	struct ch_rand rand = ch_rand_system();
	c.timeout_ms = conf->timeout_ms > 0 ? conf->timeout_ms : DEFAULT_TIMEOUT_MS;
	c.tries = conf->tries > 0 ? conf->tries : DEFAULT_TRIES;
	r->base = conf->base;
	r->clock = conf->clock;
	r->tick_ms = c.timeout_ms / 8 < TICK_MAX_MS ? c.timeout_ms / 8 + 1 : TICK_MAX_MS;
	ch_list_init(&r->by_age);
	ch_list_init(&r->in_grace);
	ch_map_init(&r->names, &rand);
	evtimer_assign(&r->tick, r->base, tick_fired, r);
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return ch_err_set(err, CH_EIO, "name look-up can't start");
	r->is_library_up = true;
	r->has_channels = true;
	return resolver_channels_open(&r->channels, &c, err);
}

int resolver_create(const struct resolver_conf *conf, struct resolver **ret, struct ch_err *err)
{
	struct resolver *r = ch_calloc(1, sizeof(*r));
	if (r == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for name look-up");
	int code = resolver_open(r, conf, err);
	if (code != 0) {
		resolver_destroy(&r);
		return code;
	}
	*ret = r;
	return 0;
}

void resolver_destroy(struct resolver **rp)
{
	struct resolver *r = *rp;
	if (r == NULL)
		return;
	*rp = NULL;
	/* Names still asked for by nobody get their answer (destroyed) here. */
	if (r->has_channels)
		resolver_channels_close(&r->channels);
	CH_ASSERT(r->asking == 0);
	evtimer_del(&r->tick);
	for (struct ch_list *it; (it = r->by_age.next) != &r->by_age;)
		name_destroy(CH_CONTAINER_OF(it, struct name, by_age));
	ch_map_fini(&r->names);
	if (r->is_library_up)
		ares_library_cleanup();
	ch_free(r);
}
