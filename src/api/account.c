#include <string.h>

#include "api/account_answer.h"
#include "api/handlers.h"
#include "base/alloc.h"
#include "model/ops_event.h"

/* The account that is asking: its facts and its keys. */

/* More than an answer has: growing would leave a copy of a secret behind. */
#define ANSWER_BYTES ((size_t)16 * 1024)

static const char *const slots[ACCOUNT_KEYS] = {"primary", "secondary"};

/* ---- get ---- */

static void put_keys(struct json_out *o, const struct account *a)
{
	json_out_open(o, "keys", '{');
	for (int i = 0; i < ACCOUNT_KEYS; i++) {
		int64_t made_ms = a->key_rotated_ms[i] ? a->key_rotated_ms[i] : a->created_ms;
		json_out_open(o, slots[i], '{');
		json_out_time(o, "created", account_key_is_set(a, i) ? made_ms : 0);
		json_out_close(o, '}');
	}
	json_out_close(o, '}');
}

void account_ask_receiver(struct api_request *r, void (*done)(struct store_request *s))
{
	api_begin_store(r, STORE_WEBHOOK_LIST);
	r->store.u.webhook_list.in.account = ops_event_account(r->caller.account->number);
	api_submit(r, done);
}

static void put_receiver(struct json_out *o, const struct webhook *receiver, const struct ch_secret *secret)
{
	json_out_text(o, "eventsUrl", receiver ? receiver->url : NULL);
	json_out_text(o, "eventsReason", receiver && !receiver->enabled ? receiver->disabled_reason : NULL);
	json_out_text(o, "eventsSecret", secret->text);
}

void account_answer(struct api_request *r, const struct webhook *receiver, const struct ch_secret *secret)
{
	struct account now;
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	if (accounts_copy(r->api->accounts, r->caller.account, &now) != 0) {
		api_problem(r, 404, "there is no such account");
		return;
	}
	ch_buf_init(&out, API_JSON_MAX);
	(void)ch_buf_reserve(&out, ANSWER_BYTES);
	json_out_open(&o, NULL, '{');
	json_out_text(&o, "id", now.id);
	json_out_text(&o, "name", now.name);
	json_out_time(&o, "created", now.created_ms);
	put_keys(&o, &now);
	put_receiver(&o, receiver, secret);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

static void get_done(struct store_request *s)
{
	const struct ch_secret none = {0};
	bool has_receiver = s->result == 0 && s->u.webhook_list.out.count > 0;

	if (s->result != 0)
		api_store_problem(api_request_of(s), "account");
	else
		account_answer(api_request_of(s),
				has_receiver ? &s->u.webhook_list.out.rows[0].webhook : NULL, &none);
}

void account_get(struct api_request *r)
{
	if (api_no_query(r))
		account_ask_receiver(r, get_done);
}

/* ---- a new key ---- */

struct rotation {
	int slot;
	char key[ACCOUNT_KEY_TEXT_LEN + 1];
};

static void rotation_free(void *state)
{
	struct rotation *k = state;

	ch_wipe(k, sizeof(*k));
	ch_free(k);
}

static void rotate_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct store_account_update *q = &s->u.account_update;
	const struct rotation *k = r->state;
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	accounts_set_key(r->api->accounts, r->caller.account, k->slot, q->in.key_sha256[k->slot],
			q->in.now_ms);
	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_text(&o, "key", k->key);
	json_out_time(&o, "created", q->in.now_ms);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

/* -1: no such key. */
static int slot_of(const struct api_request *r)
{
	for (int i = 0; i < ACCOUNT_KEYS; i++)
		if (strlen(slots[i]) == r->param_len && memcmp(slots[i], r->param, r->param_len) == 0)
			return i;
	return -1;
}

void account_rotate(struct api_request *r)
{
	int slot = slot_of(r);

	if (slot < 0) {
		api_problem(r, 404, "there is no such key; it is \"primary\" or \"secondary\"");
		return;
	}
	if (!api_no_query(r) || !api_no_members(r))
		return;
	struct rotation *k = ch_calloc(1, sizeof(*k));
	if (!k) {
		api_out_of_memory(r);
		return;
	}
	r->state = k;
	r->state_fini = rotation_free;
	r->is_secret = true;
	k->slot = slot;
	account_key_make(&r->api->conf.rand, k->key);
	api_begin_store(r, STORE_ACCOUNT_UPDATE);
	struct store_account_update *q = &r->store.u.account_update;
	q->in.number = r->caller.account->number;
	q->in.now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	q->in.has_key[slot] = true;
	ch_sha256(k->key, ACCOUNT_KEY_TEXT_LEN, q->in.key_sha256[slot]);
	api_audit(r, "key.rotate", NULL);
	api_submit(r, rotate_done);
}
