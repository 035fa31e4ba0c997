/* delivery/curl_sock.h - the sockets of libcurl: which endpoint's connection each one is, and whether it is
 * used.
 *
 * Role:      opens and closes sockets for libcurl and keeps a note beside each, found by its descriptor.
 * Ownership: the table owns the notes. A note lies in its owner's list until the socket is closed or the
 *            owner lets go of it.
 * Threads:   one loop.
 * Invariant: a doomed socket is shut down as soon as no transfer uses it, so libcurl finds it dead and
 *            never sends on it again.
 */
#ifndef CH_DELIVERY_CURL_SOCK_H
#define CH_DELIVERY_CURL_SOCK_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/list.h"

struct sockaddr;

struct curl_sock {
	struct ch_list of_owner;
	struct event event;
	void *shard; /* whose event loop entry it is; NULL: not watched yet */
	int fd;
	ino_t inode; /* tells whether the descriptor is still this socket */
	short watched; /* EV_READ, EV_WRITE as the loop has them; 0: not on the loop */
	short wanted; /* as libcurl wants them; 0: idle */
	bool is_doomed;
};

struct curl_socks {
	struct curl_sock **by_fd;
	size_t cap;
	size_t open; /* sockets now open */
};

void curl_socks_fini(struct curl_socks *s); /* all must be closed */

/* A new non-blocking TCP socket, in the owner's list. A negative errno on failure. */
int curl_sock_open(struct curl_socks *s, const struct sockaddr *to, int type, int protocol,
		struct ch_list *owner) CH_MUST_USE;
int curl_sock_close(struct curl_socks *s, int fd); /* closes in any case; what close returned */
/* libcurl closes a socket that never got connected by itself, without a word, and its number may be
 * somebody else's by now: to be asked when a try that opened one is over. */
void curl_sock_check(struct curl_socks *s, int fd);
struct curl_sock *curl_sock_find(const struct curl_socks *s, int fd); /* NULL: not one of ours */

/* All sockets of the list: no new use. */
void curl_sock_doom_all(struct ch_list *owner);
/* The owner goes, its connections may live on. */
void curl_sock_release_all(struct ch_list *owner);
void curl_sock_idle(struct curl_sock *k); /* libcurl has no more use for it now */

#endif
