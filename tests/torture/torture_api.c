/* Every route through the real HTTP server, with a store in memory behind it, while memory or the store
 * fails. A request is answered as ever, or refused with a problem document, or its connection is closed; what
 * was promised is there afterwards, and asked again it succeeds. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/api/api_rig.h"
#include "../unit/api/still_loop.h"
#include "base/alloc.h"
#include "torture.h"

#define TURNS_MAX 100000 /* then it hangs */
#define URL "https://example.com/hook"
#define PATCH_TYPE "Content-Type: application/merge-patch+json\r\n"
#define NDJSON_TYPE "Content-Type: application/x-ndjson\r\n"
#define RECORD(id, status)                                                                                   \
	"{\"id\":\"" id "\",\"agentId\":\"" AGENT_1 "\",\"type\":\"INBOUND\",\"status\":\"" status           \
	"\",\"context\":{\"10\":1.5,\"a\":[\"\\u0041\"]}}"

/* @w and @d in a path stand for the webhook and the delivery that are there already. */
struct ask {
	const char *method, *path, *headers, *body;
	int status; /* when nothing fails */
	int status_again; /* when the first time was refused, but done: the answer alone was lost; 0: the same
			   */
	bool is_chunked;
	const char *stored; /* the call that is there once it succeeded */
	int ahead; /* so many small requests go before it on the connection, at once */
	void (*answer)(struct transport_job *job); /* it asks a delivery loop; NULL: there is none */
};

struct asked {
	struct api_rig *rig;
	struct still_loop loop;
	const struct ask *ask;
	char *text; /* the request */
	size_t text_len;
	int tries;
	char answer[256 * 1024];
	size_t answer_len;
};

/* ---- a client without memory of its own ---- */

static int connect_to(struct rig *r)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(http_server_port(r->server))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		abort();
	evutil_make_socket_nonblocking(fd);
	return fd;
}

static void turn(struct asked *a)
{
	event_base_loop(a->rig->rig.base, EVLOOP_NONBLOCK);
	a->rig->rig.turn(&a->rig->rig);
}

/* The connection's bytes to their end. */
static void exchange(struct asked *a)
{
	int fd = connect_to(&a->rig->rig);
	size_t sent = 0;
	ssize_t n = -1;

	a->answer_len = 0;
	for (int i = 0; n != 0 && i < TURNS_MAX; i++) {
		ssize_t out = send(fd, a->text + sent, a->text_len - sent, MSG_NOSIGNAL);
		sent += out > 0 ? (size_t)out : 0;
		turn(a);
		n = recv(fd, a->answer + a->answer_len, sizeof(a->answer) - 1 - a->answer_len, 0);
		if (n < 0 && errno != EAGAIN)
			n = 0;
		a->answer_len += n > 0 ? (size_t)n : 0;
	}
	a->answer[a->answer_len] = '\0';
	close(fd);
	if (n != 0)
		a->tries = -1;
}

/* ---- what is to be found ---- */

static struct api_rig *rig_with_some(struct asked *a)
{
	void *state;

	assert_int_equal(api_rig_setup(&state), 0);
	a->rig = state;
	json_decref(api_json(a->rig, "POST", "/v1/webhooks", "{\"url\":\"" URL "\"}", 201));
	json_decref(api_json(a->rig, "PUT", "/v1/calls/" CALL_1, RECORD(CALL_1, "COMPLETED"), 201));
	return a->rig;
}

/* The id of the newest thing in a list. */
static void first_id(struct api_rig *r, const char *list, char out[40])
{
	json_t *json = api_json(r, "GET", list, NULL, 200);

	snprintf(out, 40, "%s", json_text(json_array_get(json_object_get(json, "content"), 0), "id"));
	json_decref(json);
}

static void write_path(struct ch_buf *out, const char *path, const char *webhook, const char *delivery)
{
	for (const char *p = path; *p; p++) {
		if (*p == '@')
			ch_buf_adds(out, *++p == 'w' ? webhook : delivery);
		else
			ch_buf_addc(out, *p);
	}
}

static void write_body(struct ch_buf *out, const struct ask *ask)
{
	size_t len = ask->body ? strlen(ask->body) : 0;

	if (!ask->body)
		ch_buf_adds(out, "\r\n");
	else if (ask->is_chunked)
		ch_buf_addf(out, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%.*s\r\n%zx\r\n%s\r\n0\r\n\r\n",
				len / 2, (int)(len / 2), ask->body, len - len / 2, ask->body + len / 2);
	else
		ch_buf_addf(out, "Content-Length: %zu\r\n\r\n%s", len, ask->body);
}

