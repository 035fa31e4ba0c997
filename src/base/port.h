/* base/port.h - a thread's letter box: messages that run on the thread that owns the port.
 *
 * Role:      a loop owns one port; other threads post messages; the loop, woken by the port's
 *            eventfd, runs each message's function. Answers come back the same way.
 * Ownership: a message lies inside its sender's object; who owns it after run is the message's
 *            own business. The port owns no message.
 * Threads:   post from any; dispatch from the owner only.
 */
#ifndef CH_BASE_PORT_H
#define CH_BASE_PORT_H

#include "base/queue.h"

struct ch_msg {
	struct ch_list link;
	void (*run)(struct ch_msg *m); /* called once, on the port's thread; may free m */
};

struct ch_port {
	struct ch_queue queue;
};

static inline CH_MUST_USE int ch_port_init(struct ch_port *p, bool with_fd, struct ch_err *err)
{
	return ch_queue_init(&p->queue, with_fd, err);
}

static inline void ch_port_fini(struct ch_port *p)
{
	ch_queue_fini(&p->queue);
}

static inline void ch_port_post(struct ch_port *p, struct ch_msg *m)
{
	ch_list_init(&m->link);
	ch_queue_push(&p->queue, &m->link);
}

static inline int ch_port_fd(const struct ch_port *p)
{
	return ch_queue_fd(&p->queue);
}

/* Runs all that waits now; what is posted meanwhile waits for the next call. Returns how many ran. */
static inline size_t ch_port_dispatch(struct ch_port *p)
{
	struct ch_list items;
	struct ch_list *n;
	size_t ran = 0;

	ch_list_init(&items);
	ch_queue_take(&p->queue, &items);
	while ((n = ch_list_pop_front(&items)) != NULL) {
		struct ch_msg *m = CH_CONTAINER_OF(n, struct ch_msg, link);
		m->run(m);
		ran++;
	}
	return ran;
}

#endif
