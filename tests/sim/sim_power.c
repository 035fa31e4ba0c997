#include <stdio.h>

#include "disk.h"
#include "sim.h"

/* One disk a process: worlds come one after the other. */

void sim_power_init(struct world *w)
{
	if (w->plan.with_power)
		disk_forget();
}

/* A write of nobody's is under way as the power goes: an account, which the world knows nothing about. It
 * may be there or not afterwards; the rest of its pages may be torn. */
void sim_power_fail(struct world *w)
{
	struct store_request r, *batch[] = {&r};
	struct account *a = &r.u.account_create.in.account;

	disk_cut_at(1 + (long)sim_below(w, 12));
	store_request_init(&r, STORE_ACCOUNT_CREATE, NULL, NULL);
	snprintf(a->id, sizeof(a->id), "torn-%u", w->life);
	(void)w->gate->inner->ops->write(w->gate->inner, batch, 1, NULL);
	store_request_fini(&r);
	if (!disk_is_cut())
		disk_cut_at(1);
}

void sim_power_cut(struct world *w)
{
	struct disk_survival s = disk_survival_of(sim_below(w, 1000));
	struct disk_wreck *wreck = disk_wreck_take();
	disk_wreck_salvage(wreck, w->dir, &s);
	disk_wreck_free(&wreck);
}
