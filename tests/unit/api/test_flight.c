#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_rig.h"
#include "groups.h"

/* The api beside a real delivery loop, whose endpoint takes the connection and never answers. */
struct flight {
	struct api_rig r;
	int fd; /* listening */
	struct worker *worker;
	struct store_client *store;
};

static void on_port(evutil_socket_t fd, short what, void *ctx)
{
	struct flight *f = ctx;
	ch_port_dispatch(&f->r.port);
}

static uint16_t listen_silently(struct flight *f)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(f->fd, 10), 0);
	getsockname(f->fd, (struct sockaddr *)&at, &len);
	return ntohs(at.sin_port);
}

static void start_store(struct flight *f)
{
	struct store_conf conf = {.clock = ch_clock_system(), .rand = ch_rand_system()};
	struct store_threads_conf threads = {.clock = conf.clock,
			.readers = 1,
			.batch_max = 16,
			.result_wait_ms = 1,
			.watcher = workers_watcher(&f->r.workers)};
	struct store *store = NULL;
	struct ch_err err;
	assert_int_equal(store_memory_open(&conf, &store, &err), 0);
	assert_int_equal(store_threads_start(&store, &threads, &f->store, &err), 0);
	f->r.store = f->store;
}

static void start_worker(struct flight *f)
{
	struct ch_err err;
	struct worker_conf conf = {
			.engine = {.clock = ch_clock_system(),
					.rand = ch_rand_system(),
					.store = f->store,
					.schedule = retry_schedule_default(),
					.user_agent = "test",
					.max_in_flight = 10,
					.body_budget_bytes = 1000000,
					.url_rules = {.allow_http = true, .addresses = &f->r.addresses}},
			.transport = {.clock = ch_clock_system(),
					.addresses = f->r.addresses,
					.idle_ms = 1000,
					.connect_timeout_ms = 1000}};
	if (worker_create(&conf, 0, 1, &f->worker, &err) != 0)
		fail_msg("%s", err.text);
	f->r.workers = (struct workers){.items = &f->worker, .count = 1};
	worker_start(f->worker);
}

static int setup(void **state)
{
	struct flight *f = calloc(1, sizeof(*f));
	struct api_rig *r = &f->r;
	struct ch_err err;
	f->fd = -1;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	rig_init(&r->rig);
	assert_int_equal(network_parse("127.0.0.0/8", 11, &r->loopback), 0);
	r->addresses = (struct address_policy){.allowed = &r->loopback, .allowed_count = 1};
	r->accounts[0] = (struct account){.number = 1, .id = "default"};
	ch_sha256("key-a1", 6, r->accounts[0].key_sha256[0]);
	ch_buf_init(&r->logged, 1000);
	assert_int_equal(ch_port_init(&r->port, true, &err), 0);
	r->port_event = event_new(r->rig.base, ch_port_fd(&r->port), EV_READ | EV_PERSIST, on_port, f);
	event_add(r->port_event, NULL);
	start_store(f);
	start_worker(f);
	struct api_conf conf = api_rig_conf(r);
	conf.clock = ch_clock_system();
	conf.rand = ch_rand_system();
	conf.log = NULL;
	conf.account_count = 1;
	assert_int_equal(api_create(&conf, &r->api, &err), 0);
	struct http_server_conf http = {.handle = api_handle, .ctx = r->api, .body_max_of = api_body_max_of};
	rig_serve(&r->rig, &http);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct flight *f = *state;
	http_server_destroy(&f->r.rig.server);
	worker_stop(f->worker, 0);
	api_destroy(&f->r.api);
	store_client_destroy(&f->store);
	worker_destroy(&f->worker);
	event_free(f->r.port_event);
	ch_port_fini(&f->r.port);
	rig_fini(&f->r.rig);
	close(f->fd);
	curl_global_cleanup();
	free(f);
	return 0;
}

static size_t count_of(struct flight *f, const char *path)
{
	json_t *json = api_json(&f->r, "GET", path, NULL, 200);
	size_t n = json_array_size(json_object_get(json, "content"));
	json_decref(json);
	return n;
}

