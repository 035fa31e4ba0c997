/* delivery/resolver_channel.h - the c-ares channels that questions are asked on.
 *
 * Role:      one channel is the present one. When /etc/resolv.conf has changed, which is looked at every
 *            5 s at most and only when a name is asked for, a new one takes over; the old one stays until
 *            its questions are answered.
 * Units:     *_ms monotonic.
 * Ownership: owns the channels; one that was gotten is good for one question, counted by the caller.
 * Threads:   the loop's.
 * Errors:    a new channel that can't be made is tried again 5 s later, the old one goes on.
 */
#ifndef CH_DELIVERY_RESOLVER_CHANNEL_H
#define CH_DELIVERY_RESOLVER_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "delivery/resolver.h"
#include "delivery/resolver_socket.h"

struct resolver_channel {
	struct ch_list link;
	struct resolver_sockets sockets;
	bool is_open; /* sockets.channel is there */
	int asking; /* questions under way */
};

struct resolver_channels {
	struct resolver_conf conf; /* servers: used by open only */
	struct ch_list list; /* the present one first */
	struct stat seen; /* of resolv.conf when the present one was made */
	int64_t looked_ms;
};

/* conf->timeout_ms and tries must be set. CH_EINVAL: not a list of servers; CH_ENOMEM, CH_EIO. After a
 * failure close is still due. */
int resolver_channels_open(struct resolver_channels *c, const struct resolver_conf *conf,
		struct ch_err *err) CH_MUST_USE;
void resolver_channels_close(struct resolver_channels *c); /* ends all questions: their callbacks run */

struct resolver_channel *resolver_channels_get(struct resolver_channels *c, int64_t now_ms);
/* Timeouts, unwatched sockets, old channels. Not from inside a callback of c-ares. */
void resolver_channels_tick(struct resolver_channels *c);

#endif
