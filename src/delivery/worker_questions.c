#include "delivery/worker_core.h"

/* What the API wants to know of lanes: the question goes from loop to loop, and back to who asked. */

static void answer_for(struct worker_question *q, const struct worker *w)
{
	for (size_t i = 0; i < q->count; i++) {
		if (worker_index_of(&q->items[i].webhook, w->count) != w->index)
			continue;
		q->items[i].has_lane = engine_lane_info(w->engine, &q->items[i].webhook, &q->items[i].lane);
		q->items[i].is_in_flight =
				!id_is_zero(&q->items[i].delivery) &&
				engine_is_in_flight(w->engine, &q->items[i].webhook, &q->items[i].delivery);
	}
}

static void run_done(struct ch_msg *m)
{
	struct worker_question *q = CH_CONTAINER_OF(m, struct worker_question, msg);
	q->done(q);
}

static void pass_on(struct worker_question *q);

static void run_question(struct ch_msg *m)
{
	struct worker_question *q = CH_CONTAINER_OF(m, struct worker_question, msg);
	answer_for(q, q->workers->items[q->next_worker]);
	q->next_worker++;
	pass_on(q);
}

static bool concerns(const struct worker_question *q, int index)
{
	for (size_t i = 0; i < q->count; i++) {
		if (worker_index_of(&q->items[i].webhook, q->workers->count) == index)
			return true;
	}
	return false;
}

static void pass_on(struct worker_question *q)
{
	while (q->next_worker < q->workers->count && !concerns(q, q->next_worker))
		q->next_worker++;
	if (q->next_worker < q->workers->count) {
		q->msg.run = run_question;
		ch_port_post(&q->workers->items[q->next_worker]->port, &q->msg);
		return;
	}
	q->msg.run = run_done;
	ch_port_post(q->reply_to, &q->msg);
}

void workers_ask(struct workers *w, struct worker_question *q)
{
	q->workers = w;
	q->next_worker = 0;
	for (size_t i = 0; i < q->count; i++) {
		q->items[i].has_lane = false;
		q->items[i].is_in_flight = false;
	}
	pass_on(q);
}
