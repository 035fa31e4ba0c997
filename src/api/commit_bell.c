#include "api/commit_bell.h"

/* Accounts are told apart by the rest of 64: one bit each, so that the writer needs no lock, and a busy
 * account does not make all others look again and again. */
static uint64_t bit_of(int64_t account)
{
	return UINT64_C(1) << ((uint64_t)account & 63);
}

static void on_rung(struct ch_msg *m)
{
	struct commit_line *l = CH_CONTAINER_OF(m, struct commit_line, msg);

	/* First, so that a commit which comes while they look rings again. */
	atomic_store(&l->is_rung, false);
	uint64_t accounts = atomic_exchange(&l->accounts, 0);
	if (l->heard)
		l->heard(l->ctx, accounts);
}

void commit_bell_init(struct commit_bell *b, struct ch_port *port)
{
	for (int i = 0; i < COMMIT_NEWS_COUNT; i++)
		b->lines[i] = (struct commit_line){.port = port, .msg = {.run = on_rung}};
}

static bool is_news(const struct store_request *r, enum commit_news news)
{
	if (r->result != 0)
		return false;
	switch (news) {
	case COMMIT_ATTEMPTS:
		return r->kind == STORE_ATTEMPT;
	case COMMIT_CALLS:
		return r->kind == STORE_CALL_ERASE ||
		       (r->kind == STORE_CALL_PUT && r->u.call_put.out.what != STORE_PUT_UNCHANGED &&
				       r->u.call_put.in.facts.status != CALL_IN_PROGRESS);
	default:
		return false;
	}
}

static void ring(struct commit_line *l, uint64_t accounts)
{
	atomic_fetch_or(&l->accounts, accounts);
	if (!atomic_exchange(&l->is_rung, true))
		ch_port_post(l->port, &l->msg);
}

void commit_bell_committed(struct commit_bell *b, struct store_request *const *requests, size_t n)
{
	for (int i = 0; i < COMMIT_NEWS_COUNT; i++) {
		uint64_t accounts = 0;

		if (atomic_load(&b->lines[i].waiting) == 0)
			continue;
		for (size_t k = 0; k < n; k++)
			if (is_news(requests[k], (enum commit_news)i))
				accounts |= bit_of(store_request_account(requests[k]));
		if (accounts)
			ring(&b->lines[i], accounts);
	}
}

void commit_bell_listen(struct commit_bell *b, enum commit_news news,
		void (*heard)(void *ctx, uint64_t accounts), void *ctx)
{
	b->lines[news].heard = heard;
	b->lines[news].ctx = ctx;
}

void commit_bell_wait(struct commit_bell *b, enum commit_news news)
{
	atomic_fetch_add(&b->lines[news].waiting, 1);
}

void commit_bell_leave(struct commit_bell *b, enum commit_news news)
{
	atomic_fetch_sub(&b->lines[news].waiting, 1);
}

bool commit_bell_concerns(uint64_t accounts, int64_t account)
{
	return (accounts & bit_of(account)) != 0;
}
