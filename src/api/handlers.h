/* api/handlers.h - what each route runs, one file per resource.
 *
 * Role:      each handler gets a request whose caller, content type and length were checked, and replies
 *            to it exactly once, now or later.
 */
#ifndef CH_API_HANDLERS_H
#define CH_API_HANDLERS_H

struct api_request;

void calls_put(struct api_request *r);
void calls_get(struct api_request *r);
void calls_delete(struct api_request *r);
void calls_list(struct api_request *r);
void calls_feed(struct api_request *r);

void agents_list(struct api_request *r);
void agents_put(struct api_request *r);

void import_post(struct api_request *r);

void webhooks_list(struct api_request *r);
void webhooks_post(struct api_request *r);
void webhooks_get(struct api_request *r);
void webhooks_patch(struct api_request *r);
void webhooks_delete(struct api_request *r);
void webhooks_enable(struct api_request *r);
void webhooks_disable(struct api_request *r);
void webhooks_test(struct api_request *r);
void webhooks_check(struct api_request *r);

void secrets_post(struct api_request *r);
void secrets_delete(struct api_request *r);
void secrets_rotate(struct api_request *r);
void secrets_rotate_finish(struct api_request *r);
void secrets_rotate_cancel(struct api_request *r);
void secrets_reveal(struct api_request *r);

void replays_post(struct api_request *r);
void replays_list(struct api_request *r);
void replays_get(struct api_request *r);
void replays_delete(struct api_request *r);

void deliveries_list(struct api_request *r);
void deliveries_get(struct api_request *r);
void deliveries_body(struct api_request *r);
void deliveries_stream(struct api_request *r);
void deliveries_resend(struct api_request *r);

void stats_get(struct api_request *r);

void audit_list(struct api_request *r);

void tokens_post(struct api_request *r);

void hooks_post(struct api_request *r);

void account_get(struct api_request *r);
void account_patch(struct api_request *r);
void account_rotate(struct api_request *r);

void sessions_post(struct api_request *r);
void sessions_delete(struct api_request *r);
void portal_link_post(struct api_request *r);

void accounts_list(struct api_request *r);
void accounts_post(struct api_request *r);
void accounts_delete(struct api_request *r);

void docs_get(struct api_request *r);
void openapi_get(struct api_request *r);
void page_asset_get(struct api_request *r);
void page_get(struct api_request *r);

void operations_health(struct api_request *r);
void operations_ready(struct api_request *r);
void operations_metrics(struct api_request *r);

#endif
