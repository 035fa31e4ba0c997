/* delivery/resolver_socket.h - the sockets of c-ares, made and watched.
 *
 * Role:      the resolver's own: sockets that never block nor raise SIGPIPE, on the loop.
 * Ownership: a socket is c-ares's, the watcher beside it ours.
 * Threads:   the loop's.
 */
#ifndef CH_DELIVERY_RESOLVER_SOCKET_H
#define CH_DELIVERY_RESOLVER_SOCKET_H

#include <ares.h>
#include <stdbool.h>

#include "base/list.h"

struct event_base;

struct resolver_sockets {
	struct event_base *base;
	ares_channel channel;
	struct ch_list watched;
	bool has_unwatched; /* some socket may be without a watcher */
	bool lacks_descriptor; /* the last socket could not be made for want of descriptors or memory */
};

void resolver_sockets_init(struct resolver_sockets *r, struct event_base *base);
void resolver_sockets_fini(struct resolver_sockets *r); /* after the channel is destroyed */

/* Reads what came on sockets that could not be watched for want of memory. */
void resolver_sockets_poll(struct resolver_sockets *r);

/* For ares_set_socket_functions and sock_state_cb; their data is the struct resolver_sockets. */
extern const struct ares_socket_functions resolver_socket_functions;
void resolver_sockets_watch(void *ctx, ares_socket_t fd, int readable, int writable);

#endif
