#include "cli/follow.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/place.h"
#include "cli/post.h"
#include "cli/record.h"
#include "model/call_codec.h"

#define PATH_MAX_BYTES 1024
#define PAGE_CALLS "20"
#define WAIT_S "30"
#define ASK_TIMEOUT_S 60
#define POST_TIMEOUT_MS 15000
/* The local URL does not answer: pauses that double. */
#define AGAIN_FIRST_MS 1000
#define AGAIN_MOST_MS 30000
/* The server does not answer. */
#define SERVER_AGAIN_MS 10000

struct follow {
	const struct opts *o;
	struct remote *remote;
	struct ch_clock clock;
	struct url url;
	struct post post;
	struct place place;
	call_status_set statuses;
	int64_t count, seen; /* count 0: without end */
};

/* ---- what is said ---- */

static void print_text(const json_t *item, const char *id, const struct attempt *a)
{
	const json_t *call = json_object_get(item, "call");

	printf("%s  call %s version %" PRId64 " %s  ", remote_text(item, "time"), remote_text(item, "callId"),
			remote_number(item, "version"), call ? remote_text(call, "status") : "");
	if (!a)
		printf("was erased\n");
	else if (a->outcome == ATTEMPT_ANSWERED)
		printf("%s %d in %.1f ms  webhook-id %s\n",
				post_is_delivered(a) ? "delivered:" : "NOT delivered:", a->status,
				a->total_us / 1000.0, id);
	else
		printf("NOT delivered: %s%s%s\n", attempt_outcome_name(a->outcome), a->detail ? ", " : "",
				a->detail ? a->detail : "");
}

static void print_json(const json_t *item, const char *id, const struct attempt *a)
{
	json_t *line = json_pack("{s:s, s:I, s:b}", "callId", remote_text(item, "callId"), "version",
			(json_int_t)remote_number(item, "version"), "erased", a == NULL);

	if (line && a) {
		json_object_set_new(line, "webhookId", json_string(id));
		json_object_set_new(line, "delivered", json_boolean(post_is_delivered(a)));
		json_object_set_new(line, "outcome", json_string(attempt_outcome_name(a->outcome)));
		json_object_set_new(line, "status", a->status ? json_integer(a->status) : json_null());
	}
	if (line && a && a->detail)
		json_object_set_new(line, "detail", json_string(a->detail));
	remote_print(line);
	json_decref(line);
}

/* a NULL: the call was erased. */
static void say(const struct follow *f, const json_t *item, const char *id, const struct attempt *a)
{
	if (opts_has(f->o, "json"))
		print_json(item, id, a);
	else
		print_text(item, id, a);
	fflush(stdout);
}

/* ---- a call ---- */

static bool is_wanted(const struct follow *f, const json_t *call)
{
	const char *text = remote_text(call, "status");
	enum call_status status;

	return call_status_parse(text, strlen(text), &status) == 0 && (f->statuses & 1u << status) != 0;
}

/* The bytes that the service would send. What was parsed is written again: a record has one canonical form.
 */
static int body_of(const json_t *call, struct ch_bytes **ret, struct ch_err *err)
{
	char *text = json_dumps(call, JSON_COMPACT | JSON_REAL_PRECISION(17));
	struct call_facts facts;
	struct ch_buf body;
	int rc = CH_ENOMEM;

	ch_buf_init(&body, (size_t)4 * CALL_MAX_BYTES_DEFAULT);
	if (text)
		rc = record_canonical(text, strlen(text), &body, &facts, err);
	if (rc == 0) {
		*ret = ch_bytes_create(body.data, body.len);
		rc = *ret ? 0 : CH_ENOMEM;
	}
	if (rc == CH_ENOMEM)
		ch_err_set(err, rc, "out of memory");
	ch_buf_fini(&body);
	free(text);
	return rc;
}

