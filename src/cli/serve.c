#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash_point.h"
#include "cli/cli.h"
#include "cli/serve_core.h"

#define METRICS_CONNECTIONS_MAX 16

static void on_port(evutil_socket_t fd, short what, void *ctx)
{
	struct service *s = ctx;

	ch_port_dispatch(&s->port);
}

/* The store begins to work before there are loops to tell: sweeps that an earlier run left. What they would
 * have heard the loops find in the store when they start. */
static void on_committed(void *ctx, struct store_request *const *requests, size_t n)
{
	struct service *s = ctx;

	if (atomic_load(&s->has_workers))
		s->watcher.committed(s->watcher.ctx, requests, n);
	commit_bell_committed(&s->bell, requests, n);
}

static int start_store(struct service *s, struct ch_err *err)
{
	struct store_conf conf = {.clock = s->clock, .rand = s->rand};
	struct store_threads_conf threads = {.clock = s->clock,
			.readers = s->conf.readers,
			.batch_max = 512,
			.result_wait_ms = 5,
			.retention = s->conf.retention,
			.watcher = {.committed = on_committed, .ctx = s}};
	const struct boot_events events = {s->conf.events_url, &s->conf.events_secret, s->seal_key};
	struct store *store = NULL;
	s->watcher = workers_watcher(&s->workers);
	commit_bell_init(&s->bell, &s->port);
	int rc = store_open(s->conf.store_url, &conf, &store, err);

	if (rc == 0)
		rc = store_threads_start(&store, &threads, &s->store, err);
	if (rc != 0 && store)
		store_close(&store);
	if (rc == 0)
		rc = boot_key(s->store, &s->port, &s->rand, *s->conf.key_path ? s->conf.key_path : NULL,
				s->seal_key, err);
	if (rc == 0)
		rc = boot_accounts(
				s->store, &s->port, s->clock, &s->rand, s->conf.api_key, &s->accounts, err);
	if (rc == 0)
		rc = boot_events(s->store, &s->port, s->clock, &s->rand, &events, err);
	if (rc == 0)
		rc = boot_spent(s->store, &s->port, &s->spent, &s->spent_count, err);
	return rc;
}

static int start_workers(struct service *s, struct ch_err *err)
{
	struct worker_conf conf = {
			.engine = {.clock = s->clock,
					.rand = s->rand,
					.store = s->store,
					.schedule = s->conf.schedule,
					.url_rules = s->conf.url_rules,
					.user_agent = "callhook/" CALLHOOK_VERSION,
					.max_in_flight = s->conf.max_in_flight,
					.body_budget_bytes = s->conf.body_budget_bytes,
					.log = &s->log},
			.transport = {.clock = s->clock,
					.addresses = s->conf.addresses,
					.ca_file = s->conf.ca_file,
					.egress_proxy = s->conf.egress_proxy,
					.connect_timeout_ms = 5000,
					.idle_ms = 60000,
					.dns_servers = s->conf.dns_servers[0] ? s->conf.dns_servers : NULL},
	};
	int rc = 0;

	memcpy(conf.engine.seal_key, s->seal_key, sizeof(s->seal_key));
	s->workers.items = ch_calloc((size_t)s->conf.workers, sizeof(*s->workers.items));
	if (!s->workers.items)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	while (rc == 0 && s->workers.count < s->conf.workers) {
		rc = worker_create(&conf, s->workers.count, s->conf.workers,
				&s->workers.items[s->workers.count], err);
		s->workers.count += rc == 0;
	}
	if (rc == 0)
		atomic_store(&s->has_workers, true);
	for (int i = 0; rc == 0 && i < s->workers.count; i++)
		worker_start(s->workers.items[i]);
	ch_wipe(conf.engine.seal_key, sizeof(conf.engine.seal_key));
	return rc;
}

/* A few scrapers, on a network of the operator's. */
static int start_metrics(struct service *s, struct ch_err *err)
{
	const struct http_server_conf http = {.base = s->base,
			.clock = s->clock,
			.host = s->conf.metrics_host,
			.port = s->conf.metrics_port,
			.listen_fd = -1,
			.connections_max = METRICS_CONNECTIONS_MAX,
			.request_timeout_ms = s->conf.request_timeout_ms,
			.idle_timeout_ms = s->conf.idle_timeout_ms,
			.log = &s->log,
			.handle = api_handle_metrics,
			.ctx = s->api};

	return http_server_start(&http, &s->metrics, err);
}

