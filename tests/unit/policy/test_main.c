#include "test_policy.h"

int main(void)
{
	int failed = 0;
	failed += outcome_tests();
	failed += retry_tests();
	failed += scope_tests();
	failed += sign_tests();
	failed += sign_check_tests();
	return failed > 0;
}
