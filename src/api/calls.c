#include <string.h>

#include "api/api_core.h"
#include "api/etag.h"
#include "api/handlers.h"
#include "base/alloc.h"
#include "base/crypto.h"

/* A canonical body can outgrow its input: what is absent comes with its default. */
#define BODY_EXTRA_BYTES 512

static void reply_call(struct api_request *r, int status, struct ch_bytes *body,
		const uint8_t sha256[CH_SHA256_BYTES])
{
	char etag[ETAG_TEXT_MAX];
	char digest[DIGEST_TEXT_LEN + 1];
	char location[sizeof("/v1/calls/") + ID_TEXT_LEN] = "/v1/calls/";
	struct http_header headers[3] = {{"ETag", etag}, {"Content-Digest", digest}, {"Location", location}};

	etag_format(sha256, etag);
	digest_format(sha256, digest);
	id_format(&r->id, location + strlen(location));
	api_reply(r, &(struct http_response){.status = status,
				     .content_type = status == 304 ? NULL : "application/json",
				     .headers = headers,
				     .header_count = status == 201   ? 3
						     : status == 304 ? 1
								     : 2,
				     .body = status == 304 ? NULL : body});
}

/* ---- PUT ---- */

static void put_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	uint8_t sha256[CH_SHA256_BYTES];

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	struct ch_bytes *body = s->u.call_put.out.body;
	ch_sha256(body->data, body->len, sha256);
	reply_call(r, s->u.call_put.out.what == STORE_PUT_CREATED ? 201 : 200, body, sha256);
}

/* False: it has replied. */
static bool take_if_match(struct api_request *r, struct store_call_put *put)
{
	const char *header = http_header_get(r->x, "If-Match");
	struct etag_list list;

	if (!header)
		return true;
	int rc = etag_parse(header, false, &list);
	if (rc == CH_ELIMIT) {
		api_problem(r, 400, "If-Match has more than %d entity tags", STORE_IF_MATCH_MAX);
		return false;
	}
	if (rc) {
		api_problem(r, 400, "If-Match is neither * nor a list of quoted entity tags");
		return false;
	}
	if (!list.is_any && list.count == 0) {
		api_problem(r, 412, "the call is not at a version that If-Match names");
		return false;
	}
	put->in.if_match_any = list.is_any;
	put->in.if_match_count = list.count;
	memcpy(put->in.if_match, list.tags, sizeof(list.tags));
	return true;
}

/* Of this condition only the form that creates: a list of tags would be one that nobody can mean. */
static bool take_if_none_match(struct api_request *r, struct store_call_put *put)
{
	const char *header = http_header_get(r->x, "If-None-Match");
	struct etag_list list;

	if (!header)
		return true;
	bool is_any = etag_parse(header, true, &list) == 0 && list.is_any;
	if (!is_any) {
		api_problem(r, 400, "of If-None-Match a PUT takes * only");
		return false;
	}
	put->in.if_none_match_any = true;
	return true;
}

static bool take_notify(struct api_request *r, struct store_call_put *put)
{
	static const char *const names[] = {"notify", NULL};
	struct query q;

	if (!api_query(r, names, &q))
		return false;
	const char *notify = query_get(&q, "notify");
	bool is_good = !notify || strcmp(notify, "true") == 0 || strcmp(notify, "false") == 0;
	put->in.notify = notify && strcmp(notify, "true") == 0;
	query_fini(&q);
	if (!is_good)
		api_problem(r, 400, "notify must be true or false");
	return is_good;
}

static void refuse_record(struct api_request *r, int code, struct problems *problems)
{
	if (code == CH_ENOMEM)
		api_out_of_memory(r);
	else if (code == CH_ELIMIT)
		api_problem(r, 413, "the record is larger than %zu bytes", r->api->conf.call_max_bytes);
	else
		api_invalid(r, "the call record is not valid", problems);
	problems_fini(problems);
}

static bool take_record(struct api_request *r, struct store_call_put *put)
{
	struct api *a = r->api;
	struct problems problems;
	struct ch_buf out;
	size_t len;
	const char *json = http_body(r->x, &len);

	put->in.account = r->caller.account->number;
	put->in.now_ms = ch_clock_wall(&a->conf.clock).ms;
	ch_buf_init(&out, a->conf.call_max_bytes);
	if (len + BODY_EXTRA_BYTES < out.limit)
		(void)ch_buf_reserve(&out, len + BODY_EXTRA_BYTES);
	problems_init(&problems);
	int rc = call_codec_run(
			a->codec, json, len, &r->id, put->in.now_ms / 1000, &out, &put->in.facts, &problems);
	if (rc) {
		ch_buf_fini(&out);
		refuse_record(r, rc, &problems);
		return false;
	}
	problems_fini(&problems);
	put->in.body_len = out.len;
	put->in.body = ch_buf_detach(&out);
	if (!put->in.body)
		api_out_of_memory(r);
	return put->in.body != NULL;
}

void calls_put(struct api_request *r)
{
	if (!api_path_id(r))
		return;
	api_begin_store(r, STORE_CALL_PUT);
	struct store_call_put *put = &r->store.u.call_put;
	if (take_notify(r, put) && take_if_match(r, put) && take_if_none_match(r, put) && take_record(r, put))
		api_submit(r, put_done);
}

/* ---- GET ---- */

static void reply_version(struct api_request *r, struct ch_bytes *body)
{
	const char *header = http_header_get(r->x, "If-None-Match");
	uint8_t sha256[CH_SHA256_BYTES];
	struct etag_list list;

	ch_sha256(body->data, body->len, sha256);
	/* A condition that can't be read is one that is not there: the answer is merely longer than it need
	 * be. */
	bool is_same = header && etag_parse(header, true, &list) == 0 && etag_has(&list, sha256);
	reply_call(r, is_same ? 304 : 200, body, sha256);
}

static void get_done(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "call");
	else
		reply_version(api_request_of(s), s->u.call_get.out.body);
}

void calls_get(struct api_request *r)
{
	struct query q;

	if (!api_path_id(r) || !api_query(r, NULL, &q))
		return;
	query_fini(&q);
	api_begin_store(r, STORE_CALL_GET);
	r->store.u.call_get.in.account = r->caller.account->number;
	r->store.u.call_get.in.id = r->id;
	api_submit(r, get_done);
}

/* The version that a delivery was made for, which need not be the latest. */
static void body_done(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "delivery");
	else
		reply_version(api_request_of(s), s->u.delivery_get.out.delivery.body);
}

void deliveries_body(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r))
		return;
	api_begin_store(r, STORE_DELIVERY_GET);
	r->store.u.delivery_get.in.account = r->caller.account->number;
	r->store.u.delivery_get.in.id = r->id;
	r->store.u.delivery_get.in.attempt_limit = 1;
	r->store.u.delivery_get.in.with_body = true;
	api_submit(r, body_done);
}

/* ---- DELETE ---- */

static void erase_done(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "call");
	else
		api_reply_empty(api_request_of(s));
}

void calls_delete(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r))
		return;
	api_begin_store(r, STORE_CALL_ERASE);
	r->store.u.call_erase.in.account = r->caller.account->number;
	r->store.u.call_erase.in.id = r->id;
	r->store.u.call_erase.in.now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	api_audit(r, "call.erase", NULL);
	api_submit(r, erase_done);
}
