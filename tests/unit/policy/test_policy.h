/* tests/unit/policy/test_policy.h - what the tests of policy/ share.
 *
 * Role:      one entry for each file's group of tests; each returns how many failed.
 */
#ifndef CH_TEST_POLICY_H
#define CH_TEST_POLICY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

int backlog_tests(void);
int health_tests(void);
int latency_tests(void);
int outage_tests(void);
int outcome_tests(void);
int rate_limit_tests(void);
int retry_tests(void);
int rotation_tests(void);
int scope_tests(void);
int sign_tests(void);
int sign_check_tests(void);
int streak_tests(void);
int window_tests(void);

#endif
