/* delivery/curl_post.h - one libcurl easy handle and the attempt it carries.
 *
 * Role:      everything libcurl is told about a request: what never changes when the handle is made, and
 *            per attempt only what is new. Its callbacks check the address that is really connected
 *            to and count how often the request is sent.
 * Units:     *_ms monotonic.
 * Ownership: owns the easy handle; job, endpoint and common are borrowed.
 * Threads:   one loop.
 * Invariant: a request goes out at most twice in one attempt, the second time only after a kept
 *            connection ended without a byte of an answer.
 */
#ifndef CH_DELIVERY_CURL_POST_H
#define CH_DELIVERY_CURL_POST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "delivery/curl_answer.h"
#include "delivery/curl_proxy.h"
#include "delivery/curl_sock.h"
#include "delivery/curl_tls.h"
#include "delivery/resolver.h"
#include "delivery/transport.h"

#define POST_TARGETS_MAX 4

struct curl_endpoint;
struct event;

/* The same for all posts of a transport. */
struct curl_common {
	struct ch_clock clock;
	struct curl_socks *socks;
	struct address_policy addresses;
	const struct curl_proxy *proxy; /* NULL: none; then addresses are the proxy's business */
	X509_STORE *authorities;
	int idle_ms;
	size_t socks_max; /* beyond so many open ones, connections are not kept */
};

struct curl_post {
	struct ch_list link; /* the endpoint's */
	struct curl_endpoint *endpoint;
	const struct curl_common *common;
	struct ch_list *sock_owner;
	unsigned generation; /* the endpoint's, when it was taken */
	void *owner; /* the transport */
	CURL *easy;

	/* what libcurl was told last */
	char *url_text;
	char target_text[CURL_PROXY_TEXT_MAX];
	struct curl_slist connect_to; /* one entry: target_text */
	struct curl_slist *headers;
	size_t header_cap;
	bool is_fresh; /* CURLOPT_FRESH_CONNECT */
	bool is_unkept; /* CURLOPT_FORBID_REUSE */

	/* the attempt */
	struct transport_job *job; /* NULL: idle */
	struct resolver_query query;
	struct event *alarm; /* the deadline, while a name is looked up; NULL: no look-up */
	struct address targets[POST_TARGETS_MAX];
	int target_count, target_at;
	int64_t connect_spent_ms; /* on addresses that did not answer */
	int shard; /* where it runs; -1: nowhere */
	int64_t started_ms, deadline_ms;
	int64_t try_ms; /* when libcurl got it (again) */
	int64_t idle_since_ms;
	int opened_fd; /* the latest socket that was made since try_ms; -1: none */
	int sent; /* requests libcurl put on a connection since try_ms */
	bool is_repeated; /* sent again after a kept connection had ended */
	bool is_checked; /* a check got as far as its request */
	bool is_repeat_held; /* libcurl was about to use a kept connection that is no good for it */
	int sock_error; /* negative errno of a socket that could not be made; 0: none */
	const char *refusal; /* what address_refusal said at the last moment; NULL: nothing */
	struct curl_tls_seen tls;
	struct curl_answer answer;
	char error[CURL_ERROR_SIZE];
};

/* sock_owner outlives the post. CH_ENOMEM, CH_EINVAL (libcurl lacks something). */
int curl_post_create(const struct curl_common *common, struct ch_list *sock_owner, struct curl_post **ret,
		struct ch_err *err) CH_MUST_USE;
void curl_post_destroy(struct curl_post **p); /* in no multi */

/* URL, headers and body of a job. CH_ENOMEM. */
int curl_post_load(struct curl_post *p, struct transport_job *job) CH_MUST_USE;
/* Where to connect next (targets[target_at]) and how long it may take. CH_ENOMEM. */
int curl_post_aim(struct curl_post *p, int64_t now_ms, int connect_timeout_ms) CH_MUST_USE;
void curl_post_unload(struct curl_post *p); /* the job is over; nothing of it is kept */

/* The try is over and the handle in no multi any more. */
void curl_post_settle(struct curl_post *p);

bool curl_post_was_reused(struct curl_post *p); /* the last try made no connection of its own */

#endif
