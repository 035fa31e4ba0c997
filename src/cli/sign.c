#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/record.h"
#include "model/call_codec.h"
#include "policy/sign.h"

static const struct opt_spec specs[] = {
		{.name = "secret",
				.arg = "TEXT",
				.help = "the secret (better: CALLHOOK_SECRET or --secret-file)"},
		{.name = "secret-file", .arg = "FILE", .help = "a file whose first line is the secret"},
		{.name = "id",
				.arg = "ID",
				.fallback = "msg_example",
				.help = "the webhook-id that is signed along"},
		{.name = "timestamp",
				.arg = "SECONDS",
				.help = "Unix seconds that are signed along; now when absent"},
		{.name = "canonical", .help = "the input is a call record: sign its canonical body"},
		{.name = "json", .help = "as one JSON object"},
		{0},
};

static const struct opts_page page = {
		.command = "sign",
		.usage = "[options] [FILE]",
		.about = "Prints the signature headers that callhook would send with a body (a file, or "
			 "standard input).",
		.example = "  callhook sign --secret-file secret.txt --id msg_1 --timestamp 1722350700 "
			   "body.json",
		.specs = specs,
		.args_max = 1,
};

static int timestamp_of(const struct opts *o, int64_t *ret, struct ch_err *err)
{
	struct ch_clock clock = ch_clock_system();

	if (opts_has(o, "timestamp"))
		return opts_int(o, "timestamp", 0, INT64_MAX, ret, err);
	*ret = ch_clock_wall(&clock).ms / 1000;
	return 0;
}

static void print_headers(const struct opts *o, int64_t timestamp_s, const char *hex, const char *standard)
{
	if (!opts_has(o, "json")) {
		printf("webhook-id: %s\nwebhook-timestamp: %" PRId64
		       "\nX-Webhook-Signature: %s\nwebhook-signature: %s\n",
				opts_get(o, "id"), timestamp_s, hex, standard);
		return;
	}
	json_t *json = json_pack("{s:s, s:I, s:s, s:s}", "webhook-id", opts_get(o, "id"), "webhook-timestamp",
			(json_int_t)timestamp_s, "X-Webhook-Signature", hex, "webhook-signature", standard);

	if (json)
		json_dumpf(json, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(json);
}

static int sign_and_print(const struct opts *o, const struct ch_buf *body, struct ch_err *err)
{
	char hex[SIGN_HEX_LEN + 1];
	char standard[SIGN_STD_LEN + 1];
	struct ch_secret secret;
	struct sign_key key;
	int64_t timestamp_s;
	int rc = cli_secret(o, &secret, err);

	if (rc == 0 && !secret.text)
		rc = ch_err_set(err, CH_EINVAL, "no secret: give --secret-file, --secret or CALLHOOK_SECRET");
	if (rc == 0)
		rc = sign_secret_check(secret.text, secret.len, err);
	if (rc == 0)
		rc = cli_check_id(opts_get(o, "id"), err);
	if (rc == 0)
		rc = timestamp_of(o, &timestamp_s, err);
	if (rc == 0)
		rc = sign_key_init(&key, secret.text, secret.len, err);
	if (rc == 0) {
		sign_body_hex(&key, ch_buf_text(body), body->len, hex);
		sign_body_standard(
				&key, opts_get(o, "id"), timestamp_s, ch_buf_text(body), body->len, standard);
		print_headers(o, timestamp_s, hex, standard);
		sign_key_fini(&key);
	}
	ch_secret_fini(&secret);
	return rc;
}

int cli_sign(int argc, char **argv)
{
	struct ch_err err = {0};
	struct ch_buf input;
	struct ch_buf canonical;
	struct call_facts facts;
	struct opts o;
	bool is_usage = false;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "sign", "%s", err.text);
	ch_buf_init(&input, CALL_MAX_BYTES_DEFAULT);
	ch_buf_init(&canonical, CALL_MAX_BYTES_DEFAULT);
	rc = cli_read_input(o.arg_count > 0 ? o.args[0] : NULL, &input, &err);
	if (rc == 0 && opts_has(&o, "canonical"))
		rc = record_canonical(ch_buf_text(&input), input.len, &canonical, &facts, &err);
	if (rc == 0) {
		rc = sign_and_print(&o, opts_has(&o, "canonical") ? &canonical : &input, &err);
		is_usage = rc == CH_EINVAL;
	}
	ch_buf_fini(&canonical);
	ch_buf_fini(&input);
	opts_fini(&o);
	return rc == 0 ? CLI_DONE : cli_fail(is_usage ? CLI_USAGE : CLI_FAILED, "sign", "%s", err.text);
}
