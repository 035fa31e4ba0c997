/* delivery/curl_loop.h - libcurl's multi handles on a libevent loop.
 *
 * Role:      several CURLMs (shards), because libcurl walks all connections of one at the end of each
 *            transfer; their timers; their sockets, level-triggered.
 * Units:     ms of the monotonic clock.
 * Ownership: a transfer's easy handle is the caller's from before add until after finished or remove.
 * Threads:   one loop. finished runs from the loop only, never inside add or remove.
 */
#ifndef CH_DELIVERY_CURL_LOOP_H
#define CH_DELIVERY_CURL_LOOP_H

#include <curl/curl.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "delivery/curl_sock.h"

struct event_base;
struct curl_loop;

struct curl_shard {
	struct curl_loop *loop;
	CURLM *multi; /* NULL until the first transfer, and again after a long rest */
	struct event timer;
	struct event kick; /* new transfers wait for this turn's end and start together */
	int64_t due_ms; /* when libcurl wants to be called; INT64_MAX: it does not */
	int64_t armed_ms; /* when the timer rings, never after due_ms; INT64_MAX: it does not */
	int64_t used_ms; /* no later than the sweep before which the last transfer ended */
	int running;
	bool is_used; /* since the last sweep */
};

struct curl_loop {
	struct event_base *base;
	struct ch_clock clock;
	struct curl_shard *shards;
	int shard_count;
	int idle_ms;
	struct curl_socks socks;
	/* The easy handle is out of its multi already and may be added again. */
	void (*finished)(void *ctx, CURL *easy, CURLcode code);
	void *ctx;
};

int curl_loop_init(struct curl_loop *l, int shard_count) CH_MUST_USE; /* the other fields are the caller's */
void curl_loop_fini(struct curl_loop *l); /* no transfer may be under way; closes all connections */

int curl_loop_add(struct curl_loop *l, int shard, CURL *easy) CH_MUST_USE; /* CH_ENOMEM */
void curl_loop_remove(struct curl_loop *l, int shard, CURL *easy);
/* Closes the connections of shards that rested for idle_ms; the others' libcurl prunes itself. */
void curl_loop_sweep(struct curl_loop *l);

#endif
