#include "clients.h"

int main(void)
{
	int failed = 0;

	failed += test_turns();
	failed += test_client_inline();
	failed += test_client_retention();
	failed += test_client_threads();
	failed += test_client_stop();
	return failed > 0;
}