static int start_api(struct service *s, struct ch_err *err)
{
	struct api_conf conf = {.base = s->base,
			.clock = s->clock,
			.rand = s->rand,
			.log = &s->log,
			.store = s->store,
			.store_stats = store_threads_stats(s->store),
			.bell = &s->bell,
			.port = &s->port,
			.workers = &s->workers,
			.url_rules = s->conf.url_rules,
			.operator_token = s->conf.operator_token,
			.accounts = s->accounts.accounts,
			.account_count = s->accounts.count,
			.spent = s->spent,
			.spent_count = s->spent_count,
			.call_max_bytes = s->conf.call_max_bytes,
			.import_max_bytes = 16 * 1024 * 1024,
			.public_url = *s->conf.public_url ? s->conf.public_url : NULL,
			.max_webhooks = s->conf.max_webhooks,
			.attempts_kept_ms = s->conf.retention.attempts_ms,
			.request_rate = s->conf.request_rate,
			.has_metrics_door = s->conf.has_metrics,
			.version = CALLHOOK_VERSION};
	struct http_server_conf http = {.base = s->base,
			.clock = s->clock,
			.host = s->conf.host,
			.port = s->conf.port,
			.listen_fd = -1,
			.body_max_bytes = s->conf.call_max_bytes,
			.body_max_of = api_body_max_of,
			.connections_max = s->conf.connections_max,
			.trusted = s->conf.trusted,
			.trusted_count = s->conf.trusted_count,
			.request_timeout_ms = s->conf.request_timeout_ms,
			.idle_timeout_ms = s->conf.idle_timeout_ms,
			.log = &s->log,
			.handle = api_handle};
	int rc = 0;

	if (s->conf.tls_cert)
		rc = http_tls_create(s->conf.tls_cert, s->conf.tls_key, &s->tls, err);
	if (rc != 0)
		return rc;
	http.tls = s->tls;

	memcpy(conf.seal_key, s->seal_key, sizeof(s->seal_key));
	rc = api_create(&conf, &s->api, err);
	ch_wipe(conf.seal_key, sizeof(conf.seal_key));
	http.ctx = s->api;
	if (rc == 0)
		rc = http_server_start(&http, &s->http, err);
	if (rc == 0 && s->conf.has_metrics)
		rc = start_metrics(s, err);
	return rc;
}

static int start_loop(struct service *s, struct ch_err *err)
{
	struct event_config *config = event_config_new();
	int rc = 0;

	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
		s->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!s->base)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	rc = ch_port_init(&s->port, true, err);
	s->has_port = rc == 0;
	if (rc != 0)
		return rc;
	s->port_event = event_new(s->base, ch_port_fd(&s->port), EV_READ | EV_PERSIST, on_port, s);
	s->stop_timer = evtimer_new(s->base, serve_on_stop_look, s);
	for (size_t i = 0; i < SERVE_SIGNALS; i++) {
		s->signals[i] = evsignal_new(s->base, serve_signals[i], serve_on_signal, s);
		if (!s->signals[i] || event_add(s->signals[i], NULL) != 0)
			rc = CH_ENOMEM;
	}
	if (rc != 0 || !s->port_event || !s->stop_timer)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	return 0;
}

/* Threads started in between inherit the blocked signals; the loop's thread alone takes them. */
static int start(struct service *s, struct ch_err *err)
{
	sigset_t mine;
	int rc;

	sigemptyset(&mine);
	for (size_t i = 0; i < SERVE_SIGNALS; i++)
		sigaddset(&mine, serve_signals[i]);
	pthread_sigmask(SIG_BLOCK, &mine, NULL);
	rc = start_loop(s, err);
	if (rc == 0)
		rc = start_store(s, err);
	if (rc == 0)
		rc = start_workers(s, err);
	if (rc == 0)
		rc = start_api(s, err);
	if (rc == 0)
		event_add(s->port_event, NULL);
	pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
	return rc;
}

