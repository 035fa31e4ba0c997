/* Each test file's group: runs it and returns how many tests failed. */
#ifndef TESTS_API_GROUPS_H
#define TESTS_API_GROUPS_H

int group_http_head(void);
int group_http_scarce(void);
int group_http_server(void);
int group_http_slow(void);
int group_rules(void);
int group_parts(void);
int group_calls(void);
int group_call_feed(void);
int group_import(void);
int group_webhooks(void);
int group_secrets(void);
int group_deliveries(void);
int group_operations(void);
int group_flight(void);
int group_switch(void);
int group_token_routes(void);
int group_tokens(void);
int group_waits(void);
int group_account_routes(void);
int group_url_check(void);

#endif
