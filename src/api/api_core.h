/* api/api_core.h - what the handlers share: the api, a request on its way, and the ways to answer it.
 *
 * Role:      inside api/ only. A handler gets a request, asks the store or the delivery loops through it,
 *            and ends it with exactly one of the replies; the request is gone then.
 * Ownership: the request belongs to the api and is freed by the reply; state, if set, by state_fini.
 * Threads:   the api loop's; answers come back through conf.port.
 */
#ifndef CH_API_API_CORE_H
#define CH_API_API_CORE_H

#include <jansson.h>

#include "api/accounts_registry.h"
#include "api/api.h"
#include "api/auth.h"
#include "api/json_out.h"
#include "api/problem.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/map.h"
#include "model/call_codec.h"
#include "model/id.h"
#include "model/problems.h"

/* JSON that the api itself makes is never larger than this. */
#define API_JSON_MAX ((size_t)64 * 1024 * 1024)
#define API_STATUS_CLASSES 6

struct backlogs;
struct event;
struct webhook_change;

struct api_route_stats {
	uint64_t answers[API_STATUS_CLASSES]; /* by status / 100 */
	uint64_t time_ms;
};

struct api {
	struct api_conf conf;
	struct accounts_registry *accounts;
	struct backlogs *backlogs;
	struct auth auth;
	struct spent spent;
	struct request_limit *limit;
	struct request_limit *checks; /* of URLs */
	struct call_codec *codec;
	struct id_gen ids;
	bool is_stopping;
	size_t busy;
	struct ch_wall started;
	struct ch_mono started_mono;
	struct api_route_stats *stats; /* one a route, and one more for what has none */
	struct ch_list streams;
	size_t stream_count;
	struct ch_list feeds; /* that may wait */
	size_t feed_count;
	struct event *feed_tick; /* while there are any */
	uint64_t import_lines[API_STATUS_CLASSES];
};

struct api_request {
	struct api *api;
	struct http_exchange *x;
	const struct route *route; /* NULL: none fits */
	struct request_quota quota; /* of the caller; limit 0: not counted */
	struct auth_caller caller; /* account NULL: not asked for; of it number, id and name may be read */
	struct id id; /* of the path, once api_path_id has been asked */
	const char *param; /* the path's segment in braces, not NUL-terminated */
	size_t param_len;
	int64_t began_ms; /* mono */
	bool is_secret; /* the answer must not be kept by anybody */
	bool has_store; /* store holds a request, under way or answered */
	struct store_request store;
	struct worker_question question;
	struct webhook_change *change; /* under way; lies in state */
	struct store_audit *audit; /* for the next write that is submitted; NULL: none */
	bool has_no_audit; /* there was no memory for it */
	void *state; /* the handler's own */
	void (*state_fini)(void *state);
};

/* ---- asking ---- */

/* Makes r->store ready for a question, freeing the last one; the caller fills u.….in and calls api_submit. */
void api_begin_store(struct api_request *r, enum store_kind kind);
/* done may run before this returns, with CH_ENOMEM, when there was no memory for the audit log. */
void api_submit(struct api_request *r, void (*done)(struct store_request *s));
/* The next write that r submits is this act: it stands in the account's audit log if it succeeds, and only
 * then. action: "webhook.update"; what is before the dot is the target's kind, the path's parameter its id
 * (api_audit_target says another one). What only the operator may do stands in the installation's log. fmt:
 * the whole JSON object of what changed; NULL: none. No secret, no header's value, no call's data; texts from
 * outside only through api_audit_detail. Said again, the last counts. An act without a write:
 * api_begin_store(r, STORE_AUDIT_ADD). */
void api_audit(struct api_request *r, const char *action, const char *fmt, ...) CH_PRINTF(3, 4);
void api_audit_target(struct api_request *r, const char *id);
void api_audit_detail(struct api_request *r, struct ch_buf *json); /* takes; instead of fmt's */
struct api_request *api_request_of(struct store_request *s);

/* Parses the path's id. False: it has replied, with 404, or with 400 when the method would make it. */
bool api_path_id(struct api_request *r);
/* Reads the query; names NULL-terminated. False: it has replied. */
bool api_query(struct api_request *r, const char *const *names, struct query *q);
/* There must be none. False: it has replied. */
bool api_no_query(struct api_request *r);
/* The body as JSON object, a new reference; is_optional: an empty body is NULL. False: it has replied. */
bool api_json_object(struct api_request *r, bool is_optional, json_t **ret);
/* The body must be empty, or {}. False: it has replied. */
bool api_no_members(struct api_request *r);
/* The member `key` of the body is none that this call knows. */
void api_unknown_member(struct problems *problems, const char *key);

/* Counts the request against its caller's account; the route's caller is known. False: it has replied, with
 * 429. */
bool api_take_quota(struct api_request *r);

/* ---- answering: each ends the request ---- */

#define API_HEADERS_MAX 8

void api_reply(struct api_request *r, const struct http_response *response);
/* For http_reply_start: begins a streamed answer, with the headers that all answers have. */
void api_reply_start(struct api_request *r, const struct http_response *response);
/* Takes buf, whose error makes it a 503. */
void api_reply_json(struct api_request *r, int status, struct ch_buf *buf);
void api_reply_json_with(struct api_request *r, int status, struct ch_buf *buf,
		const struct http_header *headers, size_t count);
void api_reply_empty(struct api_request *r); /* 204 */
void api_problem(struct api_request *r, int status, const char *fmt, ...) CH_PRINTF(3, 4);
/* 400 with errors; frees them. */
void api_invalid(struct api_request *r, const char *detail, struct problems *problems);
/* What r->store came back with. ENOENT says that `what` ("webhook") is not there. */
void api_store_problem(struct api_request *r, const char *what);
int api_status_of(int code); /* of a CH_E code from the store */
const char *api_words_of(const struct store_request *s); /* why it failed, for the client */
void api_out_of_memory(struct api_request *r);
/* For answers that were streamed: counts, logs, frees; the exchange is ended already. */
void api_finish(struct api_request *r, int status);

#endif
