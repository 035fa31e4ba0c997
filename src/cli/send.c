#include <curl/curl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/post.h"
#include "cli/record.h"
#include "model/call_codec.h"
#include "model/webhook_header.h"

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
	struct ch_clock clock;
	struct url url;
	struct ch_bytes *body;
	char id[POST_ID_MAX + 1];
	struct ch_secret secret;
	const char *own[POST_OWN_HEADERS_MAX];
	size_t own_count;
	int64_t timeout_s;
	struct attempt attempt;
	bool is_record_bad;
};

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

	if (count > POST_OWN_HEADERS_MAX)
		return ch_err_set(err, CH_EINVAL, "at most %d --header", POST_OWN_HEADERS_MAX);
	for (int i = 0; i < count; i++) {
		int rc = check_own_header(opts_at(s->o, "header", i), err);

		if (rc != 0)
			return rc;
		s->own[s->own_count++] = opts_at(s->o, "header", i);
	}
	return 0;
}

static int take_id(struct sending *s, struct ch_err *err)
{
	const char *given = opts_get(s->o, "id");
	struct id_gen ids;

	if (given) {
		int rc = cli_check_id(given, err);

		if (rc == 0)
			snprintf(s->id, sizeof(s->id), "%s", given);
		return rc;
	}
	id_gen_init(&ids, s->clock, ch_rand_system());
	struct id id = id_gen_next(&ids);
	id_format(&id, s->id);
	return 0;
}

static int take_options(struct sending *s, struct ch_err *err)
{
	int rc = take_id(s, err);

	if (rc == 0)
		rc = cli_secret(s->o, &s->secret, err);
	if (rc == 0)
		rc = own_headers(s, err);
	return rc == 0 ? opts_int(s->o, "timeout", 1, 60, &s->timeout_s, err) : rc;
}

static double ms_of(int32_t us)
{
	return us < 0 ? -1 : us / 1000.0;
}

static void print_json(const struct sending *s, bool ok)
{
	const struct attempt *a = &s->attempt;
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
	const struct attempt *a = &s->attempt;
	bool ok = post_is_delivered(a);
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

static int post(struct sending *s, struct ch_err *err)
{
	const struct post_message m = {.url = &s->url,
			.body = s->body,
			.id = s->id,
			.secret = &s->secret,
			.own = s->own,
			.own_count = s->own_count,
			.timeout_ms = (int)s->timeout_s * 1000};
	struct post p;
	int rc = post_open(&p, opts_get(s->o, "ca-file"), s->clock, err);

	if (rc == 0)
		rc = post_send(&p, &m, &s->attempt, err);
	post_close(&p);
	return rc;
}

static int prepare(struct sending *s, struct ch_err *err)
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
		s->body = ch_bytes_create(body.data, body.len);
		rc = s->body ? take_options(s, err) : ch_err_set(err, CH_ENOMEM, "out of memory");
	}
	ch_buf_fini(&body);
	ch_buf_fini(&input);
	return rc;
}

int cli_send(int argc, char **argv)
{
	struct sending s = {.clock = ch_clock_system()};
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
	rc = prepare(&s, &err);
	if (rc == 0)
		rc = post(&s, &err);
	rc = rc == 0 ? report(&s)
		     : cli_fail(rc == CH_EINVAL && !s.is_record_bad ? CLI_USAGE : CLI_FAILED, "send", "%s",
				       err.text);
	attempt_fini(&s.attempt);
	ch_bytes_unref(&s.body);
	ch_secret_fini(&s.secret);
	url_fini(&s.url);
	opts_fini(&o);
	curl_global_cleanup();
	return rc;
}
