/* cli/post.h - one signed webhook POSTed as the service would, for the commands that send without it.
 *
 * Role:      the service's transport, headers and signatures; any address and plain http are fine here.
 * Units:     ms.
 * Ownership: what a message points to is borrowed for the call.
 * Threads:   the main one; post_send waits for the answer.
 * Errors:    CH_EINVAL: the secret is none; CH_ENOMEM. What the receiver answers is no error.
 */
#ifndef CH_CLI_POST_H
#define CH_CLI_POST_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/err.h"
#include "delivery/transport.h"

#define POST_OWN_HEADERS_MAX 20
#define POST_ID_MAX 200

struct post {
	struct event_base *base;
	struct transport *transport;
	struct ch_clock clock;
};

struct post_message {
	const struct url *url;
	struct ch_bytes *body;
	const char *id; /* the webhook-id; at most POST_ID_MAX */
	const struct ch_secret *secret; /* text NULL: unsigned */
	const char *const *own; /* "Name: value" */
	size_t own_count;
	int timeout_ms;
};

/* curl_global_init must have been called. ca_file: one more authority; NULL: none. */
int post_open(struct post *p, const char *ca_file, struct ch_clock clock, struct ch_err *err) CH_MUST_USE;
void post_close(struct post *p); /* also after a failure */
int post_send(struct post *p, const struct post_message *m, struct attempt *ret,
		struct ch_err *err) CH_MUST_USE; /* attempt_fini */
bool post_is_delivered(const struct attempt *a); /* it was answered with 2xx */

#endif
