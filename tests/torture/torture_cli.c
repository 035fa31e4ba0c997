/* The options of serve out of flags, environment and file, and the input of the small commands, without
 * memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/serve_conf.h"
#include "torture.h"

struct config {
	char path[40];
	int fd;
	struct opts o;
	struct serve_conf c;
};

static void *config_open(void)
{
	static const char text[] = "# a file\nmax-webhooks = \"5\"\nallow-network = 10.0.0.0/8, "
				   "fd00::/8\nlog-level=warn\n"
				   "retry-schedule = 5s,1m\ndev = no\n";
	struct config *c = calloc(1, sizeof(*c));

	c->fd = memfd_create("config", MFD_CLOEXEC);
	assert_int_equal(write(c->fd, text, sizeof(text) - 1), sizeof(text) - 1);
	snprintf(c->path, sizeof(c->path), "/proc/self/fd/%d", c->fd);
	setenv("CALLHOOK_DNS_SERVER", "127.0.0.1:53,[::1]:53", 1);
	return c;
}

static void config_close(void *ctx)
{
	struct config *c = ctx;

	unsetenv("CALLHOOK_DNS_SERVER");
	close(c->fd);
	free(c);
}

static int config_run(void *ctx)
{
	struct config *c = ctx;
	char *argv[] = {(char[]){"serve"}, (char[]){"--workers=2"}, (char[]){"--allow-http"},
			(char[]){"--config"}, c->path, NULL};
	struct ch_err err = {0};
	int rc = opts_parse(&serve_page, 5, argv, &c->o, &err);

	if (rc != 0) {
		if (err.code != rc)
			fail_msg("%d: %s", rc, err.text);
		return rc;
	}
	rc = serve_conf_read(&c->o, &c->c, &err);
	if (rc == 0) {
		assert_int_equal(c->c.workers, 2);
		assert_int_equal(c->c.addresses.allowed_count, 2);
		assert_int_equal(c->c.schedule.count, 2);
		assert_int_equal(c->c.max_webhooks, 5);
		assert_string_equal(c->c.dns_servers[1], "[::1]:53");
	}
	opts_fini(&c->o);
	return rc;
}

static int secret_run(void *ctx)
{
	char *argv[] = {(char[]){"sign"}, (char[]){"--secret-file"}, ((struct config *)ctx)->path, NULL};
	static const struct opt_spec specs[] = {
			{.name = "secret", .arg = "TEXT"}, {.name = "secret-file", .arg = "FILE"}, {0}};
	static const struct opts_page page = {.command = "sign", .specs = specs};
	struct ch_secret secret = {0};
	struct ch_err err = {0};
	struct opts o;
	int rc = opts_parse(&page, 3, argv, &o, &err);

	if (rc != 0)
		return rc;
	rc = cli_secret(&o, &secret, &err);
	if (rc == 0)
		assert_string_equal(secret.text, "# a file");
	else
		assert_null(secret.text);
	ch_secret_fini(&secret);
	opts_fini(&o);
	return rc;
}

static const struct torture all[] = {
		{.name = "serve's options", .open = config_open, .run = config_run, .close = config_close},
		{.name = "a secret out of a file",
				.open = config_open,
				.run = secret_run,
				.close = config_close},
};

int main(int argc, char **argv)
{
	torture_libraries();
	return torture_main(argc, argv, "cli", all, sizeof(all) / sizeof(all[0]));
}
