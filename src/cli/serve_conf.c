#include "cli/serve_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "model/call_codec.h"
#include "policy/sign.h"

#define API_CONNECTIONS_MAX 4096

static const struct opt_spec specs[] = {
		{.name = "listen",
				.arg = "HOST:PORT",
				.fallback = "127.0.0.1:8080",
				.help = "where the API listens"},
		{.name = "metrics-listen",
				.arg = "HOST:PORT",
				.help = "where /metrics is, over plain HTTP and nowhere else [beside the "
					"API]"},
		{.name = "tls-cert",
				.arg = "FILE",
				.help = "serve HTTPS with this certificate chain, PEM; read again on SIGHUP"},
		{.name = "tls-key", .arg = "FILE", .help = "its private key, PEM"},
		{.name = "public-url",
				.arg = "URL",
				.help = "how customers reach this server, path included; portal links begin "
					"with it [as each request says]"},
		{.name = "trusted-proxy",
				.arg = "CIDR",
				.help = "believe X-Forwarded-For from proxies there",
				.repeats = true},
		{.name = "request-timeout",
				.arg = "SECONDS",
				.fallback = "30",
				.help = "a request, or a TLS handshake, must be whole in this time"},
		{.name = "idle-timeout",
				.arg = "SECONDS",
				.fallback = "75",
				.help = "a connection without a request is closed after it"},
		{.name = "store",
				.arg = "URL",
				.fallback = "sqlite:callhook.db",
				.help = "sqlite:PATH, or memory: to try things"},
		{.name = "secret-key-file",
				.arg = "FILE",
				.help = "the key that encrypts webhooks' secrets; made when missing "
					"[PATH.key beside the database]"},
		{.name = "api-key",
				.arg = "TEXT",
				.help = "first key of account \"default\" when the store is new; generated "
					"and printed if absent"},
		{.name = "operator-token",
				.arg = "TEXT",
				.help = "acts for any account, as Authorization: Bearer (32+ characters)"},
		{.name = "events-url", .arg = "URL", .help = "operational events of all accounts go there"},
		{.name = "events-secret-file",
				.arg = "FILE",
				.help = "a file whose first line is the secret that signs them"},
		{.name = "events-secret",
				.arg = "TEXT",
				.help = "the secret itself (better: the file or CALLHOOK_EVENTS_SECRET)"},
		{.name = "dev", .help = "for a laptop: webhooks may go to loopback addresses and plain http"},
		{.name = "allow-http", .help = "webhook URLs may be plain http"},
		{.name = "allow-network",
				.arg = "CIDR",
				.help = "webhooks may go to these private addresses",
				.repeats = true},
		{.name = "ca-file",
				.arg = "FILE",
				.help = "one more certificate authority for webhooks, PEM"},
		{.name = "egress-proxy",
				.arg = "URL",
				.help = "send all webhooks through this proxy, which then checks addresses"},
		{.name = "dns-server",
				.arg = "HOST:PORT",
				.help = "ask this name server instead of the system's",
				.repeats = true},
		{.name = "retry-schedule",
				.arg = "LIST",
				.fallback = "5s,30s,2m,10m,30m,1h,3h,6h,12h,24h,24h",
				.help = "pauses after the first try"},
		{.name = "max-in-flight",
				.arg = "N",
				.help = "attempts at once, at most [10000, or the file limit less 512]"},
		{.name = "body-memory",
				.arg = "MIB",
				.fallback = "64",
				.help = "memory for bodies that wait to be sent"},
		{.name = "workers", .arg = "N", .fallback = "1", .help = "delivery loops"},
		{.name = "store-readers", .arg = "N", .fallback = "2", .help = "threads that read the store"},
		{.name = "max-call-bytes",
				.arg = "BYTES",
				.fallback = "1048576",
				.help = "the largest call record"},
		{.name = "max-webhooks",
				.arg = "N",
				.fallback = "50",
				.help = "webhooks an account may have"},
		{.name = "retention-calls",
				.arg = "DAYS",
				.fallback = "90",
				.help = "how long calls and their deliveries are kept; 0: for ever"},
		{.name = "retention-attempts",
				.arg = "DAYS",
				.fallback = "30",
				.help = "how long attempts are kept; 0: for ever"},
		{.name = "rate-limit",
				.arg = "COUNT/SECONDS",
				.fallback = "100/15",
				.help = "requests an account may make in a window, or off"},
		{.name = "grace",
				.arg = "SECONDS",
				.fallback = "20",
				.help = "at the end, time for what is in flight"},
		{.name = "log-level",
				.arg = "LEVEL",
				.fallback = "info",
				.help = "debug, info, warn or error"},
		{.name = "log-format",
				.arg = "FORMAT",
				.fallback = "text",
				.help = "text (key=value) or json"},
		{0},
};

