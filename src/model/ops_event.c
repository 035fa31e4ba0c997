#include "model/ops_event.h"

#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/time_text.h"
#include "model/json_utf8.h"

#define CONCURRENCY 8 /* enough to keep up, and no burden for a small receiver */

static const char *const names[OPS_EVENT_TYPE_COUNT] = {
		[EVENT_WEBHOOK_DEAD] = "webhook.dead",
		[EVENT_WEBHOOK_DISABLED] = "webhook.disabled",
		[EVENT_DELIVERY_FAILED] = "delivery.failed",
		[EVENT_REPLAY_FINISHED] = "replay.finished",
};

const char *ops_event_type_name(enum ops_event_type t)
{
	CH_ASSERT((unsigned)t < OPS_EVENT_TYPE_COUNT);
	return names[t];
}

/* ---- as JSON ---- */

static bool is_utf8(const char *text)
{
	const char *end = text + strlen(text);
	size_t len = 1;

	for (; text < end && len > 0; text += len)
		len = json_utf8_len(text, end);
	return len > 0;
}

/* What a receiver said may be part of a reason. */
static void put_text(json_t *object, const char *key, const char *text)
{
	bool is_good = text && is_utf8(text);

	(void)json_object_set_new(object, key, is_good ? json_string(text) : json_null());
}

static void put_id(json_t *object, const char *key, const struct id *id)
{
	char text[ID_TEXT_LEN + 1];

	id_format(id, text);
	put_text(object, key, text);
}

static void put_delivery(json_t *data, const struct ops_event *e)
{
	put_id(data, "deliveryId", &e->delivery.id);
	put_id(data, "callId", &e->delivery.call);
	(void)json_object_set_new(data, "attempts", json_integer(e->delivery.attempts));
}

static void put_replay(json_t *data, const struct ops_event *e)
{
	put_id(data, "replayId", &e->replay.id);
	(void)json_object_set_new(data, "examined", json_integer(e->replay.examined));
	(void)json_object_set_new(data, "resent", json_integer(e->replay.resent));
	(void)json_object_set_new(data, "made", json_integer(e->replay.made));
	(void)json_object_set_new(data, "skipped", json_integer(e->replay.skipped));
}

static void put_data(json_t *data, const struct ops_event *e)
{
	put_id(data, "webhookId", &e->webhook);
	put_text(data, "url", e->url);
	if (e->type == EVENT_DELIVERY_FAILED)
		put_delivery(data, e);
	if (e->type == EVENT_REPLAY_FINISHED)
		put_replay(data, e);
	else
		put_text(data, "reason", e->reason);
}

static size_t member_count(const struct ops_event *e)
{
	return e->type == EVENT_DELIVERY_FAILED ? 6 : e->type == EVENT_REPLAY_FINISHED ? 7 : 3;
}

static int append(const char *bytes, size_t len, void *out)
{
	ch_buf_add(out, bytes, len);
	return 0;
}

int ops_event_write(const struct ops_event *e, struct ch_buf *out)
{
	char time[TIME_TEXT_LEN + 1] = "";
	json_t *object = json_object(), *data = json_object();

	time_text_format(e->at_ms / 1000, time);
	put_text(object, "type", ops_event_type_name(e->type));
	put_text(object, "time", time);
	put_text(object, "account", e->account);
	(void)json_object_set_new(object, "dropped", json_integer(e->dropped));
	put_data(data, e);
	/* No member gets lost silently where there is no memory for it. */
	bool is_whole = json_object_size(data) == member_count(e);
	(void)json_object_set_new(object, "data", data);
	is_whole = is_whole && json_object_size(object) == 5 &&
		   json_dump_callback(object, append, out, JSON_COMPACT) == 0 && !out->err;
	json_decref(object);
	return is_whole ? 0 : CH_ENOMEM;
}

/* ---- the receiver ---- */

int ops_event_webhook_init(
		struct webhook *w, int64_t account, const struct id *id, int64_t now_ms, const char *url)
{
	webhook_init(w);
	w->id = *id;
	w->account = account;
	w->created_ms = now_ms;
	w->concurrency = CONCURRENCY;
	w->name = ch_strdup("events");
	w->url = ch_strdup(url);
	if (w->name && w->url)
		return 0;
	webhook_fini(w);
	return CH_ENOMEM;
}
