#include "test_model.h"

int main(void)
{
	int failed = 0;
	failed += id_tests();
	failed += problems_tests();
	failed += call_tests();
	failed += call_number_tests();
	failed += call_codec_tests();
	failed += call_order_tests();
	failed += call_refused_tests();
	failed += call_limits_tests();
	failed += address_tests();
	failed += delivery_tests();
	failed += ops_event_tests();
	failed += url_tests();
	failed += webhook_tests();
	failed += webhook_store_tests();
	return failed > 0;
}
