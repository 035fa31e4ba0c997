#include "api_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "still_loop.h"

static void on_port(evutil_socket_t fd, short what, void *ctx)
{
	struct api_rig *r = ctx;
	ch_port_dispatch(&r->port);
}

static void turn(struct rig *rig)
{
	struct api_rig *r = rig->ctx;
	if (!r->is_store_stopped)
		store_inline_step(r->store);
	if (r->loop)
		still_loop_step(r->loop);
	ch_port_dispatch(&r->port);
}

static void on_log(void *ctx, const char *line, size_t len)
{
	ch_buf_add(ctx, line, len);
}

static void set_accounts(struct api_rig *r)
{
	r->accounts[0] = (struct account){.number = 1, .id = "default", .created_ms = 1000};
	r->accounts[1] = (struct account){.number = 2, .id = "other"};
	ch_sha256("key-a1", 6, r->accounts[0].key_sha256[0]);
	ch_sha256("key-a2", 6, r->accounts[0].key_sha256[1]);
	ch_sha256("key-b1", 6, r->accounts[1].key_sha256[0]);
}

struct api_conf api_rig_conf(struct api_rig *r)
{
	struct api_conf conf = {.base = r->rig.base,
			.clock = ch_clock_virtual_of(&r->rig.time),
			.rand = ch_rand_seeded_of(&r->seed),
			.log = &r->log,
			.store = r->store,
			.store_stats = &r->stats,
			.port = &r->port,
			.workers = &r->workers,
			.url_rules = {.allow_http = true, .addresses = &r->addresses},
			.seal_key = "0123456789abcdef0123456789abcde",
			.operator_token = "op-token",
			.accounts = r->accounts,
			.account_count = 2,
			.call_max_bytes = 100000,
			.import_max_bytes = 16 * 1024 * 1024,
			.max_webhooks = 3,
			.version = "1.2.3"};
	return conf;
}

static void start_store(struct api_rig *r)
{
	struct store_conf conf = {
			.clock = ch_clock_virtual_of(&r->rig.time), .rand = ch_rand_seeded_of(&r->seed)};
	struct store *store = NULL;
	struct ch_err err;

	assert_int_equal(store_memory_open(&conf, &store, &err), 0);
	store = store_fault_wrap(store);
	assert_non_null(store);
	r->fault = store;
	assert_int_equal(store_inline_start(&store, conf.clock, NULL, &r->store, &err), 0);
}

/* As the rig has them, so that they can be changed. */
static void store_accounts(struct api_rig *r)
{
	for (int i = 0; i < 2; i++) {
		struct store_request s;

		store_request_init(&s, STORE_ACCOUNT_CREATE, NULL, NULL);
		s.u.account_create.in.account = r->accounts[i];
		api_rig_store(r, &s);
		assert_int_equal(s.result, 0);
		assert_int_equal(s.u.account_create.out.number, r->accounts[i].number);
		store_request_fini(&s);
	}
}

int api_rig_setup(void **state)
{
	struct api_rig *r = calloc(1, sizeof(*r));
	struct ch_err err;

	rig_init(&r->rig);
	r->rig.turn = turn;
	r->rig.ctx = r;
	ch_rand_seeded_init(&r->seed, 1);
	assert_int_equal(network_parse("127.0.0.0/8", 11, &r->loopback), 0);
	r->addresses = (struct address_policy){.allowed = &r->loopback, .allowed_count = 1};
	ch_buf_init(&r->logged, 1000000);
	r->log = (struct ch_log){.fd = -1,
			.level = CH_LOG_DEBUG,
			.clock = ch_clock_virtual_of(&r->rig.time),
			.sink = on_log,
			.sink_ctx = &r->logged};
	set_accounts(r);
	start_store(r);
	assert_int_equal(ch_port_init(&r->port, true, &err), 0);
	r->port_event = event_new(r->rig.base, ch_port_fd(&r->port), EV_READ | EV_PERSIST, on_port, r);
	event_add(r->port_event, NULL);
	store_accounts(r);
	struct api_conf conf = api_rig_conf(r);
	assert_int_equal(api_create(&conf, &r->api, &err), 0);
	struct http_server_conf http = {.handle = api_handle, .ctx = r->api, .body_max_of = api_body_max_of};
	rig_serve(&r->rig, &http);
	*state = r;
	return 0;
}

int api_rig_teardown(void **state)
{
	struct api_rig *r = *state;

	http_server_destroy(&r->rig.server);
	while (api_busy(r->api) > 0)
		rig_turn(&r->rig);
	api_destroy(&r->api);
	store_client_destroy(&r->store);
	event_free(r->port_event);
	ch_port_fini(&r->port);
	ch_buf_fini(&r->logged);
	rig_fini(&r->rig);
	free(r);
	return 0;
}

struct answer api_ask(struct api_rig *r, const char *method, const char *path, const char *headers,
		const char *body)
{
	struct ch_buf text;

	ch_buf_init(&text, SIZE_MAX);
	ch_buf_addf(&text, "%s %s HTTP/1.1\r\nHost: x\r\n", method, path);
	ch_buf_adds(&text, headers);
	if (body)
		ch_buf_addf(&text, "Content-Length: %zu\r\n", strlen(body));
	ch_buf_adds(&text, "\r\n");
	ch_buf_adds(&text, body ? body : "");
	struct answer a = rig_ask(&r->rig, text.data, text.len);
	ch_buf_fini(&text);
	return a;
}

json_t *api_json(struct api_rig *r, const char *method, const char *path, const char *body, int status)
{
	const char *type = strcmp(method, "PATCH") == 0 ? KEY_A
					   "Content-Type: application/merge-patch+json\r\n"
							: KEY_A JSON_TYPE;
	struct answer a = api_ask(r, method, path, body ? type : KEY_A, body);
	json_t *json = a.body ? json_loadb(a.body, a.body_len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (a.status != status)
		fail_msg("%s %s: %d and not %d: %s", method, path, a.status, status, a.body);
	if (status >= 400)
		assert_problem(&a, status);
	answer_fini(&a);
	return json;
}

const char *record_json(const char *id, const char *status, const char *summary)
{
	static char text[1000];

	snprintf(text, sizeof(text),
			"{\"id\":\"%s\",\"agentId\":\"" AGENT_1
			"\",\"type\":\"INBOUND\",\"status\":\"%s\",\"phone\":"
			"\"+33612345678\",\"summary\":\"%s\"}",
			id, status ? status : "COMPLETED", summary ? summary : "");
	return text;
}

const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		fail_msg("no text \"%s\"", key);
	return text;
}

void assert_problem(const struct answer *a, int status)
{
	char value[100];

	assert_int_equal(a->status, status);
	answer_header(a, "Content-Type", value, sizeof(value));
	assert_string_equal(value, "application/problem+json");
	json_t *json = json_loadb(a->body, a->body_len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
	assert_true(strlen(json_text(json, "title")) > 0);
	assert_string_equal(json_text(json, "type"), "about:blank");
	json_decref(json);
}

static void stored(struct store_request *s)
{
	s->done = NULL;
}

void api_rig_store(struct api_rig *r, struct store_request *s)
{
	s->reply_to = &r->port;
	s->done = stored;
	store_submit(r->store, s);
	while (s->done)
		rig_turn(&r->rig);
}
