/* tests/unit/delivery/test_transport_kit.h - receivers, name servers and jobs for the transport's tests.
 *
 * Role:      everything runs on one libevent loop beside the transport under test; a receiver's behaviour
 *            is a function per request. Addresses are 127.0.0.1 with ports the system picks.
 */
#ifndef TEST_TRANSPORT_KIT_H
#define TEST_TRANSPORT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdbool.h>

#include "delivery/transport.h"

/* ---- receivers ---- */

struct receiver;

struct peer { /* one accepted connection */
	struct receiver *of;
	struct bufferevent *bev;
	struct event tick;
	int requests; /* on this connection */
	const char *block; /* what peer_push repeats */
};

struct receiver {
	struct event_base *base;
	struct evconnlistener *listener;
	uint16_t port;
	int accepted, requests;
	int closed; /* connections that the other side ended */
	size_t pushed; /* bytes that peer_push got rid of, the kernel's buffers included */
	char last_request[8192]; /* of the last one: head and body */
	void (*on_request)(struct peer *p);
	void (*on_accept)(struct peer *p); /* NULL: nothing */
	void (*on_bytes)(struct peer *p); /* instead of parsing requests; NULL: parse */
	struct peer *peers[64];
	int peer_count;
};

void receiver_open(struct receiver *r, struct event_base *base, void (*on_request)(struct peer *p));
/* The same port as another one's, on another address. */
void receiver_open_beside(struct receiver *r, const struct receiver *other, const char *address);
void receiver_close(struct receiver *r);
/* Connections from now on take little before they are read. */
void receiver_narrow(struct receiver *r);
void peer_send(struct peer *p, const char *text);
void peer_send_bytes(struct peer *p, const void *data, size_t len);
/* The block again and again, as fast as it is taken. */
void peer_push(struct peer *p, const char *block);
void peer_answer(struct peer *p, int status, const char *headers, const char *body); /* with Content-Length */
void peer_close(struct peer *p); /* after what was sent is out */
void peer_reset(struct peer *p);
void peer_tick(struct peer *p, void (*fn)(evutil_socket_t fd, short what, void *peer), int ms); /* repeats */

void answer_ok(struct peer *p); /* 200 "ok" */
void answer_nothing(struct peer *p);

/* ---- a name server ---- */

struct dns_entry {
	const char *name;
	const char *addresses[4]; /* IPv4; NULL-terminated */
	const char *later[4]; /* from the second question on; all NULL: as before */
	const char *v6; /* NULL: no AAAA record */
	int times; /* the addresses so many times over; 0: once */
	const char *aliases[4]; /* CNAMEs, one after the other, before the addresses */
	int ttl;
	bool is_silent;
	bool is_missing; /* "no such name" */
	bool drops_v6; /* silent to AAAA questions */
	bool is_held; /* silent until dns_release */
	bool is_v6_held; /* to AAAA questions only */
	bool is_cut; /* whole over TCP only */
	void (*spoil)(uint8_t *answer, size_t *len); /* room: DNS_ANSWER_MAX; NULL: nothing */
	int asked; /* A questions */
	int asked_v6;
};

#define DNS_ANSWER_MAX 60000

struct dns {
	struct event event;
	struct evconnlistener *tcp;
	int fd;
	uint16_t port;
	char text[32]; /* "127.0.0.1:port" */
	struct dns_entry *entries;
	int count;
	struct dns_held {
		struct sockaddr_in from;
		uint8_t data[512];
		size_t len;
	} held[8];
	int held_count;
	struct bufferevent *streams[8];
	int stream_count;
};

void dns_open(struct dns *d, struct event_base *base, struct dns_entry *entries, int count);
/* On another address, at another one's port. */
void dns_open_beside(struct dns *d, const struct dns *other, const char *address);
void dns_close(struct dns *d);
void dns_release(struct dns *d); /* answers what was held, and holds nothing more */

/* ---- the transport ---- */

struct kit {
	struct event_base *base;
	struct transport *transport;
	struct transport_curl_conf conf;
	int64_t skew_ms; /* added to the clock, so that a test can age what is kept */
	int64_t step_ms; /* that the clock moves on with each look at it */
};

/* Loopback is allowed unless conf says otherwise; fields set before kit_open stay. */
void kit_init(struct kit *k);
void kit_open(struct kit *k);
void kit_close(struct kit *k);

/* A kit with a receiver and a name server; the transport is the caller's to open. */
struct net {
	struct kit kit;
	struct receiver receiver;
	struct dns dns;
	const char *servers[2];
};

struct net *net_begin(struct dns_entry *entries, int count);
void net_end(void);

struct post {
	struct transport_job job;
	struct url url;
	int done;
	void (*then)(struct post *p); /* NULL: nothing */
	void *ctx;
};

void post_init(struct post *p, const char *url_format, ...) CH_PRINTF(2, 3);
void post_fini(struct post *p);
/* From now on nothing is sent: what is found stands in check. */
void post_check(struct post *p, struct transport_check *check);
void post_again(struct post *p); /* frees the last attempt, keeps the rest */
void post_send(struct kit *k, struct post *p);
void post_wait(struct kit *k, struct post *p); /* fails the test when it takes more than 10 s */
void post_run(struct kit *k, struct post *p); /* send and wait */
/* Turns the loop until *n >= at_least. */
void kit_until(struct kit *k, const int *n, int at_least);

#define assert_outcome(p, expected)                                                                          \
	assert_string_equal(attempt_outcome_name((p)->job.attempt.outcome), attempt_outcome_name(expected))
#define assert_words(p, part)                                                                                \
	do {                                                                                                 \
		if ((p)->job.attempt.detail == NULL || strstr((p)->job.attempt.detail, (part)) == NULL)      \
			fail_msg("\"%s\" does not say \"%s\"",                                               \
					(p)->job.attempt.detail ? (p)->job.attempt.detail : "(null)",        \
					(part));                                                             \
	} while (0)

#endif
