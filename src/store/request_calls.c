#include <string.h>

#include "base/alloc.h"
#include "store/request.h"

static void clear_call_list(struct store_call_list *q)
{
	for (size_t i = 0; i < q->out.count; i++)
		ch_bytes_unref(&q->out.bodies[i]);
	ch_free(q->out.bodies);
	memset(&q->out, 0, sizeof(q->out));
}

static void clear_agent_list(struct store_agent_list *q)
{
	for (size_t i = 0; i < q->out.count; i++)
		ch_free(q->out.rows[i].name);
	ch_free(q->out.rows);
	memset(&q->out, 0, sizeof(q->out));
}

bool store_calls_clear_out(struct store_request *r)
{
	switch (r->kind) {
	case STORE_CALL_LIST:
		clear_call_list(&r->u.call_list);
		return true;
	case STORE_AGENT_LIST:
		clear_agent_list(&r->u.agent_list);
		return true;
	case STORE_AGENT_NAME:
		return true;
	default:
		return false;
	}
}
