/* api/http_tls.h - TLS for the HTTP server: the certificate in use, and bytes through a connection.
 *
 * Role:      the only place of the API that knows OpenSSL. TLS 1.2 and 1.3, no renegotiation, stateless
 *            session tickets. Below http_io.c, which decides what a connection does with the outcome.
 * Ownership: a connection keeps the certificate that it began with; a reload is for those that come later,
 *            and a ticket of before it is still good after it.
 * Threads:   one loop. SIGPIPE must be ignored: OpenSSL writes without MSG_NOSIGNAL.
 * Errors:    create and reload: CH_EINVAL with words that name the file. A reload that fails leaves all as
 *            it was.
 */
#ifndef CH_API_HTTP_TLS_H
#define CH_API_HTTP_TLS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct http_tls;
struct ssl_st; /* OpenSSL's SSL */

/* cert: the chain, its own certificate first; key: not encrypted; both PEM. The names are copied. */
int http_tls_create(const char *cert, const char *key, struct http_tls **ret, struct ch_err *err) CH_MUST_USE;
int http_tls_reload(struct http_tls *t, struct ch_err *err) CH_MUST_USE; /* reads both files again */
void http_tls_destroy(struct http_tls **t);

/* What a read takes at a time, at most: the size of a record. Whoever offers less must ask again before it
 * waits for the socket, for the rest of the record lies in memory then. */
#define HTTP_TLS_RECORD_BYTES (16 * 1024)

enum http_tls_step {
	HTTP_TLS_DONE,
	HTTP_TLS_WANTS_READ,
	HTTP_TLS_WANTS_WRITE,
	HTTP_TLS_IS_PLAIN, /* the client speaks HTTP without TLS; nothing was sent to it */
	HTTP_TLS_FAILED
};

/* A connection's end of it, to be freed; NULL: no memory. fd stays the caller's. */
struct ssl_st *http_tls_open(struct http_tls *t, int fd);
enum http_tls_step http_tls_handshake(
		struct ssl_st *ssl, char *words, size_t words_size); /* words: if FAILED */
/* Like recv and send: bytes, 0 at the end, or -1 with errno, which is EAGAIN when the socket must be waited
 * for - after a send with the same bytes, or more, to be offered again. */
ssize_t http_tls_recv(struct ssl_st *ssl, void *to, size_t len);
ssize_t http_tls_send(struct ssl_st *ssl, const void *data, size_t len);
/* Says that no more comes, if that can be said at once. */
void http_tls_end(struct ssl_st *ssl);
void http_tls_free(struct ssl_st **ssl);

#endif
