#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "groups.h"
#include "still_loop.h"

/* What the API says of a URL, from what a delivery loop found out. The way itself: test_transport_check.c. */

#define URL "https://crm.example.com/calls"
#define CHECK "/v1/webhooks/check"

static struct still_loop loop;

static int setup(void **state)
{
	int rc = api_rig_setup(state);

	still_loop_open(&loop, *state);
	return rc;
}

static int teardown(void **state)
{
	still_loop_close(&loop, *state);
	return api_rig_teardown(state);
}

/* ---- what a loop may find ---- */

static void find(struct transport_job *job, const char *address, const char *refusal)
{
	struct transport_check *c = job->check;

	assert_int_equal(address_parse(address, strlen(address), &c->found[c->found_count].address), 0);
	c->found[c->found_count++].refusal = refusal;
}

static void fail_with(struct transport_job *job, enum attempt_outcome outcome, const char *words)
{
	job->attempt.outcome = outcome;
	job->attempt.detail = ch_strdup(words);
}

static void connect_to(struct transport_job *job, const char *address)
{
	job->attempt.connect_us = 1000;
	assert_int_equal(address_parse(address, strlen(address), &job->attempt.address), 0);
}

static void be_ready(struct transport_job *job)
{
	job->attempt.outcome = ATTEMPT_ANSWERED;
	job->check->is_ready = true;
}

static void all_good(struct transport_job *job)
{
	find(job, "203.0.113.7", NULL);
	find(job, "2606:4700::1", NULL);
	connect_to(job, "2606:4700::1");
	memcpy(job->attempt.tls_version, "TLSv1.3", 8);
	job->attempt.cert_end_s = 4102444800; /* the year 2100 */
	be_ready(job);
}

static void ends_soon(struct transport_job *job)
{
	all_good(job);
	job->attempt.cert_end_s = 1722350100 + 36 * 3600; /* the rig's clock, and a half */
}

static void some_refused(struct transport_job *job)
{
	all_good(job);
	find(job, "10.0.0.1", "private");
	find(job, "127.0.0.1", "loopback");
}

static void no_name(struct transport_job *job)
{
	fail_with(job, ATTEMPT_DNS, "crm.example.com: no such name");
}

static void all_refused(struct transport_job *job)
{
	find(job, "10.0.0.1", "private");
	find(job, "169.254.0.1", "link-local");
	fail_with(job, ATTEMPT_ADDRESS, "crm.example.com resolves to 10.0.0.1, which is refused: private");
}

static void refused_late(struct transport_job *job)
{
	find(job, "203.0.113.7", NULL);
	fail_with(job, ATTEMPT_ADDRESS, "another address at the last moment");
}

static void nobody_there(struct transport_job *job)
{
	find(job, "203.0.113.7", NULL);
	fail_with(job, ATTEMPT_REFUSED, "connection to 203.0.113.7 port 443 refused");
}

static void hangs_up_in_tls(struct transport_job *job)
{
	find(job, "203.0.113.7", NULL);
	connect_to(job, "203.0.113.7");
	fail_with(job, ATTEMPT_TIMEOUT, "TLS handshake not finished in time");
}

static void bad_certificate(struct transport_job *job)
{
	find(job, "203.0.113.7", NULL);
	connect_to(job, "203.0.113.7");
	job->attempt.cert_end_s = 86400;
	fail_with(job, ATTEMPT_TLS, "the certificate has expired");
}

static void through_proxy(struct transport_job *job)
{
	job->check->is_proxied = true;
	be_ready(job);
}

static void refused_by_proxy(struct transport_job *job)
{
	job->check->is_proxied = true;
	fail_with(job, ATTEMPT_ADDRESS, "the egress proxy refuses this address (403)");
}

static void unseen_through_proxy(struct transport_job *job)
{
	job->check->is_unseen = true;
	through_proxy(job);
}

static void own_fault(struct transport_job *job)
{
	fail_with(job, ATTEMPT_LOCAL, "no socket: Too many open files");
}

static json_t *check(struct api_rig *r, const char *url, int status)
{
	char body[400];

	snprintf(body, sizeof(body), "{\"url\":\"%s\"}", url);
	return api_json(r, "POST", CHECK, body, status);
}

/* "ok ok failed skipped skipped", and the words of the step that says most. */
static void summarise(const json_t *json, char *results, size_t size, const char **ret_words)
{
	size_t i, at = 0;
	json_t *step;

	*ret_words = NULL;
	json_array_foreach(json_object_get(json, "checks"), i, step)
	{
		const char *words = json_string_value(json_object_get(step, "detail"));
		at += (size_t)snprintf(
				results + at, size - at, "%s%s", i ? " " : "", json_text(step, "result"));
		if (words && (!*ret_words || strlen(words) > strlen(*ret_words)))
			*ret_words = words;
	}
}

