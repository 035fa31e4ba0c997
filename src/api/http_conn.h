/* api/http_conn.h - one connection of the HTTP server: its states, buffers and deadlines.
 *
 * Role:      between http_server.c (listening, limits of the whole), http_conn.c (reading), http_send.c
 *            (writing), http_io.c (the socket, with TLS or without) and http_exchange.c (what a handler
 *            sees). Nobody else includes this.
 * Units:     mono ms; bytes.
 * Ownership: references: one while the socket is open, one while a handler has the exchange, one for
 *            the length of each entry from the loop. The last one frees.
 * Threads:   one loop.
 *
 *    HANDSHAKE, with TLS
 *     ▼
 *    IDLE ──first byte──► HEAD ──whole head──► BODY ──whole body──► HANDLING
 *     ▲                     │                    │                    │ │ http_reply_start
 *     │                     └──── fault ─────────┴──────┐    http_reply ▼
 *     │                                                 ▼       │   STREAMING
 *     └─────────────── kept alive ◄─────────────────  SENDING ◄─┴─────┘ http_reply_end
 *                                                       │ to be closed
 *                                                       ▼
 *                                                    LINGER ──► CLOSED (from every state)
 */
#ifndef CH_API_HTTP_CONN_H
#define CH_API_HTTP_CONN_H

#include <sys/socket.h>

#include "api/http_chunked.h"
#include "api/http_head.h"
#include "api/http_server.h"
#include "base/buf.h"
#include "base/list.h"
#include "model/address.h"

struct event;
struct ssl_st;

#define HTTP_READ_BYTES (64 * 1024)
#define HTTP_BODY_READ_BYTES (256 * 1024)
#define HTTP_LINGER_MS 5000
#define HTTP_NEW_MS 1000 /* for so long a connection without a request is new, then it is idle */
#define HTTP_TURN_REQUESTS 16 /* pipelined ones served before other connections get their turn */
/* Requests being received or handled may hold this much together; beyond it new bodies are a 503. */
#define HTTP_BUFFERED_MAX ((size_t)256 * 1024 * 1024)

enum http_conn_state {
	CONN_HANDSHAKE,
	CONN_IDLE,
	CONN_HEAD,
	CONN_BODY,
	CONN_HANDLING,
	CONN_STREAMING,
	CONN_SENDING,
	CONN_LINGER,
	CONN_CLOSED
};

/* What a connection waits for; each has one timeout, so that its list is in the order of deadlines. */
enum http_wait { WAIT_HANDSHAKE, WAIT_IDLE, WAIT_REQUEST, WAIT_SEND, WAIT_LINGER, WAIT_HANDLER, WAIT_COUNT };

struct http_server {
	struct http_server_conf conf; /* defaults filled in */
	int fd; /* listening; -1 once drained */
	uint16_t port;
	struct event *accept_event;
	struct event *resume_event; /* listens again after descriptors ran out */
	struct event *again_event; /* goes on with those in again, behind what waits on sockets */
	struct ch_list again;
	struct event *tick_event; /* looks at deadlines; pending while there are connections */
	int tick_ms;
	int wait_ms[WAIT_COUNT]; /* 0: no deadline */
	struct ch_list waits[WAIT_COUNT];
	size_t connections;
	size_t busy;
	size_t buffered; /* bytes of all input buffers */
	bool is_draining;
	int64_t date_s;
	char date[30];
	char scratch[HTTP_READ_BYTES];
};

struct http_exchange {
	struct http_conn *conn;
	struct http_head head;
	struct http_chunked chunked;
	size_t raw_len; /* bytes of the request eaten so far, head included */
	size_t body_len; /* behind the head in the buffer, decoded */
	size_t body_max;
	bool is_busy; /* counted in server->busy */
	bool is_streaming;
	bool is_plain; /* a stream to HTTP/1.0: it ends with the connection, no chunks */
	bool ends_with_client; /* nobody is left to read the answer once the client has ended its side */
	bool is_bare; /* the stream's client asked for HEAD: no body at all */
	void (*drained)(void *ctx);
	void *drained_ctx;
};

struct http_conn {
	struct ch_list link; /* in server->waits */
	struct ch_list again; /* in server->again: its buffer holds more requests than a turn serves */
	struct http_server *server; /* NULL: destroyed; state is CLOSED then */
	unsigned refs;
	int fd;
	struct ssl_st *ssl; /* NULL: no TLS */
	enum http_conn_state state;
	int64_t since_ms; /* when it began to wait */
	struct event *read_event;
	struct event *write_event;
	bool is_read_off; /* read_event is not pending */
	bool is_write_on; /* write_event is pending */
	bool is_advancing; /* conn_advance is on the stack */
	bool wipe; /* in and out hold a secret */
	bool close_after; /* once all is sent */
	bool has_served; /* a request at least */
	struct ch_buf in;
	size_t in_at; /* where the present request begins */
	size_t scanned; /* of its head, from in_at */
	size_t in_counted; /* in.cap as it is part of server->buffered */
	struct http_exchange *x; /* from a whole head to the answer's last byte */
	bool is_behind; /* the client has not taken all that could be sent */
	int64_t behind_ms; /* since when */
	int64_t behind_taken; /* bytes that it took since */
	struct ch_buf out;
	size_t out_at;
	struct ch_bytes *out_body; /* goes out behind out */
	size_t out_body_at;
	char peer[ADDRESS_TEXT_MAX]; /* "": not known */
};

/* http_conn.c */
int http_conn_open(struct http_server *s, int fd,
		const struct sockaddr *sa) CH_MUST_USE; /* takes fd on success */
void http_conn_ref(struct http_conn *c);
void http_conn_unref(struct http_conn *c);
void http_conn_close(struct http_conn *c);
void http_conn_timed_out(struct http_conn *c);
void http_conn_wait(struct http_conn *c, enum http_conn_state state, enum http_wait wait);
void http_conn_advance(struct http_conn *c); /* goes on with what the buffer holds */
void http_conn_sent(struct http_conn *c); /* the answer is out: the next request, or the end */

/* http_send.c */
void http_send_fill(
		struct http_conn *c, const struct http_response *r, bool is_stream); /* into out; may close */
void http_send_fault(
		struct http_conn *c, const struct http_fault *fault); /* answers it and ends the connection */
void http_send_flush(struct http_conn *c);
void http_send_on_writable(int fd, short what, void *conn);
void http_send_continue(struct http_conn *c);
void http_send_set_writable(struct http_conn *c, bool on); /* may close */
void http_send_told_gone(struct http_conn *c); /* runs drained, if a handler waits for it */

/* http_io.c: bytes through the socket, the only place that knows whether there is TLS in between */
int http_io_open(struct http_conn *c) CH_MUST_USE;
void http_io_close(struct http_conn *c); /* all but the socket itself */
void http_io_handshake(struct http_conn *c); /* goes on with it; may close */
ssize_t http_io_recv(struct http_conn *c, void *to, size_t len); /* as recv */
int http_io_send(struct http_conn *c) CH_MUST_USE; /* of out and out_body: 0 all is out, CH_EAGAIN, CH_EIO */
/* All at once, or CH_EAGAIN when nothing of it is out, or CH_EIO. */
int http_io_send_line(struct http_conn *c, const char *line, size_t len) CH_MUST_USE;
void http_io_end(struct http_conn *c); /* nothing more is sent */

/* http_server.c */
void http_server_again(struct http_server *s, struct http_conn *c);
const char *http_server_date(struct http_server *s); /* for the Date header */

#endif
