#include <string.h>

#include "base/assert.h"
#include "delivery/engine_core.h"
#include "delivery/pipeline.h"

/* Which lane sends next. Lanes stand in rings and go to the back of theirs after each send. Those with
 * nothing in flight come first, so that under scarcity each has its first slot before any its second; among
 * equals quick and slow ones take turns, and the slow ones may fill half of all slots: when they hang, the
 * other half goes on. A part of the slots is kept for probes, which would otherwise wait
 * behind the very endpoints that hang. */

#define PROBE_SHARE 32 /* one slot in so many is kept */
#define PROBE_SLOTS_MAX 64
#define PROBE_SLOT_FROM 8 /* with fewer slots in all none is kept */
#define ASK_LOOKS 1000

static int probe_slots(const struct engine *e)
{
	int n = e->conf.max_in_flight / PROBE_SHARE;
	if (n == 0)
		return e->conf.max_in_flight >= PROBE_SLOT_FROM;
	return n < PROBE_SLOTS_MAX ? n : PROBE_SLOTS_MAX;
}

static bool slow_have_room(const struct engine *e)
{
	int half = e->conf.max_in_flight / 2;
	return e->slow_in_flight < (half > 0 ? half : 1);
}

static bool others_have_room(const struct engine *e)
{
	return e->in_flight - e->probes_in_flight < e->conf.max_in_flight - probe_slots(e);
}

static bool line_has_room(const struct engine *e, enum lane_line line)
{
	switch (line) {
	case LINE_PROBE:
		return e->probes_in_flight < probe_slots(e) || (slow_have_room(e) && others_have_room(e));
	case LINE_QUICK_FIRST:
	case LINE_QUICK_MORE:
		return others_have_room(e);
	case LINE_SLOW_FIRST:
	case LINE_SLOW_MORE:
		return slow_have_room(e) && others_have_room(e);
	case LINE_NONE:
	case LINE_COUNT:
		break;
	}
	CH_UNREACHABLE();
}

static bool can_serve(const struct engine *e, enum lane_line line)
{
	return !ch_list_is_empty(&e->rings[line]) && line_has_room(e, line);
}

void engine_ring_init(struct engine *e)
{
	for (int i = 0; i < LINE_COUNT; i++)
		ch_list_init(&e->rings[i]);
}

void engine_stand_in_line(struct engine *e, struct lane *l, enum lane_line line)
{
	if (l->line == line)
		return;
	if (ch_list_is_linked(&l->ring))
		ch_list_unlink(&l->ring);
	e->in_line[l->line]--;
	e->in_line[line]++;
	l->line = line;
	if (line != LINE_NONE)
		ch_list_push_back(&e->rings[line], &l->ring);
}

/* Probes go first into the slots that are kept for them, and last into any other: before what is alive they
 * would be a crowd of the dead. Where our own line is in question they say least. */
static enum lane_line next_line(const struct engine *e)
{
	bool slow_first = e->last_line == LINE_QUICK_FIRST || e->last_line == LINE_QUICK_MORE;
	bool probe_first = !e->downtime.is_on && e->probes_in_flight < probe_slots(e);
	enum lane_line order[] = {slow_first ? LINE_SLOW_FIRST : LINE_QUICK_FIRST,
			slow_first ? LINE_QUICK_FIRST : LINE_SLOW_FIRST,
			slow_first ? LINE_SLOW_MORE : LINE_QUICK_MORE,
			slow_first ? LINE_QUICK_MORE : LINE_SLOW_MORE, LINE_PROBE};
	if (probe_first && can_serve(e, LINE_PROBE))
		return LINE_PROBE;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (can_serve(e, order[i]))
			return order[i];
	}
	return LINE_NONE;
}

/* An attempt that asks whether our line works should go to an endpoint that has answered before, and to
 * none twice while others were not asked: else the answer comes late, and the healthy wait for it. */
static struct lane *best_to_ask(const struct engine *e, enum lane_line line)
{
	struct lane *first = CH_CONTAINER_OF(e->rings[line].next, struct lane, ring), *best = NULL;
	int looked = 0;
	CH_LIST_FOREACH (&e->rings[line], it, next) {
		struct lane *l = CH_CONTAINER_OF(it, struct lane, ring);
		bool is_asked = l->asked_in == e->downtime.number;
		if (!is_asked && l->has_answered)
			return l;
		if (!is_asked && !best)
			best = l;
		if (++looked == ASK_LOOKS)
			break;
	}
	return best ? best : first;
}

/* The quick lines first: whoever stands there has answered before. */
static struct lane *next_to_ask(const struct engine *e)
{
	static const enum lane_line order[] = {
			LINE_QUICK_FIRST, LINE_QUICK_MORE, LINE_SLOW_FIRST, LINE_SLOW_MORE, LINE_PROBE};
	struct lane *fallback = NULL;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!can_serve(e, order[i]))
			continue;
		struct lane *l = best_to_ask(e, order[i]);
		if (l->asked_in != e->downtime.number)
			return l;
		if (!fallback)
			fallback = l;
	}
	return fallback;
}

struct lane *engine_next_in_line(struct engine *e)
{
	enum lane_line line = next_line(e);
	if (line == LINE_NONE)
		return NULL;
	struct lane *l = e->downtime.is_on ? next_to_ask(e)
					   : CH_CONTAINER_OF(e->rings[line].next, struct lane, ring);
	if (l->line != LINE_PROBE)
		e->last_line = l->line;
	engine_stand_in_line(e, l, LINE_NONE);
	return l;
}

bool engine_has_sendable(const struct engine *e)
{
	return next_line(e) != LINE_NONE;
}

static struct held *oldest(const struct engine *e)
{
	return ch_list_is_empty(&e->flights) ? NULL : CH_CONTAINER_OF(e->flights.next, struct held, link);
}

int64_t engine_next_overdue(const struct engine *e)
{
	const struct held *h = oldest(e);
	return h ? h->flight->started_mono_ms + LANE_SLOW_MS + 1 : INT64_MAX;
}

void engine_note_overdue(struct engine *e)
{
	int64_t now = engine_mono_ms(e);
	for (int i = 0; i < ENGINE_TIMERS_A_TURN && engine_next_overdue(e) <= now; i++) {
		struct held *h = oldest(e);
		ch_list_unlink(&h->link);
		ch_list_push_back(&e->overdue, &h->link);
		h->flight->is_overdue = true;
		h->lane->overdue++;
		if (!h->flight->is_slow) {
			h->flight->is_slow = true;
			e->slow_in_flight++;
		}
		engine_replan(e, h->lane);
	}
}