static void each_step_is_told(void **state)
{
	static const struct {
		void (*answer)(struct transport_job *job);
		const char *url, *results, *words;
	} cases[] = {
			{all_good, URL, "ok ok ok ok ok", "203.0.113.7, 2606:4700::1"},
			{ends_soon, URL, "ok ok ok ok ok", "the certificate ends in 1 day"},
			{some_refused, URL, "ok ok ok ok ok",
					"10.0.0.1 is refused: private; 127.0.0.1 is refused: loopback; "
					"deliveries use the rest"},
			{no_name, URL, "ok failed skipped skipped skipped", "crm.example.com: no such name"},
			{all_refused, URL, "ok ok failed skipped skipped",
					"10.0.0.1 is refused: private; 169.254.0.1 is refused: link-local"},
			{refused_late, URL, "ok ok failed skipped skipped",
					"another address at the last moment"},
			{nobody_there, URL, "ok ok ok failed skipped",
					"connection to 203.0.113.7 port 443 refused"},
			{nobody_there, "http://93.184.216.34/", "ok skipped ok failed skipped",
					"connection to 203.0.113.7 port 443 refused"},
			{hangs_up_in_tls, URL, "ok ok ok ok failed", "TLS handshake not finished in time"},
			{bad_certificate, URL, "ok ok ok ok failed", "the certificate has expired"},
			{through_proxy, URL, "ok skipped skipped ok ok", "the egress proxy checks addresses"},
			{refused_by_proxy, URL, "ok skipped failed skipped skipped",
					"the egress proxy refuses this address (403)"},
			{unseen_through_proxy, "http://crm.example.com/",
					"ok skipped skipped skipped skipped",
					"the egress proxy connects when a request comes: only one would show "
					"whether it gets through"},
	};
	struct api_rig *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char results[100];
		const char *words;
		ch_clock_virtual_advance(&r->rig.time, 60000);
		loop.answer = cases[i].answer;
		json_t *json = check(r, cases[i].url, 200);
		summarise(json, results, sizeof(results), &words);
		assert_string_equal(results, cases[i].results);
		assert_string_equal(words, cases[i].words);
		assert_string_equal(json_text(json, "url"), cases[i].url);
		assert_int_equal(
				json_is_true(json_object_get(json, "ok")), strstr(results, "failed") == NULL);
		json_decref(json);
	}
}

static void a_url_that_no_webhook_may_have_goes_nowhere(void **state)
{
	char results[100];
	const char *words;
	json_t *json = check(*state, "https://user:pw@example.com/", 200);

	summarise(json, results, sizeof(results), &words);
	assert_string_equal(results, "failed skipped skipped skipped skipped");
	assert_string_equal(words, "URL must not contain a user name or password");
	assert_true(json_is_null(json_object_get(json, "url")));
	assert_int_equal(loop.sent, 0);
	json_decref(json);
}

static void our_own_fault_says_nothing_of_the_url(void **state)
{
	loop.answer = own_fault;
	json_t *json = check(*state, URL, 503);
	assert_non_null(strstr(json_text(json, "detail"), "no socket"));
	json_decref(json);
}

static void ten_go_out_in_a_minute(void **state)
{
	struct api_rig *r = *state;

	loop.answer = all_good;
	for (int i = 0; i < 10; i++)
		json_decref(check(r, URL, 200));
	json_decref(check(r, URL, 429));
	json_decref(check(r, "nonsense", 200));
	assert_int_equal(loop.sent, 10);
	struct answer a = api_ask(r, "POST", CHECK, KEY_B JSON_TYPE, "{\"url\":\"" URL "\"}");
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	a = api_ask(r, "POST", CHECK, OPERATOR JSON_TYPE, "{\"url\":\"" URL "\"}");
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	ch_clock_virtual_advance(&r->rig.time, 60000);
	json_decref(check(r, URL, 200));
}

static void stopping_is_said(void **state)
{
	engine_stop(loop.worker.engine);
	json_decref(check(*state, URL, 503));
	assert_int_equal(loop.sent, 0);
}

int group_url_check(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(each_step_is_told, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_url_that_no_webhook_may_have_goes_nowhere, setup, teardown),
			cmocka_unit_test_setup_teardown(
					our_own_fault_says_nothing_of_the_url, setup, teardown),
			cmocka_unit_test_setup_teardown(ten_go_out_in_a_minute, setup, teardown),
			cmocka_unit_test_setup_teardown(stopping_is_said, setup, teardown),
	};
	return cmocka_run_group_tests_name("url_check", tests, NULL, NULL);
}
