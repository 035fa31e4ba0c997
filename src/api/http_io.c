#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "api/http_conn.h"
#include "api/http_tls.h"

int http_io_open(struct http_conn *c)
{
	if (!c->server->conf.tls)
		return 0;
	c->ssl = http_tls_open(c->server->conf.tls, c->fd);
	return c->ssl ? 0 : CH_ENOMEM;
}

void http_io_close(struct http_conn *c)
{
	if (!c->ssl)
		return;
	http_tls_end(c->ssl);
	http_tls_free(&c->ssl);
}

void http_io_end(struct http_conn *c)
{
	if (c->ssl)
		http_tls_end(c->ssl);
	shutdown(c->fd, SHUT_WR);
}

/* Whoever forgot the s of https is told, not left with a connection that breaks. */
static void tell_plain(struct http_conn *c)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
				     "Content-Type: text/plain\r\nContent-Length: 24\r\n\r\n"
				     "this port speaks https.\n";

	http_tls_free(&c->ssl);
	(void)!send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	http_io_end(c);
	http_conn_wait(c, CONN_LINGER, WAIT_LINGER);
}

void http_io_handshake(struct http_conn *c)
{
	char words[200] = "";

	enum http_tls_step step = http_tls_handshake(c->ssl, words, sizeof(words));
	http_send_set_writable(c, step == HTTP_TLS_WANTS_WRITE);
	if (c->state != CONN_HANDSHAKE)
		return;
	switch (step) {
	case HTTP_TLS_DONE:
		http_conn_wait(c, CONN_IDLE, WAIT_IDLE);
		return;
	case HTTP_TLS_WANTS_READ:
	case HTTP_TLS_WANTS_WRITE:
		return; /* one deadline for all of it */
	case HTTP_TLS_IS_PLAIN:
		tell_plain(c);
		return;
	case HTTP_TLS_FAILED:
		CH_LOG(c->server->conf.log, CH_LOG_DEBUG, "tls_failed", CH_S("client", c->peer),
				CH_S("reason", words));
		http_conn_close(c);
		return;
	}
}

ssize_t http_io_recv(struct http_conn *c, void *to, size_t len)
{
	return c->ssl ? http_tls_recv(c->ssl, to, len) : recv(c->fd, to, len, 0);
}

/* Head and body in one record when they fit: two would be two packets. The bytes stay the same when they are
 * offered again, as TLS asks for it. */
static ssize_t send_record(struct http_conn *c, const struct iovec *parts, size_t count)
{
	char *to = c->server->scratch;
	size_t len = 0;

	if (count == 1)
		return http_tls_send(c->ssl, parts[0].iov_base, parts[0].iov_len);
	for (size_t i = 0; i < count; i++) {
		size_t left = HTTP_TLS_RECORD_BYTES - len;
		size_t n = parts[i].iov_len < left ? parts[i].iov_len : left;
		memcpy(to + len, parts[i].iov_base, n);
		len += n;
	}
	return http_tls_send(c->ssl, to, len);
}

static ssize_t send_parts(struct http_conn *c, struct iovec *parts, size_t count)
{
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = count};

	return c->ssl ? send_record(c, parts, count) : sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int http_io_send(struct http_conn *c)
{
	for (;;) {
		struct iovec parts[2];
		size_t count = 0;
		size_t out_left = c->out.len - c->out_at;
		size_t body_left = c->out_body ? c->out_body->len - c->out_body_at : 0;

		if (out_left > 0)
			parts[count++] = (struct iovec){
					.iov_base = c->out.data + c->out_at, .iov_len = out_left};
		if (body_left > 0)
			parts[count++] = (struct iovec){
					.iov_base = c->out_body->data + c->out_body_at, .iov_len = body_left};
		if (count == 0)
			return 0;
		ssize_t n = send_parts(c, parts, count);
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? CH_EAGAIN : CH_EIO;
		size_t of_out = (size_t)n < out_left ? (size_t)n : out_left;
		c->out_at += of_out;
		c->out_body_at += (size_t)n - of_out;
		if ((size_t)n == out_left + body_left)
			return 0;
		if (!c->ssl)
			return CH_EAGAIN;
	}
}

int http_io_send_line(struct http_conn *c, const char *line, size_t len)
{
	ssize_t n = c->ssl ? http_tls_send(c->ssl, line, len)
			   : send(c->fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == (ssize_t)len)
		return 0;
	/* What TLS did not take it holds half of, and nothing else may be sent before it. */
	return n < 0 && !c->ssl ? CH_EAGAIN : CH_EIO;
}
