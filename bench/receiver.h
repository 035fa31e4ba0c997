/* receiver.h - the endpoint that everything in the bench sends to.
 *
 * Role:      keep-alive HTTP/1.1, plain or TLS, one thread, epoll, as little work a request as can be;
 * answers POSTs at once, late, with 500 for some, or never, as it is told over a control port. Units: *_ns
 * are CLOCK_MONOTONIC nanoseconds, the clock of load.c and of Node's process.hrtime. Ownership: one struct
 * receiver a process; a peer belongs to it until its socket closes. Threads:   one. Errors:    a peer that
 * breaks the rules is closed; what the receiver itself lacks ends the process.
 */
#ifndef BENCH_RECEIVER_H
#define BENCH_RECEIVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define PEER_BYTES 8192 /* holds a request's head and the first bytes of its body */

enum peer_kind { PEER_LISTENER, PEER_CONTROL_LISTENER, PEER_CONTROL, PEER_CLIENT };
enum peer_state { PEER_READING, PEER_WAITING, PEER_HELD };

struct peer {
	TAILQ_ENTRY(peer) wait; /* PEER_WAITING: in receiver.waiting */
	enum peer_kind kind;
	enum peer_state state;
	int fd;
	SSL *ssl; /* NULL: plain */
	int64_t due_ns; /* PEER_WAITING */
	bool is_failing; /* the request under way is to get 500 */
	size_t have; /* bytes in data */
	size_t body_left; /* of the request under way, not yet read */
	char data[PEER_BYTES];
};

TAILQ_HEAD(peer_list, peer);

struct receiver {
	int epoll;
	SSL_CTX *tls; /* NULL: plain */
	struct peer_list waiting; /* by due_ns */
	/* told over the control port */
	int64_t delay_ns;
	unsigned fail_percent;
	bool is_hanging; /* requests that come now are never answered */
	/* counted */
	uint64_t requests, answered, failed, held, open;
	int64_t last_ns; /* of the last 200 */
	/* receipts of one run, by the number in the call's id */
	uint32_t run;
	size_t receipt_count;
	int64_t *receipts; /* 0: not yet */
	uint64_t doubles;
};

int64_t receiver_now_ns(void);

/* false: the peer is over, and freed. */
bool peer_readable(struct receiver *r, struct peer *p);
void peer_close(struct receiver *r, struct peer *p);
/* Answers those that are due; returns ms until the next, -1 for none. */
int peers_answer_due(struct receiver *r);

/* Answers one request of the control port: GET /stats, /set?delay_ms=&fail=&hang=, /record?run=HEX&count=,
 * /receipts. */
bool control_readable(struct receiver *r, struct peer *p);

#endif
