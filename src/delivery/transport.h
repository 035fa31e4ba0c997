/* delivery/transport.h - one POST to one endpoint, however it travels.
 *
 * Role:      the contract between the engine and the network. transport_curl is the real one,
 *            transport_sim the simulated one. Name look-up, the check of the address that is really
 *            connected to, TLS, keep-alive, deadline and the bound on the answer are in here; what a
 *            result means is not. A job with a check goes the same way and sends nothing.
 * Ownership: a job is the engine's; the transport borrows it from send until done is called.
 * Threads:   one loop; done runs on it, never from inside send.
 * Errors:    none from send: every job ends in done, with attempt.outcome set.
 */
#ifndef CH_DELIVERY_TRANSPORT_H
#define CH_DELIVERY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/delivery.h"
#include "model/url.h"

struct transport;

#define TRANSPORT_FOUND_MAX 16

/* How far a POST would come. The job goes the whole way to the endpoint on a connection of its own and stops
 * before the first byte of a request. */
struct transport_check {
	struct {
		struct address address;
		const char *refusal; /* a constant; NULL: it may be connected to */
	} found[TRANSPORT_FOUND_MAX]; /* what the name stands for, or the literal */
	size_t found_count;
	bool is_ready; /* the request would go out now; attempt.outcome is ANSWERED, without a status */
	bool is_proxied; /* the egress proxy looks names up and checks addresses: nothing is found */
	bool is_unseen; /* it takes plain requests as they are: only one would show whether it gets through */
};

struct transport_job {
	/* in: borrowed until done */
	struct id endpoint; /* connections and TLS sessions are kept per endpoint (webhook id) */
	const struct url *url; /* parsed; the transport still checks every address it connects to */
	const char *const *headers; /* "Name: value", no line ends; all but Host and Content-Length */
	size_t header_count;
	struct ch_bytes *body; /* NULL: only with check */
	struct transport_check *check; /* filled instead of sending; NULL: a POST */
	int timeout_ms; /* look-up, connect, TLS and the whole answer */
	int connections_max; /* of this endpoint, kept for reuse */
	bool is_slow; /* keep apart from quick endpoints (own CURLM) */

	/* out: fields outcome to answer_len and retry_after_s; the rest is the engine's. retry_after_s
	 * is read from the answer's header with policy/outcome. */
	struct attempt attempt;
	bool reused_connection;

	void (*done)(struct transport_job *job);
	void *transport_data; /* the transport's while borrowed */
};

struct transport {
	void (*send)(struct transport *t, struct transport_job *job);
	/* Ends the job soon as ATTEMPT_LOCAL "canceled"; done is still called, later. With connect_us, an
	 * address or reused_connection it was connected and the request may be out; else it is not. */
	void (*cancel)(struct transport *t, struct transport_job *job);
	/* The endpoint's URL or TLS settings changed, or it is gone: no connection of it is used again. */
	void (*forget)(struct transport *t, const struct id *endpoint);
	void (*destroy)(struct transport *t); /* no job may be under way */
};

/* ---- the real one: libcurl multi on a libevent loop ---- */

struct event_base;
struct resolver;

struct transport_curl_conf {
	struct event_base *base;
	struct ch_clock clock;
	struct address_policy addresses;
	const char *ca_file; /* added to the system's authorities; NULL: none */
	const char *egress_proxy; /* NULL: none; then the proxy resolves and checks */
	const char *const *dns_servers; /* "127.0.0.1:5353", NULL-terminated; NULL: the system's */
	int shards; /* CURLMs quick endpoints are spread over, 1..64; 0: 32. Slow ones get as many */
	int connect_timeout_ms; /* of the job's deadline, for connect and TLS; 5000 */
	int idle_ms; /* an idle connection is closed after; 60000 */
};

/* CH_EINVAL: the CA file or proxy is unusable. curl_global_init must have been called. */
int transport_curl_create(const struct transport_curl_conf *conf, struct transport **ret,
		struct ch_err *err) CH_MUST_USE;

#endif
