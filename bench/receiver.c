/* The bench's endpoint, see receiver.h. The limit and everything measured against it send to this. */
#include "receiver.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define HOSTS_MAX 8000

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct peer *watch(struct receiver *r, int fd, enum peer_kind kind)
{
	struct peer *p = calloc(1, sizeof(*p));
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};

	if (!p)
		die("receiver");
	p->fd = fd;
	p->kind = kind;
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		die("receiver: epoll");
	return p;
}

static void take_connections(struct receiver *r, const struct peer *listener)
{
	int one = 1;
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct peer *p;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		p = watch(r, fd, listener->kind == PEER_LISTENER ? PEER_CLIENT : PEER_CONTROL);
		r->open += p->kind == PEER_CLIENT;
		if (!r->tls || p->kind != PEER_CLIENT)
			continue;
		p->ssl = SSL_new(r->tls);
		if (!p->ssl || SSL_set_fd(p->ssl, fd) != 1)
			die("receiver: TLS");
		SSL_set_accept_state(p->ssl);
	}
}

/* Listens on 127.0.0.0 + host; port 0: any, and *port says which. */
static void listen_on(struct receiver *r, unsigned host, uint16_t *port, enum peer_kind kind)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + host)};
	socklen_t at_len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	at.sin_port = htons(*port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 4096) != 0 ||
			getsockname(fd, (struct sockaddr *)&at, &at_len) != 0)
		die("receiver: listen");
	*port = ntohs(at.sin_port);
	watch(r, fd, kind);
}

static void use_tls(struct receiver *r, const char *pem)
{
	r->tls = SSL_CTX_new(TLS_server_method());
	if (!r->tls || SSL_CTX_use_certificate_chain_file(r->tls, pem) != 1 ||
			SSL_CTX_use_PrivateKey_file(r->tls, pem, SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "receiver: %s is no certificate with its key\n", pem);
		exit(1);
	}
}

static void loop(struct receiver *r)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int n = epoll_wait(r->epoll, events, EVENTS_MAX, peers_answer_due(r));

		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (p->kind == PEER_CLIENT)
				peer_readable(r, p);
			else if (p->kind == PEER_CONTROL)
				control_readable(r, p);
			else
				take_connections(r, p);
		}
	}
}

/* Prints the endpoints' port, the same on all addresses, and the control port. */
int main(int argc, char **argv)
{
	static struct receiver r;
	unsigned hosts = 1;
	uint16_t port = 0, control_port = 0;

	TAILQ_INIT(&r.waiting);
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int c; (c = getopt(argc, argv, "n:t:")) != -1;) {
		if (c == 'n') {
			hosts = (unsigned)strtoul(optarg, NULL, 10);
		} else if (c == 't') {
			use_tls(&r, optarg);
		} else {
			fprintf(stderr, "usage: receiver [-n ADDRESSES] [-t PEM]\n");
			return 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 1; i <= hosts && i <= HOSTS_MAX; i++)
		listen_on(&r, i, &port, PEER_LISTENER);
	listen_on(&r, 1, &control_port, PEER_CONTROL_LISTENER);
	printf("%u %u\n", port, control_port);
	fflush(stdout);
	loop(&r);
}
