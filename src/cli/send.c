#include <curl/curl.h>
#include <event2/event.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "cli/cli.h"
#include "cli/record.h"
#include "delivery/transport.h"
#include "model/call_codec.h"
#include "model/webhook_header.h"
#include "policy/sign.h"

#define OWN_HEADERS_MAX 20

static const struct opt_spec specs[] = {
		{.name = "url",
				.arg = "URL",
				.help = "where to send (http and private addresses are fine here)"},
		{.name = "secret",
				.arg = "TEXT",
				.help = "the secret (better: CALLHOOK_SECRET or --secret-file); none: "
					"unsigned"},
		{.name = "secret-file", .arg = "FILE", .help = "a file whose first line is the secret"},
		{.name = "id", .arg = "ID", .help = "the webhook-id; a new one when absent"},
		{.name = "header", .arg = "NAME: VALUE", .help = "one more header", .repeats = true},
		{.name = "timeout", .arg = "SECONDS", .fallback = "15", .help = "for all of it, 1 to 60"},
		{.name = "ca-file", .arg = "FILE", .help = "one more certificate authority, PEM"},
		{.name = "json", .help = "as one JSON object"},
		{0},
};

static const struct opts_page page = {
		.command = "send",
		.usage = "--url URL [options] [FILE]",
		.about = "Signs one call record (a file, or standard input) and POSTs it to a URL, as the "
			 "service would, without\n"
			 "a server. Exits 0 when the receiver answered 2xx.",
		.example = "  callhook send --url http://127.0.0.1:9000/ --secret-file secret.txt call.json",
		.specs = specs,
		.args_max = 1,
};

struct sending {
	const struct opts *o;
	struct event_base *base;
	struct transport *transport;
	struct transport_job job;
	struct url url;
	char id[256];
	char lines[6][512];
	const char *headers[6 + OWN_HEADERS_MAX];
	bool finished;
	bool is_record_bad;
};

static void on_done(struct transport_job *job)
{
	struct sending *s = CH_CONTAINER_OF(job, struct sending, job);

	s->finished = true;
	event_base_loopbreak(s->base);
}

static void add_header(struct sending *s, const char *name, const char *value)
{
	char *line = s->lines[s->job.header_count];

	snprintf(line, sizeof(s->lines[0]), "%s: %s", name, value);
	s->headers[s->job.header_count++] = line;
}

static int sign(struct sending *s, const struct ch_secret *secret, int64_t now_s, struct ch_err *err)
{
	char hex[SIGN_HEX_LEN + 1];
	char standard[SIGN_STD_LEN + 1];
	struct sign_key key;
	int rc = sign_secret_check(secret->text, secret->len, err);

	if (rc == 0)
		rc = sign_key_init(&key, secret->text, secret->len, err);
	if (rc != 0)
		return rc;
	sign_body_hex(&key, s->job.body->data, s->job.body->len, hex);
	sign_body_standard(&key, s->id, now_s, s->job.body->data, s->job.body->len, standard);
	add_header(s, "X-Webhook-Signature", hex);
	add_header(s, "webhook-signature", standard);
	sign_key_fini(&key);
	return 0;
}

static bool is_reserved(const char *name, size_t len)
{
	char text[WEBHOOK_HEADER_NAME_MAX + 1];

	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	return webhook_header_is_reserved(text);
}

/* The rules of a webhook's own headers: this is to send what the service would. */
static int check_own_header(const char *line, struct ch_err *err)
{
	const char *colon = strchr(line, ':');
	const char *value = colon ? colon + 1 + strspn(colon + 1, " \t") : NULL;
	const char *why;

	if (!colon)
		return ch_err_set(err, CH_EINVAL, "--header \"%s\" is not of the form \"Name: value\"", line);
	why = webhook_header_name_refusal(line, (size_t)(colon - line));
	if (!why && is_reserved(line, (size_t)(colon - line)))
		why = "callhook sets this one itself";
	if (!why)
		why = webhook_header_value_refusal(value, strlen(value));
	return why ? ch_err_set(err, CH_EINVAL, "--header \"%s\": %s", line, why) : 0;
}

static int own_headers(struct sending *s, struct ch_err *err)
{
	int count = opts_count(s->o, "header");

	if (count > OWN_HEADERS_MAX)
		return ch_err_set(err, CH_EINVAL, "at most %d --header", OWN_HEADERS_MAX);
	for (int i = 0; i < count; i++) {
		int rc = check_own_header(opts_at(s->o, "header", i), err);

		if (rc != 0)
			return rc;
		s->headers[s->job.header_count++] = opts_at(s->o, "header", i);
	}
	return 0;
}

static int build(struct sending *s, struct ch_clock clock, struct ch_err *err)
{
	struct ch_rand rand = ch_rand_system();
	int64_t now_s = ch_clock_wall(&clock).ms / 1000;
	struct ch_secret secret = {0};
	struct id_gen ids;
	char number[24];
	int rc;

	id_gen_init(&ids, clock, rand);
	if (opts_get(s->o, "id")) {
		rc = cli_check_id(opts_get(s->o, "id"), err);
		if (rc != 0)
			return rc;
		snprintf(s->id, sizeof(s->id), "%s", opts_get(s->o, "id"));
	} else {
		struct id id = id_gen_next(&ids);
		id_format(&id, s->id);
	}
	snprintf(number, sizeof(number), "%" PRId64, now_s);
	add_header(s, "Content-Type", "application/json");
	add_header(s, "User-Agent", "callhook/" CALLHOOK_VERSION);
	add_header(s, "webhook-id", s->id);
	add_header(s, "webhook-timestamp", number);
	rc = cli_secret(s->o, &secret, err);
	if (rc == 0 && secret.text)
		rc = sign(s, &secret, now_s, err);
	if (rc == 0)
		rc = own_headers(s, err);
	ch_secret_fini(&secret);
	return rc;
}

