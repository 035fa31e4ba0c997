/* api/api.h - the HTTP API: routes, who is calling, handlers.
 *
 * Role:      turns requests into store requests and answers into JSON. Never sends a webhook, never
 *            speaks SQL. One table of routes (api/routes) is read by router, authorisation and metrics.
 * Ownership: conf's pointers are kept and must outlive the api.
 * Threads:   the api loop's.
 */
#ifndef CH_API_API_H
#define CH_API_API_H

#include "api/http_server.h"
#include "api/request_limit.h"
#include "base/crypto.h"
#include "base/rand.h"
#include "delivery/worker.h"
#include "model/account.h"
#include "model/webhook.h"
#include "store/client.h"

struct commit_bell;
struct event_base;

struct api_conf {
	struct event_base *base;
	struct ch_clock clock;
	struct ch_rand rand;
	struct ch_log *log;
	struct store_client *store;
	struct store_stats *store_stats; /* NULL: not reported */
	struct commit_bell *bell; /* its port is port; NULL: who waits for news asks now and then */
	struct ch_port *port; /* the api loop's own; dispatched by whoever runs the loop */
	struct workers *workers;
	struct url_rules url_rules;
	uint8_t seal_key[CH_SEAL_KEY_BYTES];
	const char *operator_token; /* NULL: none */
	const char *public_url; /* where customers reach us, ends in /; NULL: what each request says */
	const struct account *accounts; /* all there are at the start, copied */
	size_t account_count;
	const struct store_spent *spent; /* tokens that are over before their time, at the start; copied */
	size_t spent_count;
	size_t call_max_bytes; /* CALL_MAX_BYTES_DEFAULT */
	size_t import_max_bytes; /* 16 MiB */
	int max_webhooks; /* 50 an account */
	int64_t attempts_kept_ms; /* as retention has it; 0: for ever */
	struct request_rate request_rate; /* of an account; {0}: none */
	bool has_metrics_door; /* /metrics is behind api_handle_metrics alone */
	const char *version;
};

struct api;

int api_create(const struct api_conf *conf, struct api **ret, struct ch_err *err) CH_MUST_USE;
/* For http_server_conf: handle with ctx the api; body_max_of the same. */
void api_handle(void *api, struct http_exchange *x);
/* The door for metrics: /metrics and nothing else. */
void api_handle_metrics(void *api, struct http_exchange *x);
size_t api_body_max_of(void *api, const char *method, const char *path);
/* From now on /readyz says 503; requests are still served. */
void api_stopping(struct api *a);
void api_destroy(struct api **a); /* no exchange and no store request may be under way */
/* Store requests, worker questions and imports not yet finished. */
size_t api_busy(const struct api *a);

#endif
