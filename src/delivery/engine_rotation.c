#include "base/alloc.h"
#include "delivery/engine_core.h"
#include "policy/rotation.h"

/* A rotation ends by the clock alone: the first attempt after the end signs with the new secret only. The
 * store is told in passing, so that the old one is not kept for ever; should that come to nothing, the next
 * change of the webhook or the next start ends it again. */

struct tidying {
	struct store_request request;
	struct engine *engine;
};

static void on_tidied(struct store_request *r)
{
	struct tidying *t = CH_CONTAINER_OF(r, struct tidying, request);

	t->engine->tidyings--;
	store_request_fini(r);
	ch_free(t);
}

void engine_write_back(struct engine *e, const struct lane *l, bool ends_quiet)
{
	struct tidying *t = ch_calloc(1, sizeof(*t));
	if (!t)
		return;
	store_request_init(&t->request, STORE_WEBHOOK_UPDATE, e->conf.port, on_tidied);
	if (webhook_copy(&l->webhook, &t->request.u.webhook_update.in.webhook)) {
		ch_free(t);
		return;
	}
	t->request.u.webhook_update.in.ends_quiet = ends_quiet;
	t->engine = e;
	e->tidyings++;
	store_submit(e->conf.store, &t->request);
}

void engine_rotate(struct engine *e, struct lane *l)
{
	if (!l->has_next_key || rotation_phase_of(&l->webhook, engine_wall_ms(e)) != ROTATION_ENDED)
		return;
	lane_end_rotation(l);
	engine_write_back(e, l, false);
}