static double ms_of(int32_t us)
{
	return us < 0 ? -1 : us / 1000.0;
}

static void print_json(const struct sending *s, bool ok)
{
	const struct attempt *a = &s->job.attempt;
	json_t *json = json_pack("{s:s, s:b, s:s, s:i, s:f}", "id", s->id, "delivered", ok, "outcome",
			attempt_outcome_name(a->outcome), "status", a->status, "totalMs", ms_of(a->total_us));

	if (json && a->detail)
		json_object_set_new(json, "detail", json_string(a->detail));
	if (json && a->answer)
		json_object_set_new(json, "answer", json_stringn(a->answer, a->answer_len));
	if (json)
		json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	printf("\n");
	json_decref(json);
}

static int report(const struct sending *s)
{
	const struct attempt *a = &s->job.attempt;
	bool ok = a->outcome == ATTEMPT_ANSWERED && a->status >= 200 && a->status < 300;
	char address[ADDRESS_TEXT_MAX] = "";

	if (opts_has(s->o, "json")) {
		print_json(s, ok);
		return ok ? CLI_DONE : CLI_FAILED;
	}
	if (a->address.len)
		address_format(&a->address, address);
	if (a->outcome == ATTEMPT_ANSWERED)
		printf("%s: the receiver answered %d in %.1f ms%s%s\n", ok ? "delivered" : "NOT delivered",
				a->status, ms_of(a->total_us), *address ? " from " : "", address);
	else
		printf("NOT delivered: %s%s%s\n", attempt_outcome_name(a->outcome), a->detail ? ", " : "",
				a->detail ? a->detail : "");
	printf("webhook-id %s\n", s->id);
	if (a->answer_len > 0)
		printf("%.*s\n", (int)a->answer_len, a->answer);
	return ok ? CLI_DONE : CLI_FAILED;
}

static int post(struct sending *s, struct ch_clock clock, struct ch_err *err)
{
	static const struct network anywhere[] = {
			{.base = {.len = 4}, .prefix = 0}, {.base = {.len = 16}, .prefix = 0}};
	struct transport_curl_conf conf = {.base = s->base,
			.clock = clock,
			.shards = 1,
			.connect_timeout_ms = 5000,
			.idle_ms = 1000,
			.ca_file = opts_get(s->o, "ca-file"),
			.addresses = {.allowed = anywhere, .allowed_count = 2}};
	int64_t timeout_s;
	int rc = opts_int(s->o, "timeout", 1, 60, &timeout_s, err);

	if (rc == 0)
		rc = transport_curl_create(&conf, &s->transport, err);
	if (rc != 0)
		return rc;
	s->job.url = &s->url;
	s->job.headers = s->headers;
	s->job.timeout_ms = (int)timeout_s * 1000;
	s->job.connections_max = 1;
	s->job.done = on_done;
	s->transport->send(s->transport, &s->job);
	while (!s->finished && event_base_loop(s->base, EVLOOP_ONCE) == 0)
		;
	s->transport->destroy(s->transport);
	return 0;
}

static int prepare(struct sending *s, struct ch_clock clock, struct ch_err *err)
{
	const struct url_rules rules = {.allow_http = true};
	const char *url = opts_get(s->o, "url");
	struct ch_buf input;
	struct ch_buf body;
	struct call_facts facts;
	int rc;

	if (!url)
		return ch_err_set(err, CH_EINVAL, "no --url");
	rc = url_parse(url, strlen(url), &rules, &s->url, err);
	if (rc != 0)
		return rc;
	ch_buf_init(&input, CALL_MAX_BYTES_DEFAULT);
	ch_buf_init(&body, CALL_MAX_BYTES_DEFAULT);
	rc = cli_read_input(s->o->arg_count > 0 ? s->o->args[0] : NULL, &input, err);
	if (rc == 0)
		rc = record_canonical(ch_buf_text(&input), input.len, &body, &facts, err);
	s->is_record_bad = rc != 0;
	if (rc == 0) {
		s->job.body = ch_bytes_create(body.data, body.len);
		rc = s->job.body ? build(s, clock, err) : ch_err_set(err, CH_ENOMEM, "out of memory");
	}
	ch_buf_fini(&body);
	ch_buf_fini(&input);
	return rc;
}

int cli_send(int argc, char **argv)
{
	struct ch_clock clock = ch_clock_system();
	struct sending s = {0};
	struct ch_err err = {0};
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "send", "%s", err.text);
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	s.o = &o;
	s.base = event_base_new();
	rc = s.base ? prepare(&s, clock, &err) : ch_err_set(&err, CH_ENOMEM, "out of memory");
	if (rc == 0)
		rc = post(&s, clock, &err);
	rc = rc == 0 ? report(&s)
		     : cli_fail(rc == CH_EINVAL && !s.is_record_bad ? CLI_USAGE : CLI_FAILED, "send", "%s",
				       err.text);
	attempt_fini(&s.job.attempt);
	ch_bytes_unref(&s.job.body);
	url_fini(&s.url);
	if (s.base)
		event_base_free(s.base);
	opts_fini(&o);
	curl_global_cleanup();
	return rc;
}
