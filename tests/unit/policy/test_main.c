#include "test_policy.h"

int main(void)
{
	int failed = 0;
	failed += backlog_tests();
	failed += health_tests();
	failed += latency_tests();
	failed += outage_tests();
	failed += outcome_tests();
	failed += rate_limit_tests();
	failed += retry_tests();
	failed += rotation_tests();
	failed += scope_tests();
	failed += sign_tests();
	failed += sign_check_tests();
	failed += streak_tests();
	failed += window_tests();
	return failed > 0;
}
