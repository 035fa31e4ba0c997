/* A receiver that costs as little as it can: keep-alive HTTP/1.1, one thread, epoll, answers 200 to every
 * POST and counts them; GET answers the count. The limit and everything measured against it send to this. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES 65536
#define EVENTS_MAX 256

struct connection {
	int fd;
	bool is_listener; /* of the rest only fd is used then */
	size_t have; /* bytes in data */
	size_t body_left; /* of the body being skipped */
	char data[BUFFER_BYTES];
};

static unsigned long long posts;

static const char posted[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

static size_t content_length(const char *head, size_t len)
{
	static const char name[] = "\ncontent-length:";

	for (size_t i = 0; i + sizeof(name) < len; i++)
		if (head[i] == '\n' && !strncasecmp(head + i, name, sizeof(name) - 1))
			return strtoul(head + i + sizeof(name) - 1, NULL, 10);
	return 0;
}

static bool answer(struct connection *c, bool is_get)
{
	char counted[160];
	int len;

	if (!is_get) {
		posts++;
		return write(c->fd, posted, sizeof(posted) - 1) == (ssize_t)sizeof(posted) - 1;
	}
	len = snprintf(counted + 80, 80, "%llu\n", posts);
	len = snprintf(counted, 80, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%llu\n", len, posts);
	return write(c->fd, counted, (size_t)len) == len;
}

/* Serves each whole request at the front of the buffer; false: the connection is over. */
static bool serve(struct connection *c)
{
	for (;;) {
		size_t skip = c->body_left < c->have ? c->body_left : c->have;
		char *end;
		size_t head;

		memmove(c->data, c->data + skip, c->have - skip);
		c->have -= skip;
		c->body_left -= skip;
		if (skip > 0 && c->body_left == 0 && !answer(c, false))
			return false;
		if (c->body_left > 0 || c->have == 0)
			return true;
		end = memmem(c->data, c->have, "\r\n\r\n", 4);
		if (!end)
			return c->have < BUFFER_BYTES;
		head = (size_t)(end - c->data) + 4;
		c->body_left = content_length(c->data, head);
		if (c->body_left == 0 && !answer(c, c->data[0] == 'G'))
			return false;
		memmove(c->data, c->data + head, c->have - head);
		c->have -= head;
	}
}

static void read_some(struct connection *c)
{
	ssize_t got = read(c->fd, c->data + c->have, BUFFER_BYTES - c->have);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		c->have += (size_t)got;
	if (got <= 0 || !serve(c)) {
		close(c->fd);
		free(c);
	}
}

static void take_connection(int listener, int epoll)
{
	struct connection *c;
	int one = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
}

/* Listens on 127.0.0.`host`; port 0: any, and *port says which. */
static int listen_on(unsigned host, uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 | host)};
	socklen_t at_len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	at.sin_port = htons(*port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1024) != 0 ||
			getsockname(fd, (struct sockaddr *)&at, &at_len) != 0) {
		perror("receiver");
		exit(1);
	}
	*port = ntohs(at.sin_port);
	return fd;
}

/* Arguments: how many addresses, from 127.0.0.1 on, to listen on. Prints the port, the same on all. */
int main(int argc, char **argv)
{
	static struct connection listeners[64];
	struct epoll_event events[EVENTS_MAX];
	unsigned hosts = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
	uint16_t port = 0;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < hosts && i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		listeners[i].fd = listen_on(i + 1, &port);
		listeners[i].is_listener = true;
		epoll_ctl(epoll, EPOLL_CTL_ADD, listeners[i].fd,
				&(struct epoll_event){.events = EPOLLIN, .data.ptr = &listeners[i]});
	}
	printf("%u\n", port);
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			if (c->is_listener)
				take_connection(c->fd, epoll);
			else
				read_some(c);
		}
	}
}