const struct opts_page serve_page = {
		.command = "serve",
		.usage = "[options]",
		.about = "Runs the service: accepts call records, keeps them, answers the API and delivers "
			 "webhooks.\n"
			 "SIGTERM or Ctrl-C stops it after what is in flight; a second one at once.",
		.example = "  callhook serve --listen 127.0.0.1:8080 --store "
			   "sqlite:/var/lib/callhook/callhook.db",
		.specs = specs,
		.uses_config = true,
};

static int read_network(const struct opts *o, int i, struct serve_conf *c, struct ch_err *err)
{
	const char *text = opts_at(o, "allow-network", i);

	if (network_parse(text, strlen(text), &c->networks[c->addresses.allowed_count]) != 0)
		return ch_err_set(err, CH_EINVAL,
				"%s: \"%s\" is no network; write it as 10.1.0.0/16 or fd00::/8",
				opts_origin(o, "allow-network", i), text);
	c->addresses.allowed_count++;
	return 0;
}

static int read_safety(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	static const char *const loopback[] = {"127.0.0.0/8", "::1/128"};
	int rc = 0;

	c->is_dev = opts_has(o, "dev");
	for (int i = 0; rc == 0 && i < opts_count(o, "allow-network"); i++)
		rc = read_network(o, i, c, err);
	for (int i = 0; rc == 0 && c->is_dev && i < 2; i++)
		rc = network_parse(
				loopback[i], strlen(loopback[i]), &c->networks[c->addresses.allowed_count++]);
	for (int i = 0; i < opts_count(o, "dns-server"); i++)
		c->dns_servers[i] = opts_at(o, "dns-server", i);
	c->ca_file = opts_get(o, "ca-file");
	c->egress_proxy = opts_get(o, "egress-proxy");
	c->addresses.allowed = c->networks;
	c->url_rules.allow_http = c->is_dev || opts_has(o, "allow-http");
	c->url_rules.addresses = c->egress_proxy ? NULL : &c->addresses;
	return rc;
}

/* The attempts that the limit of open files leaves room for. */
static int64_t in_flight_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 256;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur == RLIM_INFINITY || files.rlim_cur > 1000000)
		return 1000000;
	return files.rlim_cur > 2 * SERVE_DESCRIPTORS_RESERVED
			       ? (int64_t)files.rlim_cur - SERVE_DESCRIPTORS_RESERVED
			       : (int64_t)files.rlim_cur / 2;
}

/* The API's connections share the files with the attempts; half of what is left stays for the rest. */
static int connections_beside(int64_t in_flight)
{
	struct rlimit files;
	int64_t left;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > 1000000)
		return API_CONNECTIONS_MAX;
	left = ((int64_t)files.rlim_cur - in_flight) / 2;
	return left < 16 ? 16 : left > API_CONNECTIONS_MAX ? API_CONNECTIONS_MAX : (int)left;
}