static void stop(struct service *s)
{
	if (s->has_stopper)
		pthread_join(s->stopper, NULL);
	else if (!s->is_stopping)
		workers_stop(&s->workers, 0);
	CH_CRASH_POINT(stop_store_idle);
	if (s->store)
		store_client_destroy(&s->store);
	CH_CRASH_POINT(stop_store_closed);
	if (s->api && api_busy(s->api) > 0) {
		/* Who sent them was not answered, so nothing was promised; there is nobody left to answer. */
		CH_LOG(&s->log, CH_LOG_WARN, "stopped_with_requests", CH_I("requests", api_busy(s->api)));
		_exit(CLI_DONE);
	}
	for (int i = 0; i < s->workers.count; i++)
		worker_destroy(&s->workers.items[i]);
	http_server_destroy(&s->http);
	http_server_destroy(&s->metrics);
	http_tls_destroy(&s->tls);
	api_destroy(&s->api);
	ch_free(s->workers.items);
	boot_accounts_fini(&s->accounts);
	ch_free(s->spent);
	ch_wipe(s->seal_key, sizeof(s->seal_key));
	for (size_t i = 0; i < SERVE_SIGNALS; i++)
		if (s->signals[i])
			event_free(s->signals[i]);
	if (s->port_event)
		event_free(s->port_event);
	if (s->stop_timer)
		event_free(s->stop_timer);
	if (s->has_port)
		ch_port_fini(&s->port);
	if (s->base)
		event_base_free(s->base);
}

static bool is_loopback(const char *host)
{
	return !strncmp(host, "127.", 4) || !strcmp(host, "::1") || !strcmp(host, "localhost");
}

static void print_url(const char *before, const char *scheme, const char *host,
		const struct http_server *http, const char *path)
{
	bool is_v6 = strchr(host, ':') != NULL;

	printf("%s %s://%s%s%s:%u%s\n", before, scheme, is_v6 ? "[" : "", host, is_v6 ? "]" : "",
			http_server_port(http), path);
}

static void announce(struct service *s)
{
	if (s->conf.is_dev)
		printf("\n*** DEVELOPMENT MODE: webhooks may go to loopback addresses and plain http. "
		       "***\n\n");
	if (!s->tls && !is_loopback(s->conf.host))
		fprintf(stderr,
				"warning: listening on %s without TLS; set --tls-cert and --tls-key, or put "
				"a "
				"TLS proxy in front\n",
				s->conf.host);
	if (s->metrics)
		print_url("metrics on", "http", s->conf.metrics_host, s->metrics, "/metrics");
	print_url("callhook " CALLHOOK_VERSION " is ready on", s->tls ? "https" : "http", s->conf.host,
			s->http, "");
	fflush(stdout);
	CH_LOG(&s->log, CH_LOG_INFO, "ready", CH_S("listen", s->conf.host),
			CH_I("port", http_server_port(s->http)), CH_S("store", s->conf.store_url),
			CH_S("tls", s->tls ? "yes" : "no"), CH_I("workers", s->conf.workers),
			CH_I("max_in_flight", (int64_t)s->conf.max_in_flight * s->conf.workers));
}

int cli_serve(int argc, char **argv)
{
	struct service s = {.clock = ch_clock_system(), .rand = ch_rand_system()};
	struct ch_err err = {0};
	struct opts o;
	int rc = opts_parse(&serve_page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "serve", "%s", err.text);
	rc = serve_conf_read(&o, &s.conf, &err);
	if (rc != 0) {
		serve_conf_fini(&s.conf);
		opts_fini(&o);
		return cli_fail(CLI_USAGE, "serve", "%s", err.text);
	}
	s.log = (struct ch_log){
			.fd = 2, .level = s.conf.log_level, .format = s.conf.log_format, .clock = s.clock};
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a store that refuses, and no reason to die */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = start(&s, &err);
	if (rc == 0) {
		announce(&s);
		event_base_dispatch(s.base);
	}
	stop(&s);
	if (rc == 0)
		CH_LOG(&s.log, CH_LOG_INFO, "stopped", CH_S("store", s.conf.store_url));
	curl_global_cleanup();
	libevent_global_shutdown();
	serve_conf_fini(&s.conf);
	opts_fini(&o);
	return rc == 0 ? CLI_DONE
		       : cli_fail(rc == CH_EINVAL ? CLI_USAGE : CLI_FAILED, "serve", "%s", err.text);
}
