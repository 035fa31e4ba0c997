#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_rig.h"
#include "groups.h"
#include "store/store.h"

static void health_is_always_good(void **state)
{
	struct api_rig *r = *state;
	atomic_store(&r->stats.last_error, CH_EFULL);
	api_stopping(r->api);
	struct answer a = api_ask(r, "GET", "/healthz?x=1", "", NULL);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"status\":\"ok\"}");
	answer_fini(&a);
}

static void readiness_follows_the_store_and_the_stop(void **state)
{
	struct api_rig *r = *state;
	struct answer a = api_ask(r, "GET", "/readyz", "", NULL);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"status\":\"ok\",\"sending\":\"ok\"}");
	answer_fini(&a);
	static const struct {
		int code;
		const char *words;
	} cases[] = {{CH_EFULL, "disk is full"}, {CH_EIO, "CH_EIO"}};
	for (size_t i = 0; i < 2; i++) {
		atomic_store(&r->stats.last_error, cases[i].code);
		a = api_ask(r, "GET", "/readyz", "", NULL);
		assert_problem(&a, 503);
		assert_non_null(strstr(a.body, cases[i].words));
		answer_fini(&a);
	}
	atomic_store(&r->stats.last_error, 0);
	api_stopping(r->api);
	a = api_ask(r, "GET", "/readyz", "", NULL);
	assert_problem(&a, 503);
	assert_non_null(strstr(a.body, "stopping"));
	answer_fini(&a);
	a = api_ask(r, "PUT", "/v1/calls/" CALL_1, KEY_A JSON_TYPE, record_json(CALL_1, NULL, NULL));
	assert_int_equal(a.status, 201);
	answer_fini(&a);
}

#define PUT_LINE "callhook_api_requests_total{method=\"PUT\",route=\"/v1/calls/{id}\",class=\"2xx\"} 1"

/* Every sample belongs to a family that was announced with HELP and TYPE just before. */
static void check_exposition(const char *text)
{
	char family[100] = "";
	char type[20] = "";
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		size_t len = strcspn(line, "\n");
		assert_int_equal(line[len], '\n');
		if (strncmp(line, "# HELP ", 7) == 0) {
			snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "), line + 7);
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_int_equal(strncmp(line + 7, family, strlen(family)), 0);
			snprintf(type, sizeof(type), "%.*s", (int)(len - 8 - strlen(family)),
					line + 8 + strlen(family));
			if (strcmp(type, "counter") == 0)
				assert_string_equal(family + strlen(family) - 6, "_total");
		} else {
			size_t name = strcspn(line, "{ ");
			assert_true(name >= strlen(family));
			assert_int_equal(strncmp(line, family, strlen(family)), 0);
			assert_true(name == strlen(family) || strcmp(type, "histogram") == 0);
			assert_non_null(memchr(line, ' ', len));
		}
	}
}

static bool has_line(const char *text, const char *line)
{
	for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
		if ((at == text || at[-1] == '\n') && at[strlen(line)] == '\n')
			return true;
	return false;
}

static void metrics_are_prometheus_text(void **state)
{
	struct api_rig *r = *state;
	char type[100];
	json_decref(api_json(r, "POST", "/v1/webhooks", "{\"url\":\"http://127.0.0.1:9/\"}", 201));
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_1, record_json(CALL_1, NULL, NULL), 201));
	json_decref(api_json(r, "GET", "/v1/nothing", NULL, 404));
	ch_clock_virtual_advance(&r->rig.time, 2500);
	struct answer a = api_ask(r, "GET", "/metrics", "", NULL);
	assert_int_equal(a.status, 200);
	answer_header(&a, "Content-Type", type, sizeof(type));
	assert_string_equal(type, "text/plain; version=0.0.4; charset=utf-8");
	check_exposition(a.body);
	static const char *const lines[] = {
			"callhook_build_info{version=\"1.2.3\"} 1",
			"callhook_uptime_seconds 2.5",
			"process_start_time_seconds 1722350100.000",
			"callhook_ledger_accepted 1",
			"callhook_ledger_deliveries{state=\"pending\"} 1",
			"callhook_ledger_deliveries{state=\"parked\"} 0",
			"callhook_attempts_total{outcome=\"refused\"} 0",
			"callhook_answers_total{class=\"2xx\"} 0",
			"callhook_attempt_duration_seconds_bucket{le=\"0.001\"} 0",
			"callhook_attempt_duration_seconds_bucket{le=\"+Inf\"} 0",
			"callhook_attempt_duration_seconds_count 0",
			"callhook_in_flight 0",
			"callhook_slow_in_flight 0",
			"callhook_probes_in_flight 0",
			"callhook_results_waiting 0",
			"callhook_results_refused 0",
			"callhook_outage 0",
			"callhook_outages_total 0",
			"callhook_lanes{state=\"READY\"} 0",
			"callhook_lanes{state=\"DISABLED\"} 0",
			"callhook_lanes_waiting{for=\"rate_limit\"} 0",
			"callhook_lanes_waiting{for=\"slow_half\"} 0",
			"callhook_oldest_due_seconds 2.5",
			"callhook_store_commit_duration_seconds_bucket{le=\"0.001\"} 0",
			"callhook_store_commit_duration_seconds_bucket{le=\"+Inf\"} 0",
			"callhook_lane_deaths_total 0",
			"callhook_lane_suspensions_total 0",
			"callhook_probes_total 0",
			"callhook_webhooks_switched_off_total 0",
			"callhook_deliveries_resent_total 0",
			"callhook_store_writable 1",
			PUT_LINE,
			"callhook_api_requests_total{method=\"\",route=\"\",class=\"4xx\"} 1",
			"callhook_import_lines_total{class=\"2xx\"} 0",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!has_line(a.body, lines[i]))
			fail_msg("no line: %s", lines[i]);
	answer_fini(&a);
}

static void metrics_do_without_a_ledger_that_can_not_be_read(void **state)
{
	struct api_rig *r = *state;
	/* The client's own reads at the start come first. */
	json_decref(api_json(r, "GET", "/v1/webhooks", NULL, 200));
	store_fault_fail_read(r->fault, 1, CH_EIO);
	struct answer a = api_ask(r, "GET", "/metrics", "", NULL);
	assert_int_equal(a.status, 200);
	check_exposition(a.body);
	assert_null(strstr(a.body, "callhook_ledger"));
	answer_fini(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_rig_setup, api_rig_teardown)

int group_operations(void)
{
	const struct CMUnitTest tests[] = {
			TEST(health_is_always_good),
			TEST(readiness_follows_the_store_and_the_stop),
			TEST(metrics_are_prometheus_text),
			TEST(metrics_do_without_a_ledger_that_can_not_be_read),
	};
	return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
