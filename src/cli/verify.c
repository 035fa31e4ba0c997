#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "model/call_codec.h"
#include "policy/sign.h"

#define HEADERS_MAX_BYTES (64 * 1024)
#define OTHERS_MAX OPTS_VALUES_MAX

static const struct opt_spec specs[] = {
		{.name = "secret",
				.arg = "TEXT",
				.help = "the secret (better: CALLHOOK_SECRET or --secret-file)"},
		{.name = "secret-file", .arg = "FILE", .help = "a file whose first line is the secret"},
		{.name = "other-secret",
				.arg = "TEXT",
				.help = "a previous or next secret, tried to explain a mismatch",
				.repeats = true},
		{.name = "headers", .arg = "FILE", .help = "the received headers, a line each (Name: value)"},
		{.name = "signature", .arg = "HEX", .help = "X-Webhook-Signature"},
		{.name = "webhook-signature", .arg = "TEXT", .help = "webhook-signature"},
		{.name = "webhook-id", .arg = "ID", .help = "webhook-id"},
		{.name = "webhook-timestamp", .arg = "SECONDS", .help = "webhook-timestamp"},
		{.name = "tolerance",
				.arg = "SECONDS",
				.fallback = "300",
				.help = "how old the timestamp may be; 0: any age"},
		{.name = "now",
				.arg = "SECONDS",
				.help = "check the timestamp against this moment instead of the clock"},
		{.name = "json", .help = "as one JSON object"},
		{0},
};

static const struct opts_page page = {
		.command = "verify",
		.usage = "[options] [FILE]",
		.about = "Says whether a received webhook body (a file, or standard input) is valid, and if "
			 "not, why not.\n"
			 "The body must be the bytes as they came: not parsed, not formatted again.\n"
			 "Exits 0 when it is valid, 1 when it is not, 2 when it could not be checked.",
		.example = "  callhook verify --secret-file secret.txt --headers headers.txt body.json\n"
			   "  callhook verify --secret-file secret.txt --signature 5f3a... body.json",
		.specs = specs,
		.args_max = 1,
};

struct received {
	char *text; /* the header file, cut into strings */
	struct sign_received sign;
};

static void take_header(struct sign_received *r, const char *name, const char *value)
{
	if (!strcasecmp(name, "X-Webhook-Signature"))
		r->hex_signature = value;
	else if (!strcasecmp(name, "X-Webhook-Signature-Next"))
		r->hex_signature_next = value;
	else if (!strcasecmp(name, "webhook-signature"))
		r->std_signature = value;
	else if (!strcasecmp(name, "webhook-id"))
		r->id = value;
	else if (!strcasecmp(name, "webhook-timestamp"))
		r->timestamp = value;
}

static void take_header_lines(struct sign_received *r, char *text)
{
	char *next;

	for (char *line = text; line; line = next) {
		char *colon = strchr(line, ':');
		char *end;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (!colon || (next && colon >= next))
			continue;
		*colon++ = 0;
		colon += strspn(colon, " \t");
		end = colon + strlen(colon);
		while (end > colon && isspace((unsigned char)end[-1]))
			*--end = 0;
		take_header(r, line, colon);
	}
}

static int collect(const struct opts *o, struct ch_buf *headers, struct sign_received *r, struct ch_err *err)
{
	struct ch_clock clock = ch_clock_system();
	const char *path = opts_get(o, "headers");
	int rc = path ? cli_read_input(path, headers, err) : 0;

	if (rc == 0 && headers->len > 0)
		take_header_lines(r, headers->data);
	if (opts_has(o, "signature"))
		r->hex_signature = opts_get(o, "signature");
	if (opts_has(o, "webhook-signature"))
		r->std_signature = opts_get(o, "webhook-signature");
	if (opts_has(o, "webhook-id"))
		r->id = opts_get(o, "webhook-id");
	if (opts_has(o, "webhook-timestamp"))
		r->timestamp = opts_get(o, "webhook-timestamp");
	r->now_s = ch_clock_wall(&clock).ms / 1000;
	if (rc == 0)
		rc = opts_int(o, "tolerance", 0, INT64_MAX, &r->tolerance_s, err);
	if (rc == 0 && opts_has(o, "now"))
		rc = opts_int(o, "now", 0, INT64_MAX, &r->now_s, err);
	return rc;
}

static int check(const struct opts *o, const struct sign_received *r, struct sign_check *ret,
		struct ch_err *err)
{
	const char *others[OTHERS_MAX];
	struct ch_secret secret;
	int count = opts_count(o, "other-secret");
	int rc = cli_secret(o, &secret, err);

	for (int i = 0; i < count; i++)
		others[i] = opts_at(o, "other-secret", i);
	if (rc == 0 && !secret.text)
		rc = ch_err_set(err, CH_EINVAL, "no secret: give --secret-file, --secret or CALLHOOK_SECRET");
	if (rc == 0)
		rc = sign_check(r, secret.text, others, (size_t)count, ret, err);
	ch_secret_fini(&secret);
	return rc;
}

static int print_verdict(const struct opts *o, const struct sign_check *c)
{
	bool valid = c->verdict == SIGN_VALID;

	if (opts_has(o, "json")) {
		json_t *json = json_pack("{s:b, s:s}", "valid", valid, "reason", c->words);

		if (json)
			json_dumpf(json, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(json);
	} else {
		printf("%s: %s\n", valid ? "valid" : "NOT valid", c->words);
	}
	return valid ? CLI_DONE : CLI_FAILED;
}

int cli_verify(int argc, char **argv)
{
	struct sign_received received = {0};
	struct sign_check verdict;
	struct ch_err err = {0};
	struct ch_buf body;
	struct ch_buf headers;
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "verify", "%s", err.text);
	ch_buf_init(&body, 16 * (size_t)CALL_MAX_BYTES_DEFAULT);
	ch_buf_init(&headers, HEADERS_MAX_BYTES);
	rc = cli_read_input(o.arg_count > 0 ? o.args[0] : NULL, &body, &err);
	received.body = ch_buf_text(&body);
	received.body_len = body.len;
	if (rc == 0)
		rc = collect(&o, &headers, &received, &err);
	if (rc == 0)
		rc = check(&o, &received, &verdict, &err);
	rc = rc == 0 ? print_verdict(&o, &verdict) : cli_fail(CLI_USAGE, "verify", "%s", err.text);
	ch_buf_fini(&headers);
	ch_buf_fini(&body);
	opts_fini(&o);
	return rc;
}
