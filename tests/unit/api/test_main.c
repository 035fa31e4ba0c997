#include "groups.h"

int main(void)
{
	int failed = 0;

	failed += group_http_head();
	failed += group_http_server();
	failed += group_http_slow();
	failed += group_rules();
	failed += group_http_scarce();
	failed += group_parts();
	failed += group_calls();
	failed += group_call_feed();
	failed += group_import();
	failed += group_webhooks();
	failed += group_secrets();
	failed += group_deliveries();
	failed += group_operations();
	failed += group_flight();
	failed += group_switch();
	failed += group_token_routes();
	failed += group_tokens();
	failed += group_waits();
	failed += group_account_routes();
	failed += group_url_check();
	return failed;
}
