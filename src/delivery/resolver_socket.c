#include "delivery/resolver_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

struct name_socket {
	struct ch_list link;
	struct event event;
	ares_socket_t fd;
};

static ares_socket_t socket_open(int domain, int type, int protocol, void *ctx)
{
	struct resolver_sockets *r = ctx;
	int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	r->lacks_descriptor =
			fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
	return fd;
}

static int socket_close(ares_socket_t fd, void *ctx)
{
	return close(fd);
}

static int socket_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len, void *ctx)
{
	return connect(fd, to, len);
}

static ares_ssize_t socket_receive(ares_socket_t fd, void *buf, size_t len, int flags, struct sockaddr *from,
		ares_socklen_t *from_len, void *ctx)
{
	return recvfrom(fd, buf, len, flags, from, from_len);
}

/* Not writev: a name server that hangs up on TCP must not raise SIGPIPE. Over TCP c-ares hands in all it
 * has queued and takes a short count for an answer. */
static ares_ssize_t socket_send(ares_socket_t fd, const struct iovec *parts, int count, void *ctx)
{
	struct iovec copy[4];
	size_t n = (size_t)count < sizeof(copy) / sizeof(copy[0]) ? (size_t)count
								  : sizeof(copy) / sizeof(copy[0]);
	memcpy(copy, parts, n * sizeof(copy[0]));
	struct msghdr msg = {.msg_iov = copy, .msg_iovlen = n};
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

const struct ares_socket_functions resolver_socket_functions = {
		.asocket = socket_open,
		.aclose = socket_close,
		.aconnect = socket_connect,
		.arecvfrom = socket_receive,
		.asendv = socket_send,
};

static void socket_is_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct resolver_sockets *r = ctx;
	ares_process_fd(r->channel, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
			(what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
}

static struct name_socket *socket_find(struct resolver_sockets *r, ares_socket_t fd)
{
	CH_LIST_FOREACH (&r->watched, it, nx) {
		struct name_socket *s = CH_CONTAINER_OF(it, struct name_socket, link);
		if (s->fd == fd)
			return s;
	}
	return NULL;
}

static void socket_forget(struct name_socket *s)
{
	ch_list_unlink(&s->link);
	ch_free(s);
}

/* Without memory for a watcher the socket is looked at by resolver_sockets_poll. */
void resolver_sockets_watch(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct resolver_sockets *r = ctx;
	struct name_socket *s = socket_find(r, fd);
	short what = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	if (s != NULL)
		event_del(&s->event);
	if (!readable && !writable) {
		if (s != NULL)
			socket_forget(s);
		return;
	}
	if (s == NULL) {
		s = ch_calloc(1, sizeof(*s));
		if (s == NULL) {
			r->has_unwatched = true;
			return;
		}
		s->fd = fd;
		ch_list_push_back(&r->watched, &s->link);
	}
	event_assign(&s->event, r->base, fd, what, socket_is_ready, r);
	if (event_add(&s->event, NULL) != 0) {
		socket_forget(s);
		r->has_unwatched = true;
	}
}

void resolver_sockets_poll(struct resolver_sockets *r)
{
	ares_socket_t fds[ARES_GETSOCK_MAXNUM];
	if (!r->has_unwatched)
		return;
	r->has_unwatched = false;
	int wanted = ares_getsock(r->channel, fds, ARES_GETSOCK_MAXNUM);
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		if (ARES_GETSOCK_READABLE(wanted, i)) {
			r->has_unwatched = true;
			ares_process_fd(r->channel, fds[i], fds[i]);
		}
	}
}

void resolver_sockets_init(struct resolver_sockets *r, struct event_base *base)
{
	*r = (struct resolver_sockets){.base = base};
	ch_list_init(&r->watched);
}

void resolver_sockets_fini(struct resolver_sockets *r)
{
	while (!ch_list_is_empty(&r->watched)) {
		struct name_socket *s = CH_CONTAINER_OF(r->watched.next, struct name_socket, link);
		event_del(&s->event);
		socket_forget(s);
	}
}
