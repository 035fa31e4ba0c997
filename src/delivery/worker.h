/* delivery/worker.h - a delivery loop: thread, libevent base, transport, engine, letter box.
 *
 * Role:      runs an engine in the service. The store's commits reach it through worker_watcher; the
 *            API asks it through worker_ask.
 * Ownership: the conf's pointers are kept and must outlive the worker.
 * Threads:   create, stop and destroy on the owner's thread; the rest from any.
 */
#ifndef CH_DELIVERY_WORKER_H
#define CH_DELIVERY_WORKER_H

#include "delivery/engine.h"

struct worker_conf {
	struct engine_conf engine; /* port and transport are filled by the worker */
	struct transport_curl_conf transport; /* base is filled by the worker */
};

struct worker;

int worker_create(const struct worker_conf *conf, int index, int count, struct worker **ret,
		struct ch_err *err) CH_MUST_USE;
void worker_start(struct worker *w);
/* No new attempts; waits up to grace_ms for those in flight, then cancels them; returns when the
 * thread has ended. urgent may be set meanwhile by worker_hurry. */
void worker_stop(struct worker *w, int grace_ms);
void worker_hurry(struct worker *w); /* async-signal-unsafe; any thread: cancel what is in flight now */
void worker_destroy(struct worker **w);
const struct engine_stats *worker_stats(const struct worker *w);

/* Which of `count` loops owns a webhook. */
int worker_index_of(const struct id *webhook, int count);

/* All loops of a process, as one thing for serve and the API. */
struct workers {
	struct worker **items;
	int count;
};

/* No new attempt starts in any loop from soon on; those in flight go on, questions are answered. */
void workers_quiesce(struct workers *w);

/* Stops all of them with one grace for all. */
void workers_stop(struct workers *w, int grace_ms);

/* For store_threads_conf: fresh deliveries and webhook changes go to the loop that owns them. ctx is a
 * struct workers whose items may be filled later, before the first commit. */
struct store_watcher workers_watcher(struct workers *w);

/* What the lanes of some webhooks are doing, and which of some deliveries are in flight. Fill, send,
 * and get it back in done on reply_to's thread. */
struct worker_question {
	struct ch_msg msg;
	struct {
		struct id webhook;
		struct id delivery; /* zero: only the lane is asked for */
		bool has_lane; /* out */
		struct lane_info lane; /* out */
		bool is_in_flight; /* out */
	} * items; /* the asker's */
	size_t count;
	struct ch_port *reply_to;
	void (*done)(struct worker_question *q);
	void *ctx;
	int next_worker; /* the workers' own: the question visits one loop after another */
	struct workers *workers;
};

void workers_ask(struct workers *w, struct worker_question *q);

#endif