static int read_sizes(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	int64_t limit = in_flight_limit();
	int64_t workers = 1, readers = 2, in_flight = limit < 10000 ? limit : 10000, memory = 64, bytes = 0,
		webhooks = 0, grace = 0;
	int rc = opts_int(o, "workers", 1, SERVE_WORKERS_MAX, &workers, err);

	if (rc == 0)
		rc = opts_int(o, "store-readers", 1, 16, &readers, err);
	if (rc == 0 && opts_has(o, "max-in-flight"))
		rc = opts_int(o, "max-in-flight", workers, limit, &in_flight, err);
	if (rc == 0)
		rc = opts_int(o, "body-memory", 1, 1024 * 1024, &memory, err);
	if (rc == 0)
		rc = opts_int(o, "max-call-bytes", 1024, 64 * 1024 * 1024, &bytes, err);
	if (rc == 0)
		rc = opts_int(o, "max-webhooks", 1, 100000, &webhooks, err);
	if (rc == 0)
		rc = opts_int(o, "grace", 0, 3600, &grace, err);
	c->workers = (int)workers;
	c->connections_max = connections_beside(in_flight);
	c->readers = (int)readers;
	c->max_in_flight = (int)(in_flight / workers);
	c->body_budget_bytes = (size_t)memory * 1024 * 1024 / (size_t)workers;
	c->call_max_bytes = (size_t)bytes;
	c->max_webhooks = (int)webhooks;
	c->grace_ms = (int)grace * 1000;
	return rc;
}

static int read_retention(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	static const int64_t day_ms = INT64_C(24) * 3600 * 1000;
	int64_t calls = 0, attempts = 0;
	int rc = opts_int(o, "retention-calls", 0, 36500, &calls, err);

	if (rc == 0)
		rc = opts_int(o, "retention-attempts", 0, 36500, &attempts, err);
	c->retention = (struct store_retention){.calls_ms = calls * day_ms, .attempts_ms = attempts * day_ms};
	return rc;
}

static int read_rate(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	const char *text = opts_get(o, "rate-limit");
	long count, seconds = 0;
	char *end;

	if (strcmp(text, "off") == 0)
		return 0;
	count = strtol(text, &end, 10);
	bool is_pair = *text >= '0' && *text <= '9' && *end == '/' && end[1] >= '0' && end[1] <= '9';
	if (is_pair)
		seconds = strtol(end + 1, &end, 10);
	if (!is_pair || *end || count < 1 || count > 1000000 || seconds < 1 || seconds > 86400)
		return ch_err_set(err, CH_EINVAL,
				"%s: \"%s\" is not off or COUNT/SECONDS, as 100/15: up to 1000000 in up to "
				"86400 "
				"s",
				opts_origin(o, "rate-limit", 0), text);
	c->request_rate = (struct request_rate){(int)count, (int)seconds};
	return 0;
}

static int read_log(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	const char *level = opts_get(o, "log-level");
	const char *format = opts_get(o, "log-format");
	int at = 0;

	while (at < 4 && strcmp(level, levels[at]) != 0)
		at++;
	if (at == 4)
		return ch_err_set(err, CH_EINVAL, "%s: \"%s\" is not debug, info, warn or error",
				opts_origin(o, "log-level", 0), level);
	c->log_level = (enum ch_log_level)at;
	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		return ch_err_set(err, CH_EINVAL, "%s: \"%s\" is not text or json",
				opts_origin(o, "log-format", 0), format);
	c->log_format = strcmp(format, "json") == 0 ? CH_LOG_JSON : CH_LOG_TEXT;
	return 0;
}

static int read_keys(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	const char *path = opts_get(o, "secret-key-file");

	c->store_url = opts_get(o, "store");
	c->api_key = opts_get(o, "api-key");
	c->operator_token = opts_get(o, "operator-token");
	if (c->api_key && strlen(c->api_key) < 16)
		return ch_err_set(err, CH_EINVAL, "%s: at least 16 characters", opts_origin(o, "api-key", 0));
	if (c->operator_token && strlen(c->operator_token) < 32)
		return ch_err_set(err, CH_EINVAL, "%s: at least 32 characters",
				opts_origin(o, "operator-token", 0));
	if (path)
		snprintf(c->key_path, sizeof(c->key_path), "%s", path);
	else if (!strncmp(c->store_url, "sqlite:", 7))
		snprintf(c->key_path, sizeof(c->key_path), "%s.key", c->store_url + 7);
	return 0;
}

