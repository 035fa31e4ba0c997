#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http_server.h"
#include "base/time_text.h"
#include "cli/cli.h"
#include "cli/follow.h"
#include "model/call_codec.h"
#include "policy/sign.h"

static const struct opt_spec specs[] = {
		{.name = "listen",
				.arg = "HOST:PORT",
				.fallback = "127.0.0.1:9000",
				.help = "where to receive"},
		{.name = "secret",
				.arg = "TEXT",
				.help = "the secret (better: CALLHOOK_SECRET or --secret-file)"},
		{.name = "secret-file", .arg = "FILE", .help = "a file whose first line is the secret"},
		{.name = "status", .arg = "CODE", .fallback = "200", .help = "what to answer, 200 to 599"},
		{.name = "count",
				.arg = "N",
				.fallback = "0",
				.help = "end after N webhooks; 0: go on until Ctrl-C"},
		{.name = "save",
				.arg = "DIR",
				.help = "write each one's bytes to DIR/0001.body and its headers to "
					"DIR/0001.headers"},
		{.name = "json", .help = "print one JSON object a webhook"},
		FOLLOW_OPTS,
		{0},
};

static const struct opts_page page = {
		.command = "listen",
		.usage = "[options]",
		.about = "Receives webhooks on this machine, verifies their signatures and prints them.\n"
			 "Exits 1 when --count webhooks came and not all of them were valid.\n"
			 "With --server it follows that server's finished calls instead, signs each and "
			 "forwards it to "
			 "a URL of this\n"
			 "machine, which needs no public address. It goes on behind a call when that was "
			 "answered with "
			 "2xx, and keeps\n"
			 "its place in a file: nothing is missed while it is closed.",
		.example = "  callhook listen --secret-file secret.txt --listen 127.0.0.1:9000\n"
			   "  callhook listen --server https://callhook.example.com --forward "
			   "http://127.0.0.1:3000/calls",
		.specs = specs,
};

struct listener {
	const struct opts *o;
	struct event_base *base;
	struct ch_clock clock;
	struct ch_secret secret;
	int64_t status;
	int64_t count;
	int64_t seen;
	int64_t invalid;
};

struct header_sink {
	FILE *file; /* or NULL */
	json_t *json; /* or NULL */
};

static void take_header(void *ctx, const char *name, const char *value)
{
	struct header_sink *sink = ctx;
	json_t *text;

	if (sink->file)
		fprintf(sink->file, "%s: %s\n", name, value);
	if (!sink->json)
		return;
	text = json_string(value);
	if (text && json_object_set_new(sink->json, name, text) != 0)
		json_decref(text);
}

static FILE *open_saved(const struct listener *l, const char *ending)
{
	const char *dir = opts_get(l->o, "save");
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%04" PRId64 ".%s", dir, l->seen, ending);
	f = fopen(path, "wb");
	if (!f)
		fprintf(stderr, "callhook listen: %s: %s\n", path, strerror(errno));
	return f;
}

/* False: something could not be written. */
static bool save(const struct listener *l, struct http_exchange *x, const char *body, size_t len)
{
	struct header_sink sink = {.file = open_saved(l, "headers")};
	FILE *bytes = open_saved(l, "body");
	bool ok = sink.file && bytes;

	if (sink.file) {
		http_header_each(x, take_header, &sink);
		ok = fclose(sink.file) == 0 && ok;
	}
	if (bytes) {
		ok = fwrite(body, 1, len, bytes) == len && ok;
		ok = fclose(bytes) == 0 && ok;
	}
	return ok;
}

static void verify(const struct listener *l, struct http_exchange *x, const char *body, size_t len,
		struct sign_check *ret)
{
	struct ch_err err = {0};
	struct sign_received r = {
			.body = body,
			.body_len = len,
			.id = http_header_get(x, "webhook-id"),
			.timestamp = http_header_get(x, "webhook-timestamp"),
			.hex_signature = http_header_get(x, "X-Webhook-Signature"),
			.hex_signature_next = http_header_get(x, "X-Webhook-Signature-Next"),
			.std_signature = http_header_get(x, "webhook-signature"),
			.now_s = ch_clock_wall(&l->clock).ms / 1000,
			.tolerance_s = SIGN_TOLERANCE_S,
	};

	if (sign_check(&r, l->secret.text, NULL, 0, ret, &err) != 0) {
		ret->verdict = SIGN_MISMATCH;
		snprintf(ret->words, sizeof(ret->words), "%.199s", err.text);
	}
}

static void print_json(const struct listener *l, struct http_exchange *x, const char *body, size_t len,
		const struct sign_check *check)
{
	struct header_sink sink = {.json = json_object()};
	char when[25];
	json_t *line;

	http_header_each(x, take_header, &sink);
	time_text_format_ms(ch_clock_wall(&l->clock).ms, when);
	line = json_pack("{s:s, s:s, s:s, s:o, s:s%}", "time", when, "method", http_method(x), "path",
			http_path(x), "headers", sink.json, "body", body, len);
	if (line && l->secret.text) {
		json_object_set_new(line, "valid", json_boolean(check->verdict == SIGN_VALID));
		json_object_set_new(line, "reason", json_string(check->words));
	}
	if (line)
		json_dumpf(line, stdout, JSON_COMPACT);
	else
		printf("{\"error\":\"the body is not UTF-8\"}");
	printf("\n");
	json_decref(line);
}

