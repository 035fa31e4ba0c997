#include "api/commit_bell.h"

static void on_rung(struct ch_msg *m)
{
	struct commit_bell *b = CH_CONTAINER_OF(m, struct commit_bell, msg);

	/* First, so that a commit which comes while they look rings again. */
	atomic_store(&b->is_rung, false);
	if (b->heard)
		b->heard(b->ctx);
}

void commit_bell_init(struct commit_bell *b, struct ch_port *port)
{
	*b = (struct commit_bell){.port = port, .msg = {.run = on_rung}};
}

static bool has_attempt(struct store_request *const *requests, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (requests[i]->kind == STORE_ATTEMPT && requests[i]->result == 0)
			return true;
	return false;
}

void commit_bell_committed(struct commit_bell *b, struct store_request *const *requests, size_t n)
{
	if (atomic_load(&b->waiting) == 0 || !has_attempt(requests, n))
		return;
	if (!atomic_exchange(&b->is_rung, true))
		ch_port_post(b->port, &b->msg);
}

void commit_bell_wait(struct commit_bell *b)
{
	atomic_fetch_add(&b->waiting, 1);
}

void commit_bell_leave(struct commit_bell *b)
{
	atomic_fetch_sub(&b->waiting, 1);
}
