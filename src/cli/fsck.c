#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "store/store_check.h"

static const struct opt_spec specs[] = {
		{.name = "store",
				.arg = "URL",
				.fallback = "sqlite:callhook.db",
				.help = "sqlite:PATH, the same as serve's"},
		{.name = "json", .help = "as JSON objects, one a line; the last one is the sum"},
		{0},
};

static const struct opts_page page = {
		.command = "fsck",
		.usage = "[--store URL] [--json]",
		.about = "Proves from a store that nothing in it was lost: that the ledger of every account "
			 "adds up,\n"
			 "accepted = pending + delivered + failed + parked + canceled, counted from the "
			 "rows;\n"
			 "that every delivery has its call, its webhook and its attempts; that every record "
			 "is "
			 "whole.\n"
			 "It only reads, and may run beside a server.\n"
			 "Exits 0 when all is well, 1 when something is damaged (one line each) or the store "
			 "can't be\n"
			 "checked, 2 on wrong usage.",
		.example = "  callhook fsck --store sqlite:/var/lib/callhook/callhook.db",
		.specs = specs,
};

/* ---- words for people ---- */

static void tell_finding(void *ctx, const char *where, const char *what)
{
	printf("DAMAGED %s: %s\n", where, what);
}

static void tell_note(void *ctx, const char *where, const char *what)
{
	printf("note: %s: %s\n", where, what);
}

static void tell_ledger(const char *whose, const char *id, const struct ledger *l)
{
	printf("%s%s: accepted %lld = pending %lld + delivered %lld + failed %lld + parked %lld + canceled "
	       "%lld\n",
			whose, id, (long long)l->accepted, (long long)l->pending, (long long)l->delivered,
			(long long)l->failed, (long long)l->parked, (long long)l->canceled);
}

static void tell_account(void *ctx, const char *id, const struct ledger *counts)
{
	tell_ledger("account ", id, counts);
}

static void tell_totals(const struct store_check_totals *t)
{
	tell_ledger("all accounts", "", &t->ledger);
	printf("looked at %lld accounts, %lld webhooks, %lld versions of calls, %lld deliveries, %lld "
	       "attempts: ",
			(long long)t->accounts, (long long)t->webhooks, (long long)t->versions,
			(long long)t->deliveries, (long long)t->attempts);
	if (t->findings == 0)
		printf("all well\n");
	else
		printf("DAMAGED, %lld findings\n", (long long)t->findings);
}

/* ---- JSON for programs ---- */

/* Takes object. What could not be printed is remembered: a missing line must not look like good news. */
static void print_json(bool *is_lost, json_t *object)
{
	if (object == NULL || json_dumpf(object, stdout, JSON_COMPACT) != 0)
		*is_lost = true;
	else
		putchar('\n');
	json_decref(object);
}

static void json_line(bool *is_lost, const char *kind, const char *where, const char *what)
{
	print_json(is_lost, json_pack("{s:{s:s,s:s}}", kind, "where", where, "what", what));
}

static void json_finding(void *ctx, const char *where, const char *what)
{
	json_line(ctx, "finding", where, what);
}

static void json_note(void *ctx, const char *where, const char *what)
{
	json_line(ctx, "note", where, what);
}

static json_t *json_ledger(const struct ledger *l)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "accepted", (json_int_t)l->accepted, "pending",
			(json_int_t)l->pending, "delivered", (json_int_t)l->delivered, "failed",
			(json_int_t)l->failed, "parked", (json_int_t)l->parked, "canceled",
			(json_int_t)l->canceled);
}

static void json_account(void *ctx, const char *id, const struct ledger *counts)
{
	print_json(ctx, json_pack("{s:{s:s,s:o}}", "account", "id", id, "ledger", json_ledger(counts)));
}

static void json_totals(bool *is_lost, const struct store_check_totals *t)
{
	print_json(is_lost, json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "ok", t->findings == 0, "findings",
					    (json_int_t)t->findings, "accounts", (json_int_t)t->accounts,
					    "webhooks", (json_int_t)t->webhooks, "versions",
					    (json_int_t)t->versions, "deliveries", (json_int_t)t->deliveries,
					    "attempts", (json_int_t)t->attempts, "ledger",
					    json_ledger(&t->ledger)));
}

/* ---- the command ---- */

static int check(const struct opts *o, const char *path)
{
	bool is_json = opts_has(o, "json"), is_lost = false;
	struct store_check_sink sink = {tell_finding, tell_note, tell_account, NULL};
	struct store_check_totals totals = {0};
	struct ch_err err = {0};

	if (is_json)
		sink = (struct store_check_sink){json_finding, json_note, json_account, &is_lost};
	if (store_sqlite_check(path, &sink, &totals, &err) != 0)
		return cli_fail(CLI_FAILED, "fsck", "%s", err.text);
	if (is_json)
		json_totals(&is_lost, &totals);
	else
		tell_totals(&totals);
	if (is_lost)
		return cli_fail(CLI_FAILED, "fsck", "a line could not be made; without --json it can");
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(CLI_FAILED, "fsck", "standard output: %s", strerror(errno));
	return totals.findings == 0 ? CLI_DONE : CLI_FAILED;
}

int cli_fsck(int argc, char **argv)
{
	static const char prefix[] = "sqlite:";
	struct ch_err err = {0};
	const char *url;
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "fsck", "%s", err.text);
	url = opts_get(&o, "store");
	if (strncmp(url, prefix, sizeof(prefix) - 1) != 0 || url[sizeof(prefix) - 1] == '\0')
		rc = cli_fail(CLI_USAGE, "fsck", "%s: the store must be sqlite:PATH",
				opts_origin(&o, "store", 0));
	else
		rc = check(&o, url + sizeof(prefix) - 1);
	opts_fini(&o);
	return rc;
}
