/* delivery/worker_core.h - a worker's inside, for its thread (worker.c) and what speaks to it from
 * others (worker_news.c).
 *
 * Threads:   port and news_* are shared; stats are atomic; `collecting` is the store writer's; the rest is
 * the loop's while it runs, and the owner's before start and after stop.
 */
#ifndef CH_DELIVERY_WORKER_CORE_H
#define CH_DELIVERY_WORKER_CORE_H

#include <event2/event.h>
#include <pthread.h>

#include "delivery/worker.h"

struct news;

struct worker {
	struct worker_conf conf;
	int index, count;
	struct ch_port port;
	struct event_base *base;
	struct event *port_event;
	struct event *timer;
	struct transport *transport;
	struct engine *engine;

	pthread_t thread;
	bool is_running; /* the owner's: start was called, stop was not */
	bool is_ending; /* the loop's: stop was asked for */
	int64_t abort_at_mono_ms;
	struct ch_msg stop_msg;
	int grace_ms; /* travels with stop_msg */
	struct ch_msg quiesce_msg;
	atomic_bool quiesce_is_posted;
	struct ch_msg hurry_msg;
	atomic_bool hurry_is_posted;

	struct ch_msg missed_msg;
	atomic_bool missed_is_posted;
	struct news *collecting; /* of the batch the store's writer tells of now */
	size_t collect_count;
};

/* From any thread, and without memory: some news could not be carried. */
void worker_missed(struct worker *w);

#endif
