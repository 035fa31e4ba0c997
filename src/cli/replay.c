#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "model/id.h"

/* Often at first, for those that end at once. */
#define LOOK_FIRST_MS 100
#define LOOK_MOST_MS 1000

static const struct opt_spec specs[] = {
		REMOTE_SERVER_OPT,
		REMOTE_ACCOUNT_OPTS,
		{.name = "from", .arg = "TIME", .help = "calls that became final at or after it, RFC 3339"},
		{.name = "to", .arg = "TIME", .help = "and before it; absent: now"},
		{.name = "call-status",
				.arg = "STATUS",
				.help = "only such calls; absent: those the webhook asks for",
				.repeats = true},
		{.name = "state",
				.arg = "STATE",
				.help = "only deliveries that are FAILED, PARKED or DELIVERED [FAILED, "
					"PARKED]",
				.repeats = true},
		{.name = "missing", .help = "also make deliveries for calls that had none"},
		{.name = "rate", .arg = "N", .help = "deliveries a second, at most"},
		{.name = "detach", .help = "do not wait for its end"},
		{.name = "cancel", .help = "cancel the replay whose id is given; what was opened stays"},
		{.name = "quiet", .help = "no progress"},
		{.name = "json", .help = "the replay as a JSON object"},
		{0},
};

static const struct opts_page page = {
		.command = "replay",
		.usage = "WEBHOOK --from TIME [options] | REPLAY [--cancel]",
		.about = "Sends a stretch of time to a webhook again, and shows how far it has come. Ctrl-C "
			 "ends "
			 "the watching\n"
			 "only: the replay is the server's, and survives its crash. With a replay's id it "
			 "watches that one.\n"
			 "Exits 1 when the replay did not come to its end.",
		.example = "  callhook replay 0190c3ce-3a1e-7c44-9b50-0a8dd25736b1 --from "
			   "2024-07-30T00:00:00Z "
			   "--state FAILED\n"
			   "  callhook replay 0190c3d0-5d1f-7e08-8a54-77f1c03d2a90 --cancel",
		.specs = specs,
		.args_max = 1,
};

/* ---- what is asked for ---- */

static json_t *list_of(const struct opts *o, const char *name)
{
	json_t *list = opts_count(o, name) > 0 ? json_array() : NULL;

	for (int i = 0; i < opts_count(o, name); i++)
		json_array_append_new(list, json_string(opts_at(o, name, i)));
	return list;
}

static int read_rate(const struct opts *o, json_t **ret, struct ch_err *err)
{
	int64_t rate = 0;
	int rc = 0;

	if (opts_has(o, "rate"))
		rc = opts_int(o, "rate", 1, 10000, &rate, err);
	if (rc == 0 && rate > 0)
		*ret = json_integer(rate);
	return rc;
}

static int create(const struct opts *o, struct remote *r, json_t **ret, struct ch_err *err)
{
	json_t *rate = NULL;
	char path[80];
	int rc = read_rate(o, &rate, err);

	if (rc != 0)
		return rc;
	json_t *body = json_pack("{s:s, s:s*, s:o*, s:o*, s:b, s:o*}", "from", opts_get(o, "from"), "to",
			opts_get(o, "to"), "callStatuses", list_of(o, "call-status"), "states",
			list_of(o, "state"), "missing", (int)opts_has(o, "missing"), "rate", rate);
	if (!body)
		return ch_err_set(err, CH_EINVAL, "an option is not UTF-8");
	snprintf(path, sizeof(path), "/v1/webhooks/%s/replay", o->args[0]);
	rc = remote_ask(r, &(struct remote_ask){.method = "POST", .path = path, .body = body}, ret, err);
	json_decref(body);
	return rc;
}

/* ---- watching it ---- */

