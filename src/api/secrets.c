#include "api/api_core.h"
#include "api/handlers.h"
#include "api/secret_change.h"
#include "base/crash_point.h"

/* ---- a secret comes ---- */

static bool post_apply(struct api_request *r, struct webhook *w)
{
	struct secret_change *s = r->state;

	if (w->secret_sealed) {
		api_problem(r, 409, "the webhook has a secret already; rotate it to change it");
		return false;
	}
	CH_CRASH_POINT(secret_sealed);
	api_audit(r, "secret.create", NULL);
	if (secret_seal(r, w, &s->secret, &w->secret_sealed, &w->secret_sealed_len) == 0)
		return true;
	api_out_of_memory(r);
	return false;
}

static void post_finished(struct api_request *r)
{
	struct secret_change *s = r->state;
	struct json_out o;
	struct ch_buf out;

	CH_CRASH_POINT(secret_stored);
	secret_answer_init(&out);
	o = (struct json_out){.buf = &out};
	json_out_open(&o, NULL, '{');
	json_out_bytes(&o, "secret", s->secret.text, s->secret.len);
	json_out_time(&o, "created", s->now_ms);
	json_out_close(&o, '}');
	api_reply_json(r, 201, &out);
}

void secrets_post(struct api_request *r)
{
	struct secret_change *s;

	if (!api_path_id(r) || !api_no_query(r))
		return;
	if (!secret_change_start(r, &s) || !secret_change_read(r, s, false))
		return;
	s->change.apply = post_apply;
	s->change.finished = post_finished;
	webhook_change(r, &s->change);
}

/* ---- it goes ---- */

static bool delete_apply(struct api_request *r, struct webhook *w)
{
	if (!w->secret_sealed) {
		api_reply_empty(r);
		return false;
	}
	api_audit(r, "secret.delete", NULL);
	webhook_drop_secrets(w);
	return true;
}

void secrets_delete(struct api_request *r)
{
	struct secret_change *s;

	if (!api_path_id(r) || !api_no_query(r) || !secret_change_start(r, &s))
		return;
	s->change.apply = delete_apply;
	s->change.finished = api_reply_empty;
	webhook_change(r, &s->change);
}
