#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/copying.h"

static const struct opt_spec specs[] = {
		{.name = "store",
				.arg = "URL",
				.fallback = "sqlite:callhook.db",
				.help = "sqlite:PATH, the same as serve's"},
		{.name = "with-key", .help = "copy the key that encrypts webhooks' secrets too, to FILE.key"},
		{.name = "secret-key-file",
				.arg = "FILE",
				.help = "where that key is [PATH.key beside the database]"},
		{.name = "compact",
				.help = "leave out free space, and what may be readable in it; takes longer"},
		{.name = "no-check", .help = "do not check the copy as fsck does"},
		{.name = "force", .help = "replace FILE when it is there"},
		{.name = "json", .help = "the result as a JSON object"},
		{0},
};

static const struct opts_page page = {
		.command = "backup",
		.usage = "[options] FILE",
		.about = "Copies a store to FILE: one moment of it, whole, also while a server works on it. "
			 "The copy is "
			 "checked as\n"
			 "fsck does and only then gets its name; it is a database of its own, which restore "
			 "or serve can "
			 "open.\n"
			 "Webhooks' secrets in it are encrypted: without the key they are lost. --with-key "
			 "copies it; better "
			 "keep\n"
			 "the key elsewhere, because both together are all that it takes to sign.",
		.example = "  callhook backup --store sqlite:/var/lib/callhook/callhook.db "
			   "/backup/callhook-monday.db",
		.specs = specs,
		.args_max = 1,
};

struct backup {
	struct copying c;
	bool is_checked, has_key, wants_json;
	int64_t bytes;
	enum copying_verdict verdict;
	struct store_check_totals totals;
};

static int print_json(const struct backup *b)
{
	json_t *out = json_pack("{s:s,s:I,s:b,s:I,s:I,s:I,s:s?}", "file", b->c.file, "bytes",
			(json_int_t)b->bytes, "checked", b->is_checked, "versions",
			(json_int_t)b->totals.versions, "deliveries", (json_int_t)b->totals.deliveries,
			"attempts", (json_int_t)b->totals.attempts, "key", b->has_key ? b->c.file_key : NULL);
	int rc = out == NULL || json_dumpf(out, stdout, JSON_COMPACT) != 0 ? CH_ENOMEM : 0;

	json_decref(out);
	putchar('\n');
	return rc;
}

static void print_words(const struct backup *b)
{
	printf("%s: %.1f MB", b->c.file, (double)b->bytes / 1e6);
	if (b->is_checked)
		printf(", checked: %lld versions of calls, %lld deliveries, %lld attempts",
				(long long)b->totals.versions, (long long)b->totals.deliveries,
				(long long)b->totals.attempts);
	else
		printf(", not checked%s",
				b->verdict == COPYING_OLDER
						? ": an older callhook wrote it, and serve has yet to "
						  "bring it up to date"
						: "");
	printf("\n");
	if (b->has_key)
		printf("%s: the key that encrypts webhooks' secrets\n", b->c.file_key);
	else
		printf("The key that encrypts webhooks' secrets, %s, is not in it: keep a copy of it "
		       "elsewhere.\n",
				b->c.key);
}

/* The copy has another name until it is known to be well. */
static int make(struct backup *b, bool wants_check, struct ch_err *err)
{
	char part[STORE_COPY_PATH_MAX + 8];
	int rc;

	snprintf(part, sizeof(part), "%s.part", b->c.file);
	rc = store_sqlite_copy(b->c.store, part, &b->c.conf, &b->bytes, err);
	progress_end(&b->c.progress);
	if (rc != 0)
		return rc;
	if (wants_check)
		rc = copying_check(part, &b->verdict, &b->totals, err);
	if (rc == 0 && b->verdict == COPYING_DAMAGED)
		rc = ch_err_set(err, CH_EDAMAGED,
				"the store is damaged (see callhook fsck); with --no-check it is copied "
				"as it is");
	b->is_checked = wants_check && b->verdict == COPYING_WELL;
	if (rc == 0)
		rc = store_sqlite_copy_rename(part, b->c.file, err);
	if (rc != 0)
		unlink(part);
	return rc;
}

static int run(struct backup *b, const struct opts *o, struct ch_err *err)
{
	int rc = 0;

	if (!opts_has(o, "force") && access(b->c.file, F_OK) == 0)
		return ch_err_set(
				err, CH_EEXIST, "there is a file %s already; --force replaces it", b->c.file);
	if (opts_has(o, "with-key"))
		rc = copying_key(b->c.key, b->c.file_key, err);
	b->has_key = rc == 0 && opts_has(o, "with-key");
	if (rc == 0)
		rc = make(b, !opts_has(o, "no-check"), err);
	if (rc != 0)
		return rc;
	if (b->wants_json)
		rc = print_json(b);
	else
		print_words(b);
	if (fflush(stdout) != 0 || ferror(stdout))
		rc = ch_err_set(err, CH_EIO, "standard output: %s", strerror(errno));
	return rc;
}

int cli_backup(int argc, char **argv)
{
	struct ch_err err = {0};
	struct backup b = {0};
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "backup", "%s", err.text);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk, and no reason to die */
	rc = copying_init(&b.c, "backup", &o, &err);
	if (rc != 0) {
		opts_fini(&o);
		return cli_fail(CLI_USAGE, "backup", "%s", err.text);
	}
	b.c.conf.is_compact = opts_has(&o, "compact");
	b.wants_json = opts_has(&o, "json");
	rc = run(&b, &o, &err);
	opts_fini(&o);
	return rc == 0 ? CLI_DONE : cli_fail(CLI_FAILED, "backup", "%s", err.text);
}