static void show(struct progress *p, const json_t *replay, bool is_end)
{
	char words[200];

	snprintf(words, sizeof(words),
			"%" PRId64 " looked at, %" PRId64 " sent again, %" PRId64 " made, %" PRId64
			" passed over",
			remote_number(replay, "examined"), remote_number(replay, "resent"),
			remote_number(replay, "made"), remote_number(replay, "skipped"));
	if (is_end)
		progress_last(p, remote_number(replay, "examined"), remote_number(replay, "total"), words);
	else
		progress_show(p, remote_number(replay, "examined"), remote_number(replay, "total"), words);
}

static bool is_running(const json_t *replay)
{
	return strcmp(remote_text(replay, "state"), "RUNNING") == 0;
}

static int ask_for(struct remote *r, const char *method, const char *id, json_t **ret, struct ch_err *err)
{
	char path[80];

	snprintf(path, sizeof(path), "/v1/replays/%s", id);
	return remote_ask(r, &(struct remote_ask){.method = method, .path = path}, ret, err);
}

/* Until it has ended or a signal asks to stop; *replay is the latest. */
static int watch(const struct opts *o, struct remote *r, json_t **replay, struct ch_err *err)
{
	int64_t look_ms = LOOK_FIRST_MS;
	struct progress p;
	int rc = 0;

	progress_begin(&p, "replay", ch_clock_system());
	p.is_quiet = opts_has(o, "quiet");
	interrupt_catch();
	r->is_patient = true;
	while (rc == 0 && is_running(*replay) && interrupt_wait(look_ms)) {
		json_t *now = NULL;

		look_ms = look_ms * 2 < LOOK_MOST_MS ? look_ms * 2 : LOOK_MOST_MS;
		show(&p, *replay, false);
		rc = ask_for(r, "GET", remote_text(*replay, "id"), &now, err);
		if (rc != 0)
			break;
		json_decref(*replay);
		*replay = now;
	}
	if (rc == 0)
		show(&p, *replay, true);
	return rc == CH_ECANCELED ? 0 : rc;
}

static void print(const struct opts *o, const json_t *replay)
{
	const char *reason = remote_text(replay, "reason");

	if (opts_has(o, "json"))
		remote_print(replay);
	else
		printf("Replay %s is %s%s%s.\n", remote_text(replay, "id"), remote_text(replay, "state"),
				*reason ? ": " : "", reason);
}

static int check(const struct opts *o, struct ch_err *err)
{
	struct id id;

	if (o->arg_count == 0)
		return ch_err_set(err, CH_EINVAL, "usage: callhook replay %s", page.usage);
	if (id_parse(o->args[0], strlen(o->args[0]), &id) != 0)
		return ch_err_set(err, CH_EINVAL, "\"%s\" is no id of a webhook or replay", o->args[0]);
	if (opts_has(o, "cancel") && opts_has(o, "from"))
		return ch_err_set(err, CH_EINVAL, "--cancel takes a replay's id and nothing else");
	return 0;
}

static int run(const struct opts *o, struct remote *r, struct ch_err *err)
{
	bool is_new = opts_has(o, "from"), is_cancel = opts_has(o, "cancel");
	json_t *replay = NULL;
	int rc = check(o, err);

	if (rc == 0 && is_new)
		rc = create(o, r, &replay, err);
	else if (rc == 0)
		rc = ask_for(r, is_cancel ? "DELETE" : "GET", o->args[0], &replay, err);
	if (rc == 0 && !replay)
		rc = ask_for(r, "GET", o->args[0], &replay, err);
	if (rc == 0 && !is_cancel && !opts_has(o, "detach"))
		rc = watch(o, r, &replay, err);
	if (rc == 0) {
		print(o, replay);
		if (!is_cancel && !is_running(replay) && strcmp(remote_text(replay, "state"), "DONE") != 0)
			rc = CH_ECONFLICT;
	}
	json_decref(replay);
	return rc;
}

int cli_replay(int argc, char **argv)
{
	return remote_command(&page, argc, argv, run);
}