static void *ask_open(void)
{
	struct asked *a = calloc(1, sizeof(*a));
	char webhook[40];
	char delivery[40];
	struct ch_buf text;

	a->ask = torture_what();
	rig_with_some(a);
	first_id(a->rig, "/v1/webhooks", webhook);
	first_id(a->rig, "/v1/deliveries", delivery);
	ch_buf_init(&text, SIZE_MAX);
	for (int i = 0; i < a->ask->ahead; i++)
		ch_buf_adds(&text, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	ch_buf_addf(&text, "%s ", a->ask->method);
	write_path(&text, a->ask->path, webhook, delivery);
	ch_buf_addf(&text, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", a->ask->headers);
	write_body(&text, a->ask);
	a->text_len = text.len;
	a->text = ch_buf_detach(&text);
	if (a->ask->answer) {
		still_loop_open(&a->loop, a->rig);
		a->loop.answer = a->ask->answer;
	}
	return a;
}

static void ask_close(void *ctx)
{
	struct asked *a = ctx;
	void *state = a->rig;

	if (a->ask->answer)
		still_loop_close(&a->loop, a->rig);
	api_rig_teardown(&state);
	ch_free(a->text);
	free(a);
}

/* Each line of an import has its answer; refused: some say 503. */
static int import_result(const struct asked *a)
{
	if (strstr(a->answer, "\"status\":503"))
		return TORTURE_REFUSED;
	return strstr(a->answer, "\r\n0\r\n\r\n") ? 0 : TORTURE_REFUSED;
}

/* The answer that is meant, behind those that went ahead; NULL: it did not come so far. */
static const char *find_answer(const struct asked *a)
{
	const char *at = a->answer;

	for (int i = 0; at && i < a->ask->ahead && strncmp(at, "HTTP/1.1 200 ", 13) == 0; i++)
		at = strstr(at + 1, "HTTP/1.1 ");
	return at && *at ? at : NULL;
}

static int ask_run(void *ctx)
{
	struct asked *a = ctx;
	const struct ask *ask = a->ask;
	bool is_again = a->tries++ > 0;

	exchange(a);
	if (a->tries < 0)
		return CH_ETIME;
	const char *answer = find_answer(a);
	if (!answer)
		return TORTURE_REFUSED;
	long status = strtol(answer + 9, NULL, 10);
	if (status == ask->status || (is_again && ask->status_again && status == ask->status_again))
		return strcmp(ask->headers, KEY_A NDJSON_TYPE) == 0 ? import_result(a) : 0;
	if (status != 503 && status != 500)
		return CH_EIO;
	bool is_problem = strstr(answer, "\r\nContent-Type: application/problem+json\r\n") != NULL;
	return is_problem || strstr(answer, "\r\nContent-Length: 0\r\n") ? TORTURE_REFUSED : CH_EIO;
}

/* ---- what must hold ---- */

static void check_ledger(struct api_rig *r)
{
	struct store_request s;

	store_request_init(&s, STORE_LEDGER, NULL, NULL);
	api_rig_store(r, &s);
	assert_int_equal(s.result, 0);
	const struct ledger *l = &s.u.ledger.out.ledger;
	assert_int_equal(l->accepted, l->pending + l->delivered + l->failed + l->parked + l->canceled);
	assert_true(l->accepted >= 1);
	store_request_fini(&s);
}

/* One call makes one delivery for the one webhook that was there, however often it was sent. */
static void check_single(struct api_rig *r, const char *id, bool is_there)
{
	char path[100];

	snprintf(path, sizeof(path), "/v1/deliveries?callId=%s", id);
	json_t *json = api_json(r, "GET", path, NULL, 200);
	size_t count = json_array_size(json_object_get(json, "content"));
	assert_true(count == 1 || (count == 0 && !is_there));
	json_decref(json);
}

static void ask_check(void *ctx, int rc)
{
	struct asked *a = ctx;
	struct api_rig *r = a->rig;

	for (int i = 0; i < TURNS_MAX && http_server_busy(r->rig.server) + api_busy(r->api) > 0; i++)
		turn(a);
	assert_int_equal(http_server_busy(r->rig.server), 0);
	assert_int_equal(api_busy(r->api), 0);
	check_ledger(r);
	check_single(r, CALL_1, true);
	check_single(r, CALL_2, rc == 0 && a->ask->stored);
	if (rc == 0 && a->ask->stored) {
		char path[100];

		snprintf(path, sizeof(path), "/v1/calls/%s", a->ask->stored);
		json_decref(api_json(r, "GET", path, NULL, 200));
	}
}

static void fail_store(void *ctx, bool is_write, int nth, int code)
{
	struct asked *a = ctx;

	if (is_write)
		store_fault_fail_write(a->rig->fault, nth, code);
	else
		store_fault_fail_read(a->rig->fault, nth, code);
}

/* A name with a good and a bad address, and a certificate that ends. */
static void find_a_way(struct transport_job *job)
{
	job->check->found[0].address = (struct address){4, {10, 0, 0, 1}};
	job->check->found[0].refusal = "private";
	job->check->found[1].address = job->attempt.address = (struct address){4, {203, 0, 113, 7}};
	job->check->found_count = 2;
	job->check->is_ready = true;
	job->attempt.outcome = ATTEMPT_ANSWERED;
	job->attempt.connect_us = 1;
	job->attempt.cert_end_s = 1;
}

static void find_nothing(struct transport_job *job)
{
	job->attempt.outcome = ATTEMPT_DNS;
	job->attempt.detail = ch_strdup("no such name");
}

#define ASK(title, its_method, its_path, its_headers, its_body, ...)                                         \
	.name = (title), .open = ask_open, .run = ask_run, .check = ask_check, .close = ask_close,           \
	.fail_store = fail_store, .may_manage = true, .what = &(const struct ask)                            \
	{                                                                                                    \
		.method = (its_method), .path = (its_path), .headers = (its_headers), .body = (its_body),    \
		__VA_ARGS__                                                                                  \
	}

static const struct torture all[] = {
		{ASK("a new call", "PUT", "/v1/calls/" CALL_2, KEY_A JSON_TYPE, RECORD(CALL_2, "COMPLETED"),
				 .status = 201, .status_again = 200, .stored = CALL_2),
				.writes = 1},
		{ASK("a call in chunks", "PUT", "/v1/calls/" CALL_2, KEY_A JSON_TYPE,
				 RECORD(CALL_2, "FAILED"), .status = 201, .status_again = 200,
				 .is_chunked = true, .stored = CALL_2),
				.writes = 1},
		{ASK("a refused call", "PUT", "/v1/calls/" CALL_2, KEY_A JSON_TYPE, RECORD(CALL_1, "DONE"),
				.status = 400)},
		{ASK("a call that is no JSON", "PUT", "/v1/calls/" CALL_2, KEY_A JSON_TYPE,
				"{\"id\":", .status = 400)},
		{ASK("a call read", "GET", "/v1/calls/" CALL_1, KEY_A, NULL, .status = 200), .reads = 1},
		{ASK("no such call", "GET", "/v1/calls/" NOBODY, KEY_A, NULL, .status = 404), .reads = 1},
		{ASK("an import", "POST", "/v1/calls/import", KEY_A NDJSON_TYPE,
				 RECORD(CALL_2, "IN_PROGRESS") "\n\n{}\n" RECORD(
						 CALL_2, "COMPLETED") "\n" RECORD(CALL_1, "COMPLETED") "\n",
				 .status = 200, .stored = CALL_2),
				.writes = 1},
		{ASK("calls listed", "GET", "/v1/calls?status=COMPLETED&size=3", KEY_A, NULL, .status = 200),
				.reads = 1},
		{ASK("agents listed", "GET", "/v1/agents", KEY_A, NULL, .status = 200), .reads = 1},
		{ASK("an agent named", "PUT", "/v1/agents/" NOBODY, KEY_A JSON_TYPE, "{\"name\":\"Anna\"}",
				 .status = 200),
				.writes = 1},
		{ASK("webhooks listed", "GET", "/v1/webhooks", KEY_A, NULL, .status = 200), .reads = 1},
		{ASK("a new webhook", "POST", "/v1/webhooks", KEY_A JSON_TYPE,
				 "{\"url\":\"https://[2606:4700::1111]/x\",\"headers\":{\"X-A\":\"1\"}}",
				 .status = 201),
				.writes = 1},
		{ASK("a refused webhook", "POST", "/v1/webhooks", KEY_A JSON_TYPE,
				"{\"url\":\"https://192.168.0.1/\",\"timeout\":0,\"other\":[1]}",
				.status = 400)},
		{ASK("a webhook that is no JSON", "POST", "/v1/webhooks", KEY_A JSON_TYPE,
				"{\"url\":\"" URL "\",", .status = 400)},
		{ASK("a URL checked", "POST", "/v1/webhooks/check", KEY_A JSON_TYPE, "{\"url\":\"" URL "\"}",
				.status = 200, .answer = find_a_way)},
		{ASK("a URL that leads nowhere checked", "POST", "/v1/webhooks/check", KEY_A JSON_TYPE,
				"{\"url\":\"" URL "\"}", .status = 200, .answer = find_nothing)},
		{ASK("a bad URL checked", "POST", "/v1/webhooks/check", KEY_A JSON_TYPE,
				"{\"url\":\"no URL\"}", .status = 200, .answer = find_nothing)},
		{ASK("a webhook read", "GET", "/v1/webhooks/@w", KEY_A, NULL, .status = 200), .reads = 1},
		{ASK("a webhook changed", "PATCH", "/v1/webhooks/@w", KEY_A PATCH_TYPE,
				 "{\"name\":\"z\",\"agentIds\":[\"" AGENT_1 "\"]}", .status = 200),
				.writes = 1, .reads = 1},
		{ASK("a webhook deleted", "DELETE", "/v1/webhooks/@w", KEY_A, NULL, .status = 204,
				 .status_again = 404),
				.writes = 1},
		{ASK("a webhook switched off", "POST", "/v1/webhooks/@w/disable", KEY_A, NULL, .status = 200),
				.writes = 1, .reads = 1},
		{ASK("a webhook switched on", "POST", "/v1/webhooks/@w/enable", KEY_A JSON_TYPE,
				 "{\"deliverParked\":true}", .status = 200),
				.writes = 1, .reads = 1},
		{ASK("a delivery sent again", "POST", "/v1/deliveries/@d/resend", KEY_A, NULL, .status = 202,
				 .status_again = 409),
				.writes = 1, .reads = 1},
		{ASK("a secret made", "POST", "/v1/webhooks/@w/secret", KEY_A, NULL, .status = 201,
				 .status_again = 409),
				.writes = 1, .reads = 1},
		{ASK("a secret brought", "POST", "/v1/webhooks/@w/secret", KEY_A JSON_TYPE,
				 "{\"secret\":\"0123456789abcdef\"}", .status = 201, .status_again = 409),
				.writes = 1, .reads = 1},
		{ASK("no secret", "DELETE", "/v1/webhooks/@w/secret", KEY_A, NULL, .status = 204),
				.reads = 1},
		{ASK("deliveries listed", "GET", "/v1/deliveries?size=5&state=PENDING", KEY_A, NULL,
				 .status = 200),
				.reads = 1},
		{ASK("a bad query", "GET", "/v1/deliveries?size=0&state=X&y=%41", KEY_A, NULL,
				.status = 400)},
		{ASK("a delivery read", "GET", "/v1/deliveries/@d", KEY_A, NULL, .status = 200), .reads = 1},
		{ASK("figures", "GET", "/v1/stats?step=300", KEY_A, NULL, .status = 200), .reads = 3},
		{ASK("a webhook's figures", "GET", "/v1/stats?webhookId=@w&step=86400", KEY_A, NULL,
				 .status = 200),
				.reads = 3},
		{ASK("many requests at once", "GET", "/v1/calls/" CALL_1, KEY_A, NULL, .status = 200,
				 .ahead = 40),
				.reads = 1},
		{ASK("the account read", "GET", "/v1/account", KEY_A, NULL, .status = 200), .reads = 1},
		{ASK("the account changed", "PATCH", "/v1/account", KEY_A PATCH_TYPE,
				 "{\"eventsUrl\":\"" URL "\"}", .status = 200),
				.writes = 1, .reads = 1},
		{ASK("a key rotated", "POST", "/v1/account/keys/secondary/rotate", KEY_A, NULL,
				 .status = 200),
				.writes = 1},
		{ASK("a token made", "POST", "/v1/auth/token", KEY_A JSON_TYPE,
				"{\"scope\":[\"calls:read\"]}", .status = 200)},
		{ASK("a token that is none", "GET", "/v1/webhooks",
				"Authorization: Bearer "
				"e30.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
				NULL, .status = 401)},
		{ASK("accounts listed", "GET", "/v1/accounts?size=1", OPERATOR, NULL, .status = 200),
				.reads = 1},
		{ASK("a new account", "POST", "/v1/accounts", OPERATOR JSON_TYPE,
				 "{\"id\":\"new\",\"name\":\"New\"}", .status = 201, .status_again = 409),
				.writes = 1},
		{ASK("a refused account", "POST", "/v1/accounts", OPERATOR JSON_TYPE,
				"{\"id\":\"a/b\",\"name\":1}", .status = 400)},
		{ASK("an account deleted", "DELETE", "/v1/accounts/other", OPERATOR, NULL, .status = 204,
				 .status_again = 404),
				.writes = 1},
		{ASK("no such path", "GET", "/v1/nothing", KEY_A, NULL, .status = 404)},
		{ASK("no such method", "POST", "/v1/calls/" CALL_1, KEY_A, NULL, .status = 405)},
		{ASK("no key", "GET", "/v1/webhooks", "", NULL, .status = 401)},
		{ASK("metrics", "GET", "/metrics", "", NULL, .status = 200)},
};

int main(int argc, char **argv)
{
	torture_libraries();
	event_set_mem_functions(ch_alloc, ch_realloc, ch_free);
	return torture_main(argc, argv, "api", all, sizeof(all) / sizeof(all[0]));
}
