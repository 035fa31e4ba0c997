#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/remote.h"
#include "model/account.h"
#include "policy/backlog.h"

static const struct opt_spec specs[] = {
		REMOTE_OPTS,
		{.name = "account", .arg = "ID", .help = "only this account's (default: everybody's)"},
		{.name = "all", .help = "also webhooks for which nothing waits"},
		{.name = "json", .help = "as JSON objects, one a line"},
		{0},
};

static const struct opts_page page = {
		.command = "qshape",
		.usage = "[options]",
		.about = "Shows what waits to be delivered: a line for each endpoint, the largest backlog "
			 "first,\n"
			 "and how many deliveries of it are how old. A column counts those younger than its\n"
			 "minutes and not younger than the column before. A backlog that stands on the left "
			 "is\n"
			 "new and moving; one on the right belongs to an endpoint that has been failing "
			 "long.",
		.example = "  callhook qshape\n"
			   "  callhook qshape --account blue --json",
		.specs = specs,
		.args_max = 0,
};

#define NAME_WIDTH 36
#define STATE_WIDTH 9
#define COLUMN_WIDTH 6

struct line {
	char *account; /* owned, as the other two */
	char *webhook;
	char *name; /* the webhook's, or its URL */
	char state[STATE_WIDTH + 1];
	json_t *stats; /* the webhook's */
	long long total;
	long long counts[BACKLOG_AGES];
};

struct shape {
	const struct opts *o;
	struct remote remote;
	struct line *lines;
	size_t count;
};

static int get(struct shape *s, const char *path, const char *account, json_t **ret, struct ch_err *err)
{
	return remote_ask(&s->remote, &(struct remote_ask){.method = "GET", .path = path, .account = account},
			ret, err);
}

/* ---- what the server says ---- */

static int read_counts(const json_t *stats, struct line *l)
{
	const json_t *backlog = json_object_get(stats, "backlog"), *column;
	size_t i;

	if (json_array_size(backlog) != BACKLOG_AGES)
		return CH_EIO;
	json_array_foreach(backlog, i, column)
	{
		const json_t *under = json_object_get(column, "under");

		if (backlog_bound_s(i) != (json_is_null(under) ? -1 : json_integer_value(under)))
			return CH_EIO;
		l->counts[i] = json_integer_value(json_object_get(column, "count"));
		l->total += l->counts[i];
	}
	return 0;
}

/* The webhook of that id; NULL: it was deleted between the two questions. */
static const json_t *find_webhook(const json_t *webhooks, const char *id)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(webhooks, "content"), i, row)
	{
		if (strcmp(remote_text(row, "id"), id) == 0)
			return row;
	}
	return NULL;
}

static int add_line(struct shape *s, const char *account, json_t *stats, const json_t *webhook,
		struct ch_err *err)
{
	struct line l = {.stats = json_incref(stats)}, *more;
	const char *name = remote_text(webhook, "name");

	if (read_counts(stats, &l) != 0) {
		json_decref(l.stats);
		return ch_err_set(err, CH_EIO, "the server counts by other ages: it has another version");
	}
	if (l.total == 0 && !opts_has(s->o, "all")) {
		json_decref(l.stats);
		return 0;
	}
	snprintf(l.state, sizeof(l.state), "%s", remote_text(stats, "state"));
	l.account = ch_strdup(account);
	l.webhook = ch_strdup(remote_text(stats, "webhookId"));
	l.name = ch_strdup(*name ? name : remote_text(webhook, "url"));
	more = ch_realloc(s->lines, (s->count + 1) * sizeof(*more));
	if (more)
		s->lines = more;
	if (more && l.account && l.webhook && l.name) {
		s->lines[s->count++] = l;
		return 0;
	}
	ch_free(l.account);
	ch_free(l.webhook);
	ch_free(l.name);
	json_decref(l.stats);
	return ch_err_set(err, CH_ENOMEM, "out of memory");
}

static int ask_account(struct shape *s, const char *account, struct ch_err *err)
{
	json_t *webhooks = NULL, *stats = NULL, *row;
	size_t i;
	int rc = get(s, "/v1/webhooks", account, &webhooks, err);

	if (rc == 0 && json_array_size(json_object_get(webhooks, "content")) > 0)
		rc = get(s, "/v1/stats?step=86400", account, &stats, err);
	json_array_foreach(json_object_get(stats, "webhooks"), i, row)
	{
		const json_t *webhook = find_webhook(webhooks, remote_text(row, "webhookId"));

		if (rc == 0 && webhook)
			rc = add_line(s, account, row, webhook, err);
	}
	json_decref(webhooks);
	json_decref(stats);
	return rc;
}