static void print_text(const struct listener *l, struct http_exchange *x, const char *body, size_t len,
		const struct sign_check *check)
{
	const char *id = http_header_get(x, "webhook-id");
	json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	char when[25];

	time_text_format_ms(ch_clock_wall(&l->clock).ms, when);
	printf("%s  %s %s  %zu bytes%s%s\n", when, http_method(x), http_path(x), len,
			id ? "  webhook-id " : "", id ? id : "");
	if (l->secret.text && check->verdict == SIGN_VALID)
		printf("signature valid\n");
	else if (l->secret.text)
		printf("signature NOT valid: %s\n", check->words);
	else
		printf("signature not checked (no --secret given)\n");
	if (json)
		json_dumpf(json, stdout, JSON_INDENT(2));
	else
		fwrite(body, 1, len, stdout);
	printf("\n\n");
	json_decref(json);
}

static void handle(void *ctx, struct http_exchange *x)
{
	struct listener *l = ctx;
	struct sign_check check = {.verdict = SIGN_VALID};
	struct http_response answer = {.status = (int)l->status,
			.content_type = "text/plain",
			.text = "ok\n",
			.text_len = 3};
	size_t len;
	const char *body = http_body(x, &len);

	if (strcmp(http_method(x), "POST") != 0) {
		answer.status = 405;
		answer.text = "only POST\n";
		answer.text_len = strlen(answer.text);
		http_reply(x, &answer);
		return;
	}
	l->seen++;
	if (l->secret.text)
		verify(l, x, body, len, &check);
	if (opts_has(l->o, "save") && !save(l, x, body, len))
		answer.status = 500;
	if (check.verdict != SIGN_VALID)
		l->invalid++;
	if (opts_has(l->o, "json"))
		print_json(l, x, body, len, &check);
	else
		print_text(l, x, body, len, &check);
	fflush(stdout);
	http_reply(x, &answer);
	if (l->count > 0 && l->seen >= l->count)
		event_base_loopexit(l->base, &(struct timeval){.tv_usec = 50000});
}

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
	event_base_loopbreak(ctx);
}

static int run(struct listener *l, struct ch_err *err)
{
	struct http_server *server = NULL;
	struct event *interrupt = evsignal_new(l->base, SIGINT, on_signal, l->base);
	struct event *terminate = evsignal_new(l->base, SIGTERM, on_signal, l->base);
	char host[256];
	uint16_t port;
	int rc = interrupt && terminate ? 0 : ch_err_set(err, CH_ENOMEM, "out of memory");

	if (rc == 0)
		rc = cli_listen_address(l->o, "listen", host, sizeof(host), &port, err);
	if (rc == 0) {
		struct http_server_conf conf = {.base = l->base,
				.clock = l->clock,
				.host = host,
				.port = port,
				.listen_fd = -1,
				.body_max_bytes = 4 * (size_t)CALL_MAX_BYTES_DEFAULT,
				.handle = handle,
				.ctx = l};
		rc = http_server_start(&conf, &server, err);
	}
	if (rc == 0) {
		event_add(interrupt, NULL);
		event_add(terminate, NULL);
		fprintf(stderr, "listening on http://%s%s%s:%u/\n", strchr(host, ':') ? "[" : "", host,
				strchr(host, ':') ? "]" : "", http_server_port(server));
		event_base_dispatch(l->base);
		http_server_destroy(&server);
	}
	if (interrupt)
		event_free(interrupt);
	if (terminate)
		event_free(terminate);
	return rc;
}

static int prepare(struct listener *l, struct ch_err *err)
{
	int rc = cli_secret(l->o, &l->secret, err);
	struct sign_key key;

	if (rc == 0)
		rc = opts_int(l->o, "status", 200, 599, &l->status, err);
	if (rc == 0)
		rc = opts_int(l->o, "count", 0, INT64_MAX, &l->count, err);
	if (rc == 0 && l->secret.text) {
		rc = sign_key_init(&key, l->secret.text, l->secret.len, err);
		if (rc == 0)
			sign_key_fini(&key);
	}
	return rc;
}

static int end(int rc, const struct ch_err *err)
{
	if (rc == 0)
		return CLI_DONE;
	return cli_fail(rc == CH_EINVAL ? CLI_USAGE : CLI_FAILED, "listen", "%s", err->text);
}

int cli_listen(int argc, char **argv)
{
	struct listener l = {.clock = ch_clock_system()};
	struct ch_err err = {0};
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "listen", "%s", err.text);
	signal(SIGPIPE, SIG_IGN);
	if (opts_has(&o, "server")) {
		rc = follow_run(&o, &err);
		opts_fini(&o);
		return end(rc, &err);
	}
	l.o = &o;
	l.base = event_base_new();
	rc = l.base ? prepare(&l, &err) : ch_err_set(&err, CH_ENOMEM, "out of memory");
	if (rc == 0)
		rc = run(&l, &err);
	if (l.base)
		event_base_free(l.base);
	ch_secret_fini(&l.secret);
	opts_fini(&o);
	if (rc != 0)
		return end(rc, &err);
	return l.invalid > 0 || l.seen < l.count ? CLI_FAILED : CLI_DONE;
}
