#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/rules.h"
#include "base/alloc.h"
#include "base/err.h"
#include "groups.h"

/* What the document's rules say of what is wrong, and of having no memory to say it. */

static bool nth_fails(void *ctx)
{
	int *left = ctx;
	return (*left)-- == 0;
}

/* A mistake without the memory for its words is no fault of the client's, and no answer without words. */
static void no_memory_for_the_first_mistake_is_said(void **state)
{
	const struct rules *rules = rules_find("POST", "/v1/webhooks");
	json_t *json = json_pack("{s:i,s:s}", "url", 7, "other", "x");
	int short_of_memory = 0, untouched = 0;

	for (int n = 0; !untouched; n++) {
		struct problems problems;
		int left = n;
		problems_init(&problems);
		ch_alloc_set_hook(nth_fails, &left);
		int rc = rules_check_json(rules->body, json, &problems);
		ch_alloc_set_hook(NULL, NULL);
		untouched = left >= 0;
		assert_int_equal(rc, problems.count > 0 ? CH_EINVAL : CH_ENOMEM);
		short_of_memory += rc == CH_ENOMEM;
		problems_fini(&problems);
	}
	assert_int_equal(short_of_memory, 0); /* one of two can always be named */
	json_object_del(json, "other");
	for (int n = 0; n < 2; n++) {
		struct problems problems;
		int left = n;
		problems_init(&problems);
		ch_alloc_set_hook(nth_fails, &left);
		int rc = rules_check_json(rules->body, json, &problems);
		ch_alloc_set_hook(NULL, NULL);
		short_of_memory += rc == CH_ENOMEM;
		assert_int_equal(rc, problems.count > 0 ? CH_EINVAL : CH_ENOMEM);
		problems_fini(&problems);
	}
	assert_true(short_of_memory > 0);
	json_decref(json);
}

static void no_memory_for_a_query_is_said_too(void **state)
{
	const struct rules *rules = rules_find("GET", "/v1/deliveries");
	int short_of_memory = 0, untouched = 0;

	for (int n = 0; !untouched; n++) {
		struct problems problems;
		int left = n;
		problems_init(&problems);
		ch_alloc_set_hook(nth_fails, &left);
		int rc = rules_check_query(rules, "size=0", &problems);
		ch_alloc_set_hook(NULL, NULL);
		untouched = left >= 0;
		assert_int_equal(rc, problems.count > 0 ? CH_EINVAL : CH_ENOMEM);
		short_of_memory += rc == CH_ENOMEM;
		problems_fini(&problems);
	}
	assert_true(short_of_memory > 1);
}

int group_rules(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(no_memory_for_the_first_mistake_is_said),
			cmocka_unit_test(no_memory_for_a_query_is_said_too),
	};
	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
