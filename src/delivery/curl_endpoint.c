#include "delivery/curl_endpoint.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/rand.h"

void curl_endpoints_init(struct curl_endpoints *e, const struct curl_common *common)
{
	struct ch_rand rand = ch_rand_system();
	*e = (struct curl_endpoints){.common = common};
	ch_map_init(&e->map, &rand);
}

static struct curl_endpoint *endpoint_find(struct curl_endpoints *e, const struct id *id)
{
	struct ch_map_node *n = ch_map_get(&e->map, id, sizeof(*id));
	return n != NULL ? CH_CONTAINER_OF(n, struct curl_endpoint, node) : NULL;
}

static struct curl_endpoint *endpoint_create(struct curl_endpoints *e, const struct id *id)
{
	struct curl_endpoint *p = ch_calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->id = *id;
	ch_list_init(&p->idle);
	ch_list_init(&p->socks);
	if (ch_map_insert(&e->map, &p->node, &p->id, sizeof(p->id)) != 0) {
		ch_free(p);
		return NULL;
	}
	return p;
}

static void post_drop(struct curl_endpoint *p, struct ch_list *link)
{
	struct curl_post *post = CH_CONTAINER_OF(link, struct curl_post, link);
	p->idle_count--;
	curl_post_destroy(&post);
}

/* Its connections stay with libcurl until they are too old. */
static void endpoint_destroy(struct curl_endpoints *e, struct curl_endpoint *p)
{
	CH_ASSERT(p->busy == 0);
	while (!ch_list_is_empty(&p->idle))
		post_drop(p, p->idle.next);
	curl_sock_release_all(&p->socks);
	ch_map_remove(&e->map, &p->node);
	ch_free(p);
}

void curl_endpoints_fini(struct curl_endpoints *e)
{
	for (struct ch_map_node *n = ch_map_next(&e->map, NULL), *next; n != NULL; n = next) {
		next = ch_map_next(&e->map, n);
		endpoint_destroy(e, CH_CONTAINER_OF(n, struct curl_endpoint, node));
	}
	ch_map_fini(&e->map);
}

struct curl_post *curl_endpoint_take(struct curl_endpoints *e, const struct id *id, struct ch_err *err)
{
	struct curl_post *post = NULL;
	struct curl_endpoint *p = endpoint_find(e, id);
	if (p == NULL)
		p = endpoint_create(e, id);
	if (p == NULL) {
		ch_err_set(err, CH_ENOMEM, "no memory for an endpoint");
		return NULL;
	}
	struct ch_list *link = ch_list_pop_front(&p->idle);
	if (link != NULL) {
		post = CH_CONTAINER_OF(link, struct curl_post, link);
		p->idle_count--;
	} else if (curl_post_create(e->common, &p->socks, &post, err) != 0) {
		return NULL; /* an empty endpoint goes with the next sweep */
	}
	post->endpoint = p;
	post->generation = p->generation;
	p->busy++;
	return post;
}

void curl_endpoint_give(struct curl_endpoints *e, struct curl_post *post, int keep_max, int64_t now_ms)
{
	struct curl_endpoint *p = post->endpoint;
	CH_ASSERT(p->busy > 0 && post->job == NULL);
	p->busy--;
	if (post->generation != p->generation) {
		curl_post_destroy(&post);
		return;
	}
	post->idle_since_ms = now_ms;
	ch_list_push_front(&p->idle, &post->link);
	p->idle_count++;
	while (p->idle_count > keep_max)
		post_drop(p, p->idle.prev);
}

void curl_endpoint_pace(struct curl_endpoint *p, bool is_slow)
{
	if (p->is_slow != is_slow)
		curl_sock_doom_all(&p->socks);
	p->is_slow = is_slow;
}

void curl_endpoint_forget(struct curl_endpoints *e, const struct id *id)
{
	struct curl_endpoint *p = endpoint_find(e, id);
	if (p == NULL)
		return;
	p->generation++;
	p->liked.len = 0;
	while (!ch_list_is_empty(&p->idle))
		post_drop(p, p->idle.next);
	curl_sock_doom_all(&p->socks);
}

static void endpoint_sweep(struct curl_endpoints *e, struct curl_endpoint *p, int64_t now_ms)
{
	while (!ch_list_is_empty(&p->idle)) {
		struct curl_post *oldest = CH_CONTAINER_OF(p->idle.prev, struct curl_post, link);
		if (now_ms - oldest->idle_since_ms < e->common->idle_ms)
			return;
		post_drop(p, p->idle.prev);
	}
	if (p->busy == 0)
		endpoint_destroy(e, p);
}

void curl_endpoints_sweep(struct curl_endpoints *e, int64_t now_ms)
{
	for (struct ch_map_node *n = ch_map_next(&e->map, NULL), *next; n != NULL; n = next) {
		next = ch_map_next(&e->map, n);
		endpoint_sweep(e, CH_CONTAINER_OF(n, struct curl_endpoint, node), now_ms);
	}
}
