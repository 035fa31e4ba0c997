/* What an operator may write: lines of flags up to an empty line, then a configuration file. Whatever it is,
 * it is refused in words or gives values within their bounds; and a schedule and the networks read alone say
 * the same as read by serve. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "cli/serve_conf.h"

#define ARGS_MAX 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_schedule(const char *text)
{
	struct retry_schedule s = {.count = -1};
	struct ch_err err = {0};
	int rc = retry_schedule_parse(text, &s, &err);

	CH_ASSERT(rc == 0 ? err.text[0] == '\0' : rc == CH_EINVAL && err.text[0] != '\0' && s.count == -1);
	for (int i = 0; rc == 0 && i < s.count; i++)
		CH_ASSERT(s.pause_s[i] >= 1 && s.pause_s[i] <= 604800);
	if (rc == 0)
		CH_ASSERT(s.count >= 1 && s.count <= RETRY_PAUSES_MAX);
}

static void check_networks(const struct opts *o, const struct serve_conf *c)
{
	size_t wanted = (size_t)opts_count(o, "allow-network") + (c->is_dev ? 2 : 0);

	CH_ASSERT(c->addresses.allowed_count == wanted && c->addresses.allowed == c->networks);
	for (size_t i = 0; i < wanted; i++) {
		const struct network *n = &c->networks[i];
		char text[ADDRESS_TEXT_MAX];
		char whole[ADDRESS_TEXT_MAX + 4];
		struct network again;

		address_format(&n->base, text);
		snprintf(whole, sizeof(whole), "%s/%u", text, (unsigned)n->prefix);
		CH_ASSERT(network_parse(whole, strlen(whole), &again) == 0);
		CH_ASSERT(again.prefix == n->prefix && again.base.len == n->base.len);
		CH_ASSERT(memcmp(again.base.b, n->base.b, n->base.len) == 0);
		CH_ASSERT(address_refusal(&n->base, &c->addresses) == NULL);
	}
}

static void check_conf(const struct opts *o, const struct serve_conf *c)
{
	CH_ASSERT(c->workers >= 1 && c->workers <= SERVE_WORKERS_MAX && c->readers >= 1 && c->readers <= 16);
	CH_ASSERT(c->max_in_flight >= 1 && c->connections_max >= 16 && c->body_budget_bytes >= 65536);
	CH_ASSERT(c->call_max_bytes >= 1024 && c->max_webhooks >= 1 && c->grace_ms >= 0);
	CH_ASSERT(c->request_rate.count >= 0 && (c->request_rate.count == 0 || c->request_rate.seconds >= 1));
	CH_ASSERT(c->log_level <= CH_LOG_ERROR && c->log_format <= CH_LOG_JSON);
	CH_ASSERT(!c->api_key || strlen(c->api_key) >= 16);
	CH_ASSERT(!c->operator_token || strlen(c->operator_token) >= 32);
	CH_ASSERT(c->store_url && memchr(c->key_path, '\0', sizeof(c->key_path)) && c->host[0] != '\0');
	CH_ASSERT(c->url_rules.addresses == (c->egress_proxy ? NULL : &c->addresses));
	check_networks(o, c);
}

static void run(int argc, char **argv)
{
	static struct opts o; /* too large for a stack that is watched */
	static struct serve_conf conf;
	struct ch_err err = {0};
	int rc = opts_parse(&serve_page, argc, argv, &o, &err);

	if (rc == 0) {
		check_schedule(opts_get(&o, "retry-schedule"));
		rc = serve_conf_read(&o, &conf, &err);
		if (rc == 0)
			check_conf(&o, &conf);
		opts_fini(&o);
	}
	CH_ASSERT(rc == 0 || (rc < 0 && err.text[0] != '\0' && !strchr(err.text, '\n')));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[ARGS_MAX + 3] = {(char[]){"serve"}};
	char *copy = ch_memdup0(data, size);
	char *at = copy;
	char config[64];
	int argc = 1;

	CH_ASSERT(copy);
	while (at && *at && *at != '\n' && argc < ARGS_MAX) {
		char *line = at;

		at = strchr(at, '\n');
		if (at)
			*at++ = '\0';
		/* Not the help, which is only printed, nor a file of this machine. */
		if (strncmp(line, "--h", 3) != 0 && strncmp(line, "--c", 3) != 0)
			argv[argc++] = line;
	}
	size_t rest = at ? size - (size_t)(at - copy) : 0;
	int fd = memfd_create("config", MFD_CLOEXEC);

	CH_ASSERT(fd >= 0 && write(fd, at ? at : "", rest) == (ssize_t)rest);
	snprintf(config, sizeof(config), "--config=/proc/self/fd/%d", fd);
	memmove(argv + 2, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
	argv[1] = config;
	argv[++argc] = NULL;
	run(argc, argv);
	close(fd);
	ch_free(copy);
	return 0;
}