/* Until it is delivered. CH_ECANCELED: a signal came before. */
static int deliver(struct follow *f, const json_t *item, struct ch_bytes *body, const char *id,
		struct ch_err *err)
{
	const struct post_message m = {.url = &f->url,
			.body = body,
			.id = id,
			.secret = &f->place.secret,
			.timeout_ms = POST_TIMEOUT_MS};
	int64_t again_ms = AGAIN_FIRST_MS;

	for (;;) {
		struct attempt a = {0};
		int rc = post_send(&f->post, &m, &a, err);

		if (rc != 0)
			return rc;
		bool is_delivered = post_is_delivered(&a);
		say(f, item, id, &a);
		attempt_fini(&a);
		if (is_delivered)
			return 0;
		if (!interrupt_wait(again_ms))
			return ch_err_set(err, CH_ECANCELED, "stopped");
		again_ms = again_ms * 2 < AGAIN_MOST_MS ? again_ms * 2 : AGAIN_MOST_MS;
	}
}

static int handle(struct follow *f, const json_t *item, const char *id, struct ch_err *err)
{
	const json_t *call = json_object_get(item, "call");
	struct ch_bytes *body = NULL;

	if (!json_is_object(call)) {
		say(f, item, NULL, NULL);
		return 0;
	}
	if (!is_wanted(f, call))
		return 0;
	int rc = body_of(call, &body, err);
	if (rc == 0)
		rc = deliver(f, item, body, id, err);
	f->seen += rc == 0;
	ch_bytes_unref(&body);
	return rc;
}

/* ---- a page ---- */

static void id_of(const json_t *item, char out[PLACE_ID_MAX + 1])
{
	snprintf(out, PLACE_ID_MAX + 1, "%.36s-%" PRId64, remote_text(item, "callId"),
			remote_number(item, "version"));
}

/* Behind which of the page's items it goes on: what came before the last one that was dealt with is done. */
static size_t first_of(const struct follow *f, const json_t *items)
{
	const json_t *item;
	char id[PLACE_ID_MAX + 1];
	size_t i;

	json_array_foreach(items, i, item)
	{
		id_of(item, id);
		if (strcmp(id, f->place.last) == 0)
			return i + 1;
	}
	return 0;
}

static bool is_enough(const struct follow *f)
{
	return f->count > 0 && f->seen >= f->count;
}

static int take_page(struct follow *f, const json_t *page, struct ch_err *err)
{
	const json_t *items = json_object_get(page, "content");
	int rc = 0;

	for (size_t i = first_of(f, items); rc == 0 && i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		char id[PLACE_ID_MAX + 1];

		if (interrupt_is_asked() || is_enough(f))
			return 0;
		id_of(item, id);
		rc = handle(f, item, id, err);
		if (rc != 0)
			return rc;
		snprintf(f->place.last, sizeof(f->place.last), "%s", id);
		rc = place_save(&f->place, err);
	}
	snprintf(f->place.cursor, sizeof(f->place.cursor), "%s", remote_text(page, "next"));
	f->place.last[0] = '\0';
	return rc == 0 ? place_save(&f->place, err) : rc;
}

static int ask_page(struct follow *f, json_t **ret, struct ch_err *err)
{
	bool is_new = !*f->place.cursor;
	struct ch_buf path;

	ch_buf_init(&path, PATH_MAX_BYTES);
	ch_buf_adds(&path, "/v1/calls/feed?size=" PAGE_CALLS);
	if (!is_new)
		remote_query(&path, "after", f->place.cursor);
	else if (strcmp(opts_get(f->o, "begin"), "now") == 0)
		remote_query(&path, "after", "end");
	remote_query(&path, "wait", is_new ? NULL : WAIT_S);
	int rc = remote_ask(f->remote,
			&(struct remote_ask){.method = "GET",
					.path = ch_buf_text(&path),
					.timeout_s = ASK_TIMEOUT_S},
			ret, err);
	ch_buf_fini(&path);
	if (rc != CH_EGONE && (rc != CH_ECONFLICT || !strstr(err->text, "\"after\"")))
		return rc;
	char words[200];
	snprintf(words, sizeof(words), "%.190s", err->text);
	return ch_err_set(err, rc, "%s (the place is in %s: remove it to begin anew)", words,
			opts_get(f->o, "place"));
}

