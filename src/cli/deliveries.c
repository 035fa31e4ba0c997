#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/remote.h"
#include "model/id.h"

#define PATH_MAX_BYTES 4096
#define PAGE_MOST 100
#define PLACE_MAX 100
#define EVENT_MAX_BYTES ((size_t)64 * 1024)
/* The server ends a stream after a while, and may be gone for a moment. */
#define AGAIN_MS 1000

static const struct opt_spec specs[] = {
		REMOTE_SERVER_OPT,
		REMOTE_ACCOUNT_OPTS,
		{.name = "webhook", .arg = "ID", .help = "only this webhook's"},
		{.name = "call", .arg = "ID", .help = "only this call's"},
		{.name = "state",
				.arg = "STATE",
				.help = "only PENDING, DELIVERING, DELIVERED, FAILED, PARKED or CANCELED"},
		{.name = "from", .arg = "TIME", .help = "made at or after it: a date, or RFC 3339"},
		{.name = "to", .arg = "TIME", .help = "made at or before it"},
		{.name = "limit", .arg = "N", .fallback = "20", .help = "how many, newest first; 0: all"},
		{.name = "follow", .help = "attempts as they happen, until Ctrl-C"},
		{.name = "count",
				.arg = "N",
				.fallback = "0",
				.help = "follow: end after N attempts; 0: never"},
		{.name = "json", .help = "as JSON objects, one a line"},
		{0},
};

static const struct opts_page page = {
		.command = "deliveries",
		.usage = "[options] [DELIVERY]",
		.about = "Lists a server's deliveries, shows one with its attempts, or follows the attempts "
			 "as "
			 "they happen.",
		.example = "  callhook deliveries --state FAILED --from 2024-07-30\n"
			   "  callhook deliveries 0190c3ce-3a1e-7c44-9b50-0a8dd25736b1\n"
			   "  callhook deliveries --follow --webhook 0190c3ce-3a1e-7c44-9b50-0a8dd25736b1",
		.specs = specs,
		.args_max = 1,
};

/* ---- a list ---- */

static void print_row(const struct opts *o, const json_t *row)
{
	const char *words = remote_text(row, "reason");

	if (opts_has(o, "json")) {
		remote_print(row);
		return;
	}
	if (!*words)
		words = remote_text(row, "waitsFor");
	printf("%s  %s  %-10s  call %s  attempts %lld%s%s\n", remote_text(row, "id"),
			remote_text(row, "created"), remote_text(row, "state"), remote_text(row, "callId"),
			(long long)remote_number(row, "attemptCount"), *words ? "  " : "", words);
}

static int ask_page(const struct opts *o, struct remote *r, int64_t size, const char *after, json_t **ret,
		struct ch_err *err)
{
	struct ch_buf path;
	char number[24];
	int rc;

	snprintf(number, sizeof(number), "%lld", (long long)size);
	ch_buf_init(&path, PATH_MAX_BYTES);
	ch_buf_adds(&path, "/v1/deliveries");
	remote_query(&path, "size", number);
	remote_query(&path, "webhookId", opts_get(o, "webhook"));
	remote_query(&path, "callId", opts_get(o, "call"));
	remote_query(&path, "state", opts_get(o, "state"));
	remote_query(&path, "from", opts_get(o, "from"));
	remote_query(&path, "to", opts_get(o, "to"));
	remote_query(&path, "after", after);
	rc = path.err ? ch_err_set(err, CH_EINVAL, "the options are too long")
		      : remote_ask(r, &(struct remote_ask){.method = "GET", .path = path.data}, ret, err);
	ch_buf_fini(&path);
	return rc;
}

static int list(const struct opts *o, struct remote *r, struct ch_err *err)
{
	char after[PLACE_MAX + 1] = "";
	int64_t limit = 0, left;
	int rc = opts_int(o, "limit", 0, INT64_MAX, &limit, err);
	bool has_more = true;

	r->is_patient = true;
	left = limit == 0 ? INT64_MAX : limit;
	while (rc == 0 && has_more && left > 0) {
		json_t *json = NULL;
		const json_t *row;
		size_t i;

		rc = ask_page(o, r, left < PAGE_MOST ? left : PAGE_MOST, *after ? after : NULL, &json, err);
		json_array_foreach(json_object_get(json, "content"), i, row) print_row(o, row);
		left -= (int64_t)json_array_size(json_object_get(json, "content"));
		has_more = json_is_string(json_object_get(json, "next"));
		snprintf(after, sizeof(after), "%s", remote_text(json, "next"));
		json_decref(json);
	}
	return rc;
}

/* ---- one ---- */

