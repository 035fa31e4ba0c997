/* api/http_server.h - HTTP in: listening, limits, requests and answers.
 *
 * Role:      accepts connections, enforces the limits (header and body size, time, connections),
 *            hands each whole request to one handler and sends its answer. Knows no route. Used by the
 *            API and by the command line's receiver. HTTP/1.1 and 1.0, keep-alive, pipelining, chunked
 *            bodies, Expect: 100-continue.
 * Ownership: an exchange is the server's; the handler may keep the pointer until it replies, exactly
 *            once, now or later, on the loop's thread. The client may be gone by then, and even the
 *            server destroyed: replying is still right and harmless.
 * Threads:   one loop.
 * Errors:    start: CH_EIO with the address and the reason. What is wrong before there is a whole request
 *            (framing, limits, time) is answered here, as a problem document, and the connection ends.
 */
#ifndef CH_API_HTTP_SERVER_H
#define CH_API_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/address.h"

struct event_base;
struct http_server;
struct http_exchange;
struct http_tls;

struct http_server_conf {
	struct event_base *base;
	struct ch_clock clock;
	const char *host; /* "127.0.0.1", "::1" */
	uint16_t port; /* 0: any free one, see http_server_port */
	int listen_fd; /* >= 0: use this listening socket instead of host and port (takes it, on
			  success only); else -1 */
	size_t header_max_bytes; /* 0: 32 KiB */
	size_t body_max_bytes; /* 0: 1 MiB + 64 KiB */
	/* The limit for a path, instead of body_max_bytes; NULL: none. Asked once the header is there. */
	size_t (*body_max_of)(void *ctx, const char *method, const char *path);
	int request_timeout_ms; /* from the first byte of a request to its last, and of a TLS handshake;
				   0: 30000 */
	/* How quickly a client must take an answer once it has fallen behind; in all it may be as late as
	 * request_timeout_ms. 0: 4096 bytes a second. */
	int64_t send_min_bytes_s;
	int idle_timeout_ms; /* a kept-alive connection without a request; 0: 75000 */
	int connections_max; /* 0: 4096. Beyond it the longest idle one makes room, or it is a 503; out of
				descriptors too, or accepting pauses */
	struct http_tls *tls; /* HTTPS, with this certificate; must outlive the server; NULL: plain HTTP */
	/* Proxies whose X-Forwarded-For and -Proto are believed; borrowed. */
	const struct network *trusted;
	size_t trusted_count;
	struct ch_log *log; /* NULL: silent */
	void (*handle)(void *ctx, struct http_exchange *x);
	void *ctx;
};

struct http_header {
	const char *name;
	const char *value;
};

struct http_response {
	int status;
	const char *content_type; /* NULL: no body */
	const struct http_header *headers; /* more of them; borrowed for the call */
	size_t header_count;
	struct ch_bytes *body; /* a reference is taken; or NULL */
	const char *text; /* used when body is NULL; copied; may be NULL */
	size_t text_len;
	bool close; /* end the connection after the answer */
	bool wipe; /* it holds a secret, and the request may: overwrite both once it is sent */
};

int http_server_start(const struct http_server_conf *conf, struct http_server **ret,
		struct ch_err *err) CH_MUST_USE;
uint16_t http_server_port(const struct http_server *s);
/* Stops listening and closes idle connections; those with an exchange under way go on. */
void http_server_drain(struct http_server *s);
size_t http_server_busy(const struct http_server *s); /* exchanges not yet answered and sent */
size_t http_server_connections(const struct http_server *s);
void http_server_destroy(struct http_server **s); /* closes what is left */

const char *http_method(const struct http_exchange *x); /* "GET"; HEAD is served as GET without its body */
const char *http_path(const struct http_exchange *x); /* raw, without the query; begins with / */
const char *http_query(const struct http_exchange *x); /* raw, behind the ?; "" when none */
const char *http_header_get(const struct http_exchange *x, const char *name); /* first; NULL: none */
/* All request headers in order: calls each for every one. */
void http_header_each(const struct http_exchange *x,
		void (*each)(void *ctx, const char *name, const char *value), void *ctx);
const char *http_body(const struct http_exchange *x,
		size_t *ret_len); /* never NULL; contiguous, not NUL-terminated */
const char *http_peer(const struct http_exchange *x); /* address as text */
/* The same, or, behind trusted proxies, whom they name: the nearest address that is none of theirs. */
void http_client_address(const struct http_exchange *x, char out[ADDRESS_TEXT_MAX]);
/* It came encrypted, or the trusted proxy says in X-Forwarded-Proto that it did. Ask before the first wait.
 */
bool http_is_https(const struct http_exchange *x);

bool http_is_head(const struct http_exchange *x); /* no body will be sent */
bool http_has_body(const struct http_exchange *x); /* it was framed as one, be it empty */

void http_reply(struct http_exchange *x, const struct http_response *response);

/* An answer of unknown length, in pieces: start (a response without body and text), any number of more,
 * end; the exchange is gone after end. What the client does not read piles up in memory, so a handler asks
 * for the backlog and waits: drained runs once, from the loop, when a backlog that was not 0 has become 0,
 * or when the client is gone - then the backlog is 0 for ever and more does nothing. more forgets drained:
 * ask again after it, while there is a backlog. */
void http_reply_start(struct http_exchange *x, const struct http_response *response);
void http_reply_more(struct http_exchange *x, const void *data, size_t len);
size_t http_reply_backlog(const struct http_exchange *x); /* bytes */
void http_reply_on_drain(struct http_exchange *x, void (*drained)(void *ctx), void *ctx);
bool http_is_gone(const struct http_exchange *x); /* known to be; false says little */
/* Of a stream that was started, or of a request whose answer waits: a client that ends its side has left.
 * Otherwise it may still wait for the answer to what it sent, and is known to be gone only when that can't be
 * sent. */
void http_reply_end_with_client(struct http_exchange *x);
void http_reply_end(struct http_exchange *x);
void http_reply_abort(struct http_exchange *x); /* the client sees that the end is missing */

#endif
