/* tests/unit/delivery/test_engine.h - the groups of tests of the engine, its workers and the network.
 *
 * Role:      one entry for each file; each returns how many failed.
 */
#ifndef CH_TESTS_ENGINE_H
#define CH_TESTS_ENGINE_H

int engine_claim_tests(void);
int engine_damage_tests(void);
int engine_dead_tests(void);
int engine_events_tests(void);
int engine_hooks_tests(void);
int engine_memory_tests(void);
int engine_regression_tests(void);
int engine_results_tests(void);
int engine_outage_tests(void);
int engine_ring_tests(void);
int engine_rotation_tests(void);
int engine_slots_tests(void);
int engine_trial_tests(void);
int engine_check_tests(void);
int worker_tests(void);

#endif