static int loop(struct follow *f, struct ch_err *err)
{
	int rc = 0;

	while (rc == 0 && !interrupt_is_asked() && !is_enough(f)) {
		json_t *page = NULL;

		rc = ask_page(f, &page, err);
		if (rc == 0)
			rc = take_page(f, page, err);
		json_decref(page);
		if (rc != CH_EIO && rc != CH_EAGAIN)
			continue;
		fprintf(stderr, "callhook listen: %s; trying again\n", err->text);
		rc = interrupt_wait(SERVER_AGAIN_MS) ? 0 : CH_ECANCELED;
	}
	return rc == CH_ECANCELED ? 0 : rc;
}

/* ---- from options to end ---- */

static int take_statuses(struct follow *f, struct ch_err *err)
{
	f->statuses = opts_count(f->o, "statuses") > 0 ? 0 : 1u << CALL_COMPLETED | 1u << CALL_FAILED;
	for (int i = 0; i < opts_count(f->o, "statuses"); i++) {
		const char *text = opts_at(f->o, "statuses", i);
		enum call_status status;

		if (call_status_parse(text, strlen(text), &status) != 0 || !call_status_is_final(status))
			return ch_err_set(err, CH_EINVAL, "%s: \"%s\" is no status of a finished call",
					opts_origin(f->o, "statuses", i), text);
		f->statuses |= (call_status_set)(1u << status);
	}
	return 0;
}

static int take_options(struct follow *f, struct ch_err *err)
{
	const struct url_rules rules = {.allow_http = true};
	const char *url = opts_get(f->o, "forward"), *begin = opts_get(f->o, "begin");
	int rc = url_parse(url, strlen(url), &rules, &f->url, err);

	if (rc == 0 && strcmp(begin, "now") != 0 && strcmp(begin, "oldest") != 0)
		rc = ch_err_set(err, CH_EINVAL, "%s: \"%s\" is neither now nor oldest",
				opts_origin(f->o, "begin", 0), begin);
	if (rc == 0 && opts_has(f->o, "save"))
		rc = ch_err_set(err, CH_EINVAL, "--save is for receiving, without --server");
	if (rc == 0)
		rc = take_statuses(f, err);
	if (rc == 0)
		rc = opts_int(f->o, "count", 0, INT64_MAX, &f->count, err);
	return rc;
}

static int prepare(struct follow *f, struct ch_err *err)
{
	struct ch_secret given;
	int rc = take_options(f, err);

	if (rc == 0)
		rc = cli_secret(f->o, &given, err);
	if (rc != 0)
		return rc;
	rc = place_load(opts_get(f->o, "place"), &given, &f->place, err);
	ch_secret_fini(&given);
	if (rc == 0)
		rc = post_open(&f->post, NULL, f->clock, err);
	return rc;
}

int follow_run(const struct opts *o, struct ch_err *err)
{
	struct remote remote;
	struct follow f = {.o = o, .remote = &remote, .clock = ch_clock_system()};
	int rc;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = remote_init_account(o, &remote, err);
	if (rc == 0)
		rc = prepare(&f, err);
	if (rc == 0) {
		interrupt_catch();
		remote.is_patient = true;
		fprintf(stderr, "following %s, forwarding to %s, signed with the secret in %s\n",
				remote.server, opts_get(o, "forward"), f.place.path);
		rc = loop(&f, err);
	}
	post_close(&f.post);
	place_fini(&f.place);
	url_fini(&f.url);
	remote_fini(&remote);
	curl_global_cleanup();
	return rc;
}
