#include <errno.h>
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
		{.name = "with-key", .help = "put FILE.key in its place too"},
		{.name = "secret-key-file",
				.arg = "FILE",
				.help = "where that key goes [PATH.key beside the database]"},
		{.name = "force", .help = "replace the store that is there; it is kept under another name"},
		{.name = "no-check", .help = "do not check the backup first"},
		{0},
};

static const struct opts_page page = {
		.command = "restore",
		.usage = "[options] FILE",
		.about = "Puts a backup in the place of a store. No server may run on it. The backup is "
			 "checked first; a "
			 "store that\n"
			 "is there is replaced with --force only, and kept beside the new one.\n"
			 "What was accepted after the backup was made is gone, and what was delivered after "
			 "it is delivered "
			 "again,\n"
			 "with the same webhook-id.",
		.example = "  callhook restore --store sqlite:/var/lib/callhook/callhook.db "
			   "/backup/callhook-monday.db",
		.specs = specs,
		.args_max = 1,
};

static int check(const struct copying *c, struct ch_err *err)
{
	enum copying_verdict verdict = COPYING_WELL;
	struct store_check_totals totals = {0};
	int rc = copying_check(c->file, &verdict, &totals, err);

	if (rc == 0 && verdict == COPYING_DAMAGED)
		rc = ch_err_set(err, CH_EDAMAGED,
				"%s is damaged; with --no-check it is put in place as it is", c->file);
	return rc;
}

static int run(struct copying *c, const struct opts *o, struct ch_err *err)
{
	char aside[STORE_COPY_PATH_MAX] = "";
	int rc = opts_has(o, "no-check") ? 0 : check(c, err);

	if (rc == 0 && opts_has(o, "with-key"))
		rc = copying_key(c->file_key, c->key, err);
	if (rc == 0)
		rc = store_sqlite_restore(c->file, c->store, opts_has(o, "force"), &c->conf, aside, err);
	progress_end(&c->progress);
	if (rc == CH_EEXIST && !opts_has(o, "force") && access(c->store, F_OK) == 0)
		rc = ch_err_set(err, rc,
				"there is a store %s already; --force replaces it, and keeps it under "
				"another name",
				c->store);
	if (rc != 0)
		return rc;
	printf("%s is restored from %s\n", c->store, c->file);
	if (aside[0] != '\0')
		printf("What was there is now %s\n", aside);
	if (access(c->key, F_OK) != 0)
		printf("The key that encrypts webhooks' secrets is missing: %s\n", c->key);
	if (fflush(stdout) != 0 || ferror(stdout))
		return ch_err_set(err, CH_EIO, "standard output: %s", strerror(errno));
	return 0;
}

int cli_restore(int argc, char **argv)
{
	struct ch_err err = {0};
	struct copying c;
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "restore", "%s", err.text);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk, and no reason to die */
	rc = copying_init(&c, "restore", &o, &err);
	if (rc != 0) {
		opts_fini(&o);
		return cli_fail(CLI_USAGE, "restore", "%s", err.text);
	}
	rc = run(&c, &o, &err);
	opts_fini(&o);
	return rc == 0 ? CLI_DONE : cli_fail(CLI_FAILED, "restore", "%s", err.text);
}
