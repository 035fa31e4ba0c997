#include "test_store_sqlite.h"

int main(void)
{
	int failed = 0;

	contract_flavour = SQLITE;
	failed += sqlite_open_tests();
	failed += sqlite_failure_tests();
	failed += sqlite_plan_tests();
	failed += sqlite_damage_tests();
	failed += sqlite_poison_tests();
	failed += sqlite_upgrade_tests();
	failed += sqlite_hook_tests();
	failed += sqlite_history_tests();
	failed += sqlite_stretch_tests();
	return failed > 0;
}
