#include "api/webhook_change.h"

#include "policy/rotation.h"

#define TRIES_MAX 5

static void read_webhook(struct api_request *r);

static void written(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	struct webhook_change *c = r->change;

	if (s->result == 0) {
		c->result = &s->u.webhook_update.in.webhook;
		c->finished(r);
	} else if (s->result == CH_ECONFLICT && ++c->tries < TRIES_MAX) {
		read_webhook(r);
	} else {
		api_store_problem(r, "webhook");
	}
}

static void write_webhook(struct api_request *r, struct webhook *w)
{
	api_begin_store(r, STORE_WEBHOOK_UPDATE);
	r->store.u.webhook_update.in.webhook = *w;
	r->store.u.webhook_update.in.release = r->change->releases;
	api_submit(r, written);
}

static void was_read(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	struct webhook_change *c = r->change;

	if (s->result != 0) {
		api_store_problem(r, "webhook");
		return;
	}
	struct store_webhook_row *row = &s->u.webhook_get.out.row;
	struct webhook w = row->webhook;
	row->webhook = (struct webhook){0};
	c->parked = row->counts.parked;
	c->is_unchanged = false;
	/* Whatever is written next, a secret whose time is over is not written with it. */
	(void)rotation_settle(&w, ch_clock_wall(&r->api->conf.clock).ms);
	if (!c->apply(r, &w)) {
		webhook_fini(&w);
		return;
	}
	if (!c->is_unchanged) {
		write_webhook(r, &w);
		return;
	}
	row->webhook = w;
	c->result = &row->webhook;
	c->finished(r);
}

static void read_webhook(struct api_request *r)
{
	api_begin_store(r, STORE_WEBHOOK_GET);
	r->store.u.webhook_get.in.account = r->caller.account->number;
	r->store.u.webhook_get.in.id = r->id;
	api_submit(r, was_read);
}

void webhook_change(struct api_request *r, struct webhook_change *c)
{
	c->tries = 0;
	r->change = c;
	read_webhook(r);
}
