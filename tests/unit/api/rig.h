/* A loop with a virtual clock, an HTTP server on it, and raw clients of that server on the same loop. */
#ifndef TESTS_API_RIG_H
#define TESTS_API_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>

#include "api/http_server.h"
#include "base/buf.h"
#include "base/clock.h"

struct rig {
	struct event_base *base;
	struct ch_clock_virtual time;
	struct http_server *server;
	void (*turn)(struct rig *r); /* what else a turn of the loop does; NULL: nothing */
	void *ctx;
};

/* clock, base, host and port of conf are filled in. */
void rig_init(struct rig *r);
void rig_serve(struct rig *r, struct http_server_conf *conf);
void rig_fini(struct rig *r);
void rig_turn(struct rig *r); /* waits for something to happen, at most some ms */

struct client {
	struct rig *rig;
	int fd;
	struct event *event;
	struct ch_buf in;
	bool is_closed; /* by the server */
};

struct answer {
	int status; /* 0: the connection was closed without one */
	char *head; /* with its blank line */
	char *body; /* NUL behind it; chunks are put together */
	size_t body_len;
};

void client_open(struct client *c, struct rig *r);
void client_close(struct client *c);
void client_send(struct client *c, const void *data, size_t len);
void client_sends(struct client *c, const char *text);
/* Waits for the next whole answer; is_head: it has no body whatever it says. */
struct answer client_read(struct client *c, bool is_head);
void client_wait_closed(struct client *c);
void answer_fini(struct answer *a);
/* The value of a header into out ("" when it is not there). */
void answer_header(const struct answer *a, const char *name, char *out, size_t size);

/* One request on a connection of its own: sends text, reads one answer. */
struct answer rig_ask(struct rig *r, const char *text, size_t len);

#endif
