#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sim_api.h"

#define CALL_BYTES_MAX ((size_t)1024 * 1024)
#define IMPORT_BYTES_MAX ((size_t)16 * 1024 * 1024)

/* The API asks delivery loops by their letter boxes; here there is one, whose engine and port the world
 * drives itself. */
static void make_loop(struct world *w)
{
	w->loop.index = 0;
	w->loop.count = 1;
	w->loop.engine = w->engine;
	w->loop.transport = w->transport;
	w->loop_items[0] = &w->loop;
	w->loops = (struct workers){.items = w->loop_items, .count = 1};
}

/* The one that all is asked for; the operator acts for it. */
static void make_account(struct world *w)
{
	struct store_request r, *batch[] = {&r};
	struct account *a = &r.u.account_create.in.account;
	store_request_init(&r, STORE_ACCOUNT_CREATE, NULL, NULL);
	snprintf(a->id, sizeof(a->id), "default");
	int rc = w->gate->inner->ops->write(w->gate->inner, batch, 1, NULL);
	CH_ASSERT(rc == 0 && r.result == 0 && r.u.account_create.out.number == SIM_ACCOUNT);
	store_request_fini(&r);
}

static void read_accounts(struct world *w, struct store_request *r)
{
	store_request_init(r, STORE_ACCOUNT_LIST, NULL, NULL);
	sim_read(w, r);
	sim_meet_guests(w, &r->u.account_list);
}

void sim_begin_api(struct world *w)
{
	struct ch_err err = {0};
	struct store_request all;
	if (w->life == 1)
		make_account(w);
	read_accounts(w, &all);
	make_loop(w);
	w->base = sim_loop_create(w);
	w->api_body_max = IMPORT_BYTES_MAX;
	struct api_conf conf = {.base = w->base,
			.clock = ch_clock_virtual_of(&w->clock),
			.rand = w->rand,
			.store = &w->client->base,
			.port = &w->api_port,
			.workers = &w->loops,
			.url_rules = {.allow_http = true},
			.operator_token = SIM_OPERATOR,
			.accounts = all.u.account_list.out.accounts,
			.account_count = all.u.account_list.out.count,
			.call_max_bytes = CALL_BYTES_MAX,
			.import_max_bytes = IMPORT_BYTES_MAX,
			.max_webhooks = SIM_HOOKS_LIVE,
			.version = "sim"};
	if (api_create(&conf, &w->api, &err))
		sim_fail(w, "no API: %s", err.text);
	store_request_fini(&all);
}

void sim_end_api(struct world *w)
{
	if (api_busy(w->api) > 0 || w->operations > 0)
		sim_fail(w, "the API does not come to rest");
	api_destroy(&w->api);
	sim_loop_destroy(&w->base);
}