/* What is signed by nobody could come from anybody: without a secret no event goes out. */
static int read_events(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	const char *text = opts_get(o, "events-url");
	struct ch_err words = {0};
	struct url url;
	int rc;

	if (!text)
		return 0;
	rc = url_parse(text, strlen(text), &c->url_rules, &url, &words);
	if (rc != 0)
		return ch_err_set(err, rc, "%s: %s", opts_origin(o, "events-url", 0), words.text);
	c->events_url = url.text;
	url.text = NULL;
	url_fini(&url);
	rc = cli_text_or_file(o, "events-secret", "events-secret-file", &c->events_secret, err);
	if (rc != 0)
		return rc;
	if (!c->events_secret.text)
		return ch_err_set(err, CH_EINVAL,
				"%s: events are signed; give their secret as --events-secret-file or "
				"CALLHOOK_EVENTS_SECRET",
				opts_origin(o, "events-url", 0));
	if (sign_secret_check(c->events_secret.text, c->events_secret.len, &words) != 0)
		return ch_err_set(err, CH_EINVAL, "the secret of events: %s", words.text);
	return 0;
}

void serve_conf_fini(struct serve_conf *c)
{
	ch_free(c->events_url);
	c->events_url = NULL;
	ch_secret_fini(&c->events_secret);
}

static int read_trusted(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	for (int i = 0; i < opts_count(o, "trusted-proxy"); i++) {
		const char *text = opts_at(o, "trusted-proxy", i);
		if (network_parse(text, strlen(text), &c->trusted[i]) != 0)
			return ch_err_set(err, CH_EINVAL,
					"%s: \"%s\" is no network; write it as 10.1.0.0/16 or fd00::/8",
					opts_origin(o, "trusted-proxy", i), text);
		c->trusted_count++;
	}
	return 0;
}

static int read_public_url(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	static const struct url_rules any = {.allow_http = true};
	const char *text = opts_get(o, "public-url");
	struct ch_err why = {0};
	struct url url;
	int rc;

	if (!text)
		return 0;
	rc = url_parse(text, strlen(text), &any, &url, &why);
	if (rc == 0 && strchr(url.text, '?')) {
		url_fini(&url);
		rc = ch_err_set(&why, CH_EINVAL, "it must not have a query");
	}
	if (rc != 0)
		return ch_err_set(err, rc, "%s: %s", opts_origin(o, "public-url", 0), why.text);
	snprintf(c->public_url, sizeof(c->public_url), "%s%s", url.text,
			url.text[strlen(url.text) - 1] == '/' ? "" : "/");
	url_fini(&url);
	return 0;
}

static int read_server(const struct opts *o, struct serve_conf *c, struct ch_err *err)
{
	int64_t request = 0, idle = 0;
	int rc = cli_listen_address(o, "listen", c->host, sizeof(c->host), &c->port, err);

	c->has_metrics = opts_has(o, "metrics-listen");
	if (rc == 0 && c->has_metrics)
		rc = cli_listen_address(o, "metrics-listen", c->metrics_host, sizeof(c->metrics_host),
				&c->metrics_port, err);
	c->tls_cert = opts_get(o, "tls-cert");
	c->tls_key = opts_get(o, "tls-key");
	if (rc == 0 && !c->tls_cert != !c->tls_key)
		rc = ch_err_set(err, CH_EINVAL, "--tls-cert and --tls-key belong together");
	if (rc == 0)
		rc = read_trusted(o, c, err);
	if (rc == 0)
		rc = read_public_url(o, c, err);
	if (rc == 0)
		rc = opts_int(o, "request-timeout", 1, 3600, &request, err);
	if (rc == 0)
		rc = opts_int(o, "idle-timeout", 1, 3600, &idle, err);
	c->request_timeout_ms = (int)request * 1000;
	c->idle_timeout_ms = (int)idle * 1000;
	return rc;
}

int serve_conf_read(const struct opts *o, struct serve_conf *ret, struct ch_err *err)
{
	int rc;

	*ret = (struct serve_conf){0};
	rc = read_server(o, ret, err);
	if (rc == 0)
		rc = read_keys(o, ret, err);
	if (rc == 0)
		rc = read_safety(o, ret, err);
	if (rc == 0)
		rc = read_events(o, ret, err);
	if (rc == 0)
		rc = read_sizes(o, ret, err);
	if (rc == 0)
		rc = read_retention(o, ret, err);
	if (rc == 0)
		rc = read_rate(o, ret, err);
	if (rc == 0)
		rc = read_log(o, ret, err);
	if (rc == 0)
		rc = retry_schedule_parse(opts_get(o, "retry-schedule"), &ret->schedule, err);
	return rc;
}
