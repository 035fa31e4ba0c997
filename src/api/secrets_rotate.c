#include "api/api_core.h"
#include "api/handlers.h"
#include "api/secret_change.h"
#include "api/webhook_answer.h"
#include "policy/rotation.h"

static void put_rotation(struct json_out *o, const struct webhook *w)
{
	if (!w->next_sealed) {
		json_out_text(o, "rotation", NULL);
		return;
	}
	json_out_open(o, "rotation", '{');
	json_out_time(o, "started", w->rotation_started_ms);
	json_out_time(o, "ends", w->rotation_ends_ms);
	json_out_close(o, '}');
}

/* ---- a next secret ---- */

/* A rotation to the same secret would send one signature twice and change nothing: whoever brings it has
 * taken the wrong one. */
static bool is_other(struct api_request *r, const struct secret_change *s, const struct webhook *w)
{
	struct ch_secret old = {0};
	struct problems problems;
	int rc = secret_open(r, w, w->secret_sealed, w->secret_sealed_len, &old);

	if (rc != 0) {
		secret_open_failed(r, rc);
		return false;
	}
	bool is_same = ch_ct_equal(old.text, old.len, s->secret.text, s->secret.len);
	ch_secret_fini(&old);
	if (!is_same)
		return true;
	problems_init(&problems);
	problems_add(&problems, "/secret", "is the secret that the webhook has already");
	api_invalid(r, "the rotation is not valid", &problems);
	return false;
}

static bool rotate_apply(struct api_request *r, struct webhook *w)
{
	struct secret_change *s = r->state;

	if (!w->secret_sealed) {
		api_problem(r, 409, "the webhook has no secret to rotate; generate one");
		return false;
	}
	if (w->next_sealed) {
		api_problem(r, 409, "a rotation is under way; finish or cancel it first");
		return false;
	}
	if (!is_other(r, s, w))
		return false;
	if (secret_seal(r, w, &s->secret, &w->next_sealed, &w->next_sealed_len) != 0) {
		api_out_of_memory(r);
		return false;
	}
	rotation_begin(w, s->now_ms, s->overlap_s);
	/* Without an overlap at once. */
	(void)rotation_settle(w, s->now_ms);
	api_audit(r, "secret.rotate", "{\"overlap\":%lld}", (long long)s->overlap_s);
	return true;
}

static void rotate_finished(struct api_request *r)
{
	struct secret_change *s = r->state;
	struct json_out o;
	struct ch_buf out;

	secret_answer_init(&out);
	o = (struct json_out){.buf = &out};
	json_out_open(&o, NULL, '{');
	json_out_bytes(&o, "secret", s->secret.text, s->secret.len);
	json_out_time(&o, "created", s->now_ms);
	put_rotation(&o, r->change->result);
	json_out_close(&o, '}');
	api_reply_json(r, 201, &out);
}

void secrets_rotate(struct api_request *r)
{
	struct secret_change *s;

	if (!api_path_id(r) || !api_no_query(r))
		return;
	if (!secret_change_start(r, &s) || !secret_change_read(r, s, true))
		return;
	s->change.apply = rotate_apply;
	s->change.finished = rotate_finished;
	webhook_change(r, &s->change);
}

/* ---- its end, by hand ---- */

static bool has_rotation(struct api_request *r, const struct webhook *w)
{
	if (!w->next_sealed)
		api_problem(r, 409, "no rotation is under way");
	return w->next_sealed != NULL;
}

static bool finish_apply(struct api_request *r, struct webhook *w)
{
	if (!has_rotation(r, w))
		return false;
	webhook_promote_secret(w);
	api_audit(r, "secret.rotate_finish", NULL);
	return true;
}

static bool cancel_apply(struct api_request *r, struct webhook *w)
{
	if (!has_rotation(r, w))
		return false;
	webhook_drop_next_secret(w);
	api_audit(r, "secret.rotate_cancel", NULL);
	return true;
}

static void end_finished(struct api_request *r)
{
	webhook_answer_one(r, 200, r->change->result, r->change->parked);
}

static void end_rotation(struct api_request *r, bool (*apply)(struct api_request *r, struct webhook *w))
{
	struct secret_change *s;

	if (!api_path_id(r) || !api_no_query(r) || !api_no_members(r) || !secret_change_start(r, &s))
		return;
	s->change.apply = apply;
	s->change.finished = end_finished;
	webhook_change(r, &s->change);
}

void secrets_rotate_finish(struct api_request *r)
{
	end_rotation(r, finish_apply);
}

void secrets_rotate_cancel(struct api_request *r)
{
	end_rotation(r, cancel_apply);
}

/* ---- shown again ---- */

static void answer_revealed(struct api_request *r, const struct webhook *w, const struct ch_secret *secret,
		const struct ch_secret *next)
{
	struct json_out o;
	struct ch_buf out;

	secret_answer_init(&out);
	o = (struct json_out){.buf = &out};
	json_out_open(&o, NULL, '{');
	json_out_bytes(&o, "secret", secret->text, secret->len);
	if (next->text)
		json_out_bytes(&o, "next", next->text, next->len);
	else
		json_out_text(&o, "next", NULL);
	put_rotation(&o, w);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

/* The one place where a secret that is stored leaves the server again. */
static void reveal(struct api_request *r, const struct webhook *w)
{
	struct ch_secret secret = {0}, next = {0};
	char id[ID_TEXT_LEN + 1];
	int rc = secret_open(r, w, w->secret_sealed, w->secret_sealed_len, &secret);

	if (rc == 0 && w->next_sealed)
		rc = secret_open(r, w, w->next_sealed, w->next_sealed_len, &next);
	if (rc == 0) {
		id_format(&w->id, id);
		CH_LOG(r->api->conf.log, CH_LOG_INFO, "secret_revealed", CH_S("webhook", id),
				CH_S("account", r->caller.account->id),
				CH_S("by", r->caller.is_operator ? "operator" : "account"));
		answer_revealed(r, w, &secret, &next);
	} else {
		secret_open_failed(r, rc);
	}
	ch_secret_fini(&secret);
	ch_secret_fini(&next);
}

static void reveal_logged(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "account");
	else
		reveal(api_request_of(s), api_request_of(s)->state);
}

static void forget_webhook(void *state)
{
	struct webhook *w = state;

	webhook_destroy(&w);
}

/* No secret leaves the server before it stands in the log that it did. */
static void log_reveal(struct api_request *r, const struct webhook *w)
{
	r->state = webhook_clone(w);
	if (!r->state) {
		api_out_of_memory(r);
		return;
	}
	r->state_fini = forget_webhook;
	api_begin_store(r, STORE_AUDIT_ADD);
	api_audit(r, "secret.reveal", NULL);
	api_submit(r, reveal_logged);
}

static void reveal_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	struct webhook *w = &s->u.webhook_get.out.row.webhook;

	if (s->result != 0) {
		api_store_problem(r, "webhook");
		return;
	}
	(void)rotation_settle(w, ch_clock_wall(&r->api->conf.clock).ms);
	if (!w->secret_sealed)
		api_problem(r, 409, "the webhook has no secret");
	else
		log_reveal(r, w);
}

void secrets_reveal(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r) || !api_no_members(r))
		return;
	r->is_secret = true;
	api_begin_store(r, STORE_WEBHOOK_GET);
	r->store.u.webhook_get.in.account = r->caller.account->number;
	r->store.u.webhook_get.in.id = r->id;
	api_submit(r, reveal_done);
}
