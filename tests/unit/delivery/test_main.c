#include "test_engine.h"
#include "test_hostile.h"

int resolver_tests(void);
int transport_check_tests(void);
int transport_names_tests(void);
int transport_net_tests(void);
int transport_tests(void);
int transport_tls_tests(void);

int main(void)
{
	int failed = 0;
	failed += engine_ring_tests();
	failed += engine_claim_tests();
	failed += engine_results_tests();
	failed += engine_rotation_tests();
	failed += engine_damage_tests();
	failed += engine_hooks_tests();
	failed += engine_dead_tests();
	failed += engine_events_tests();
	failed += engine_slots_tests();
	failed += engine_trial_tests();
	failed += engine_check_tests();
	failed += engine_outage_tests();
	failed += engine_regression_tests();
	failed += engine_memory_tests();
	failed += resolver_tests();
	failed += transport_tests();
	failed += transport_check_tests();
	failed += transport_names_tests();
	failed += transport_net_tests();
	failed += transport_tls_tests();
	failed += hostile_tests();
	failed += hostile_wire_tests();
	failed += hostile_names_tests();
	failed += worker_tests();
	return failed > 0;
}
