/* delivery/curl_endpoint.h - what is kept of an endpoint between its attempts.
 *
 * Role:      easy handles (they hold the TLS sessions) for the next attempts, the connections made for
 *            it, the address that worked last. Goes away by itself when it was idle long enough.
 * Units:     *_ms monotonic.
 * Ownership: owns the endpoints and their idle posts; a taken post is the taker's until given back.
 * Threads:   one loop.
 */
#ifndef CH_DELIVERY_CURL_ENDPOINT_H
#define CH_DELIVERY_CURL_ENDPOINT_H

#include "base/map.h"
#include "delivery/curl_post.h"
#include "model/id.h"

struct curl_endpoint {
	struct ch_map_node node;
	struct id id;
	struct ch_list idle; /* posts, the last used first */
	int idle_count;
	int busy; /* posts taken */
	unsigned generation; /* counts forget: a post taken before it is not kept */
	struct ch_list socks; /* connections made for it */
	bool is_slow; /* the shards it was sent on last */
	struct address liked; /* connected to last; len 0: none */
};

struct curl_endpoints {
	struct ch_map map;
	const struct curl_common *common;
};

void curl_endpoints_init(struct curl_endpoints *e, const struct curl_common *common);
void curl_endpoints_fini(struct curl_endpoints *e); /* all posts given back */

/* A post to use, NULL without memory (err filled). */
struct curl_post *curl_endpoint_take(struct curl_endpoints *e, const struct id *id, struct ch_err *err);
/* keep_max: idle posts worth keeping. */
void curl_endpoint_give(struct curl_endpoints *e, struct curl_post *post, int keep_max, int64_t now_ms);
/* When it moves to the other shards, its connections on these are of no use any more. */
void curl_endpoint_pace(struct curl_endpoint *p, bool is_slow);
void curl_endpoint_forget(struct curl_endpoints *e, const struct id *id);
void curl_endpoints_sweep(
		struct curl_endpoints *e, int64_t now_ms); /* what was idle for common->idle_ms goes */

#endif