/* The store has answered before the loop hears of the change, and the loop counts at the end of its turn. */
static struct answer metrics_that_say(struct flight *f, const char *words)
{
	for (int i = 0; i < 100000; i++) {
		struct answer a = api_ask(&f->r, "GET", "/metrics", "", NULL);
		if (strstr(a.body, words))
			return a;
		answer_fini(&a);
	}
	fail_msg("the metrics never said %s", words);
	abort();
}

static void a_delivery_in_flight_is_shown_as_delivering(void **state)
{
	struct flight *f = *state;
	char body[100];
	char path[100];
	snprintf(body, sizeof(body), "{\"url\":\"http://127.0.0.1:%u/\",\"timeout\":60}", listen_silently(f));
	json_t *json = api_json(&f->r, "POST", "/v1/webhooks", body, 201);
	snprintf(path, sizeof(path), "/v1/webhooks/%s", json_text(json, "id"));
	json_decref(json);
	json_decref(api_json(&f->r, "PUT", "/v1/calls/" CALL_1, record_json(CALL_1, NULL, NULL), 201));
	int tries = 0;
	while (count_of(f, "/v1/deliveries?state=DELIVERING") == 0)
		assert_true(tries++ < 10000);
	assert_int_equal(count_of(f, "/v1/deliveries?state=PENDING"), 0);
	assert_int_equal(count_of(f, "/v1/deliveries"), 1);
	json = api_json(&f->r, "GET", "/v1/deliveries", NULL, 200);
	json_t *row = json_array_get(json_object_get(json, "content"), 0);
	char one[100];
	assert_string_equal(json_text(row, "state"), "DELIVERING");
	snprintf(one, sizeof(one), "/v1/deliveries/%s", json_text(row, "id"));
	json_decref(json);
	json = api_json(&f->r, "GET", one, NULL, 200);
	assert_string_equal(json_text(json, "state"), "DELIVERING");
	json_decref(json);
	json = api_json(&f->r, "GET", path, NULL, 200);
	assert_string_equal(json_text(json, "state"), "READY");
	json_decref(json);
	json = api_json(&f->r, "PATCH", path, "{\"enabled\":false}", 200);
	assert_string_equal(json_text(json, "state"), "DISABLED");
	json_decref(json);
	struct answer a = metrics_that_say(f, "\ncallhook_lanes{state=\"DISABLED\"} 1\n");
	assert_non_null(strstr(a.body, "\ncallhook_in_flight 1\n"));
	assert_non_null(strstr(a.body, "\ncallhook_lanes{state=\"READY\"} 0\n"));
	answer_fini(&a);
}

static void ready_says(struct flight *f, const char *words)
{
	json_t *json = api_json(&f->r, "GET", "/readyz", NULL, 200);
	assert_string_equal(json_text(json, "status"), "ok");
	assert_non_null(strstr(json_text(json, "sending"), words));
	json_decref(json);
}

/* What is accepted waits safely, so whoever routes by readiness must not take the way in away. */
static void ready_stays_ready_while_nothing_can_be_sent(void **state)
{
	struct flight *f = *state;
	struct engine_stats *stats = (struct engine_stats *)(uintptr_t)worker_stats(f->worker);
	/* A loop that runs says it itself. */
	worker_stop(f->worker, 0);
	ready_says(f, "ok");
	atomic_store(&stats->is_refused, 1);
	ready_says(f, "refuses");
	atomic_store(&stats->is_outage, 1);
	ready_says(f, "our own line");
	struct answer a = api_ask(&f->r, "GET", "/metrics", "", NULL);
	assert_non_null(strstr(a.body, "\ncallhook_outage 1\n"));
	assert_non_null(strstr(a.body, "\ncallhook_results_refused 1\n"));
	answer_fini(&a);
	atomic_store(&stats->is_refused, 0);
	atomic_store(&stats->is_outage, 0);
	ready_says(f, "ok");
}

int group_flight(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					a_delivery_in_flight_is_shown_as_delivering, setup, teardown),
			cmocka_unit_test_setup_teardown(
					ready_stays_ready_while_nothing_can_be_sent, setup, teardown),
	};
	return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
