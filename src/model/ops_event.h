/* model/ops_event.h - what callhook itself has to tell: an operational event, and where such go.
 *
 * Role:      the words of events and their JSON; no I/O. Events go to an account's own receiver and to the
 *            operator's. Each is a webhook like any other, of an account that nobody can ask for: the
 *            events of account n belong to account -n, the operator's to account 0.
 * Units:     *_ms are wall ms since the epoch.
 * Ownership: struct ops_event borrows all its texts.
 * Errors:    CH_ENOMEM.
 */
#ifndef CH_MODEL_OPS_EVENT_H
#define CH_MODEL_OPS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "model/id.h"
#include "model/webhook.h"

#define EVENT_OPERATOR 0 /* the number of the account whose webhook is the operator's */
#define OPS_EVENT_TARGETS 2 /* an event goes to as many at most */
#define OPS_EVENT_JSON_MAX ((size_t)64 * 1024)

enum ops_event_type {
	EVENT_WEBHOOK_DEAD, /* its receiver fails: it is only probed from now on */
	EVENT_WEBHOOK_DISABLED, /* callhook switched it off */
	EVENT_DELIVERY_FAILED, /* no try is left */
	EVENT_REPLAY_FINISHED,
	OPS_EVENT_TYPE_COUNT
};

struct ops_event {
	enum ops_event_type type;
	int64_t at_ms;
	const char *account; /* its id */
	struct id webhook;
	const char *url; /* the webhook's */
	const char *reason; /* in words; NULL but for the first three */
	int64_t dropped; /* events before it that the receiver does not get */
	struct {
		struct id id, call;
		int attempts;
	} delivery; /* EVENT_DELIVERY_FAILED */
	struct {
		struct id id;
		int64_t examined, resent, made, skipped;
	} replay; /* EVENT_REPLAY_FINISHED */
};

const char *ops_event_type_name(enum ops_event_type t); /* "webhook.dead", … */

/* The account of its receiver. */
static inline int64_t ops_event_account(int64_t account)
{
	return -account;
}

/* Is it one that has no other purpose? Its webhooks are receivers of events, its deliveries events: nothing
 * of them concerns a customer, and nothing that happens to them is an event again. */
static inline bool ops_event_is_account(int64_t account)
{
	return account <= 0;
}

/* Appends the event as compact JSON. Text that is not UTF-8 is null. */
int ops_event_write(const struct ops_event *e, struct ch_buf *out) CH_MUST_USE;

/* The settings of a receiver of events, into uninitialised memory; not secured yet. */
int ops_event_webhook_init(struct webhook *w, int64_t account, const struct id *id, int64_t now_ms,
		const char *url) CH_MUST_USE;

#endif