static int ask_everybody(struct shape *s, struct ch_err *err)
{
	char path[300] = "/v1/accounts?size=100";
	bool has_more = true;
	int rc = 0;

	while (rc == 0 && has_more) {
		json_t *accounts = NULL, *row;
		size_t i;

		rc = get(s, path, NULL, &accounts, err);
		json_array_foreach(json_object_get(accounts, "content"), i, row)
		{
			if (rc == 0)
				rc = ask_account(s, remote_text(row, "id"), err);
		}
		has_more = json_is_string(json_object_get(accounts, "next"));
		if (has_more)
			snprintf(path, sizeof(path), "/v1/accounts?size=100&after=%s",
					remote_text(accounts, "next"));
		json_decref(accounts);
	}
	return rc;
}

/* ---- what is shown ---- */

static int compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void print_json(const struct line *l)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:O, s:O}", "account", l->account, "webhookId",
			l->webhook, "name", l->name, "state", l->state, "total", (json_int_t)l->total,
			"oldestPending", json_object_get(l->stats, "oldestPending"), "backlog",
			json_object_get(l->stats, "backlog"));

	if (json)
		json_dumpf(json, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(json);
}

/* As many characters as fit; what would move a terminal's cursor is a question mark. */
static void print_name(const char *name)
{
	size_t width = 0;

	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;
		bool is_start = (c & 0xc0) != 0x80;

		if (is_start && width++ == NAME_WIDTH)
			break;
		printf("%c", c < 0x20 || c == 0x7f || (c == 0xc2 && (p[1] & 0xe0) == 0x80) ? '?' : c);
	}
	printf("%*s  ", (int)(width < NAME_WIDTH ? NAME_WIDTH - width : 0), "");
}

static void print_counts(const char *name, const char *state, long long total, const long long *counts)
{
	print_name(name);
	printf("%-*s %*lld", STATE_WIDTH, state, COLUMN_WIDTH + 1, total);
	for (size_t i = 0; i < BACKLOG_AGES; i++)
		printf(" %*lld", COLUMN_WIDTH, counts[i]);
	printf("\n");
}

static void print_head(void)
{
	char last[24];

	printf("%-*s  %-*s %*s", NAME_WIDTH, "younger than ... minutes", STATE_WIDTH, "", COLUMN_WIDTH + 1,
			"T");
	for (size_t i = 0; i + 1 < BACKLOG_AGES; i++)
		printf(" %*lld", COLUMN_WIDTH, (long long)backlog_bound_s(i) / 60);
	snprintf(last, sizeof(last), "%lld+", (long long)backlog_bound_s(BACKLOG_AGES - 2) / 60);
	printf(" %*s\n", COLUMN_WIDTH, last);
}

static void print_table(const struct shape *s)
{
	long long total = 0, counts[BACKLOG_AGES] = {0};

	for (size_t i = 0; i < s->count; i++) {
		total += s->lines[i].total;
		for (size_t j = 0; j < BACKLOG_AGES; j++)
			counts[j] += s->lines[i].counts[j];
	}
	print_head();
	print_counts("TOTAL", "", total, counts);
	for (size_t i = 0; i < s->count; i++)
		print_counts(s->lines[i].name, s->lines[i].state, s->lines[i].total, s->lines[i].counts);
}

static void print_shape(struct shape *s)
{
	if (s->count > 0)
		qsort(s->lines, s->count, sizeof(*s->lines), compare);
	if (!opts_has(s->o, "json"))
		print_table(s);
	else
		for (size_t i = 0; i < s->count; i++)
			print_json(&s->lines[i]);
}

static void shape_fini(struct shape *s)
{
	for (size_t i = 0; i < s->count; i++) {
		ch_free(s->lines[i].account);
		ch_free(s->lines[i].webhook);
		ch_free(s->lines[i].name);
		json_decref(s->lines[i].stats);
	}
	ch_free(s->lines);
	remote_fini(&s->remote);
}

static int run(struct shape *s, struct ch_err *err)
{
	const char *account = opts_get(s->o, "account");
	int rc;

	if (account && account_id_check(account, strlen(account)) != 0)
		return ch_err_set(err, CH_EINVAL,
				"\"%s\" is no account's id: 1 to %d letters, digits, -, _ and .", account,
				ACCOUNT_ID_MAX);
	rc = remote_init(s->o, &s->remote, err);
	if (rc == 0)
		rc = account ? ask_account(s, account, err) : ask_everybody(s, err);
	if (rc == 0)
		print_shape(s);
	return rc;
}

int cli_qshape(int argc, char **argv)
{
	struct shape s = {0};
	struct ch_err err = {0};
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "qshape", "%s", err.text);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	s.o = &o;
	rc = run(&s, &err);
	shape_fini(&s);
	opts_fini(&o);
	curl_global_cleanup();
	return rc == 0 ? CLI_DONE
		       : cli_fail(rc == CH_EINVAL ? CLI_USAGE : CLI_FAILED, "qshape", "%s", err.text);
}