static void print_attempt(const json_t *a)
{
	const json_t *timings = json_object_get(a, "timings");
	const char *detail = remote_text(a, "detail"), *answer = remote_text(a, "answer");
	long long status = (long long)remote_number(a, "status");

	printf("  %s  %s", remote_text(a, "time"), remote_text(a, "outcome"));
	if (status)
		printf(" %lld", status);
	printf("  %.1f ms", json_number_value(json_object_get(timings, "total")));
	if (*remote_text(a, "address"))
		printf("  %s", remote_text(a, "address"));
	printf("%s%s\n", *detail ? "  " : "", detail);
	if (*answer)
		printf("    %s\n", answer);
}

static int show_one(const struct opts *o, struct remote *r, struct ch_err *err)
{
	json_t *json = NULL;
	const json_t *a;
	char path[80];
	struct id id;
	size_t i;

	if (id_parse(o->args[0], strlen(o->args[0]), &id) != 0)
		return ch_err_set(err, CH_EINVAL, "\"%s\" is no id of a delivery", o->args[0]);
	snprintf(path, sizeof(path), "/v1/deliveries/%s", o->args[0]);
	int rc = remote_ask(r, &(struct remote_ask){.method = "GET", .path = path}, &json, err);
	if (rc != 0)
		return rc;
	print_row(o, json);
	if (!opts_has(o, "json")) {
		json_array_foreach(json_object_get(json, "attempts"), i, a) print_attempt(a);
	}
	json_decref(json);
	return 0;
}

/* ---- following ---- */

struct follow {
	const struct opts *o;
	struct ch_buf line; /* that has not ended yet */
	char place[PLACE_MAX + 1]; /* "": none yet */
	int64_t count, seen;
};

static void print_event(struct follow *f, const char *text)
{
	json_t *e = json_loads(text, 0, NULL);

	f->seen++;
	if (opts_has(f->o, "json")) {
		remote_print(e);
	} else {
		long long status = (long long)remote_number(e, "status");
		char code[24] = "";

		if (status)
			snprintf(code, sizeof(code), " %lld", status);
		printf("%s  %s%s  %.1f ms  %s  call %s  delivery %s\n", remote_text(e, "time"),
				remote_text(e, "outcome"), code,
				json_number_value(json_object_get(e, "totalMs")), remote_text(e, "state"),
				remote_text(e, "callId"), remote_text(e, "deliveryId"));
		fflush(stdout);
	}
	json_decref(e);
}

static bool is_enough(const struct follow *f)
{
	return f->count > 0 && f->seen >= f->count;
}

/* A line of the stream: what counts is "id: " and "data: ". */
static void take_line(struct follow *f, const char *line)
{
	if (strncmp(line, "id: ", 4) == 0)
		snprintf(f->place, sizeof(f->place), "%s", line + 4);
	else if (strncmp(line, "data: ", 6) == 0 && !is_enough(f))
		print_event(f, line + 6);
}

static void take(void *ctx, const char *data, size_t len)
{
	struct follow *f = ctx;

	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n') {
			ch_buf_addc(&f->line, data[i]);
			continue;
		}
		take_line(f, ch_buf_text(&f->line));
		ch_buf_clear(&f->line);
	}
	if (is_enough(f))
		interrupt_ask();
}

static int follow(const struct opts *o, struct remote *r, struct ch_err *err)
{
	struct follow f = {.o = o};
	struct ch_buf path;
	int rc = opts_int(o, "count", 0, INT64_MAX, &f.count, err);

	if (rc != 0)
		return rc;
	interrupt_catch();
	r->is_patient = true;
	ch_buf_init(&path, PATH_MAX_BYTES);
	ch_buf_adds(&path, "/v1/deliveries/stream");
	remote_query(&path, "webhookId", opts_get(o, "webhook"));
	do {
		ch_buf_init(&f.line, EVENT_MAX_BYTES);
		rc = remote_follow(r,
				&(struct remote_ask){.method = "GET",
						.path = ch_buf_text(&path),
						.last_event_id = *f.place ? f.place : NULL},
				take, &f, err);
		ch_buf_fini(&f.line);
		if (rc == CH_EIO && *f.place && !interrupt_is_asked())
			rc = 0;
	} while (rc == 0 && interrupt_wait(AGAIN_MS));
	ch_buf_fini(&path);
	return rc == CH_ECANCELED ? 0 : rc;
}

static int run(const struct opts *o, struct remote *r, struct ch_err *err)
{
	if (o->arg_count > 0 && opts_has(o, "follow"))
		return ch_err_set(err, CH_EINVAL, "--follow takes no delivery");
	if (opts_has(o, "follow"))
		return follow(o, r, err);
	return o->arg_count > 0 ? show_one(o, r, err) : list(o, r, err);
}

int cli_deliveries(int argc, char **argv)
{
	return remote_command(&page, argc, argv, run);
}
