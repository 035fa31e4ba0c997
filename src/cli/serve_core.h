/* cli/serve_core.h - a running service, for serve.c (start and end) and serve_stop.c (the way to the end).
 *
 * Threads:   the main loop's, but for has_workers.
 */
#ifndef CH_CLI_SERVE_CORE_H
#define CH_CLI_SERVE_CORE_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "api/commit_bell.h"
#include "api/http_tls.h"
#include "cli/boot.h"
#include "cli/serve_conf.h"

#define SERVE_SIGNALS 3
extern const int serve_signals[SERVE_SIGNALS]; /* that the main loop takes */

/* Everything that runs, in the order it is started; stopped the other way round. */
struct service {
	struct serve_conf conf;
	struct ch_clock clock;
	struct ch_rand rand;
	struct ch_log log;
	struct event_base *base;
	struct ch_port port;
	bool has_port;
	struct event *port_event;
	struct event *signals[SERVE_SIGNALS];
	struct event *stop_timer;
	struct store_client *store;
	struct boot_accounts accounts;
	struct store_spent *spent;
	size_t spent_count;
	uint8_t seal_key[CH_SEAL_KEY_BYTES];
	struct workers workers;
	struct store_watcher watcher; /* the loops' */
	struct commit_bell bell;
	atomic_bool has_workers; /* the loops are there to be told of commits */
	struct api *api;
	struct http_tls *tls; /* NULL: plain HTTP */
	struct http_server *http;
	struct http_server *metrics; /* NULL: beside the API */
	bool is_stopping;
	bool has_stopper;
	struct ch_mono stop_until; /* the end of the grace: one for answers and attempts alike */
	bool is_ending; /* the API has nothing more to answer, or may no longer; the loops end */
	int64_t refused_since_ms; /* mono; 0: the store takes results, or something is in flight */
	bool is_hurried;
	pthread_t stopper;
	int left_ms; /* of the grace, for the stopper; not written once it runs */
	struct ch_msg stopped;
};

/* Callbacks of the loop; ctx is the service. */
void serve_on_signal(evutil_socket_t number, short what, void *ctx);
void serve_on_stop_look(evutil_socket_t fd, short what, void *ctx);

#endif
