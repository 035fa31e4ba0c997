/* model/webhook.h - where and how an account wants to be told: the endpoint's settings.
 *
 * Role:      the struct, reading it from API JSON (create, merge patch), writing it, and the
 *            question whether a finished call concerns it. No secret in clear: only sealed bytes.
 * Units:     timeout_s seconds 1..60; concurrency deliveries 1..512; times ms since the epoch.
 * Ownership: struct webhook owns all it points to (webhook_fini); webhook_copy makes a deep copy.
 * Errors:    CH_EINVAL with every mistake in problems, pointer by pointer; CH_ENOMEM.
 *            On failure the struct is as it was.
 */
#ifndef CH_MODEL_WEBHOOK_H
#define CH_MODEL_WEBHOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/rand.h"
#include "model/call.h"
#include "model/id.h"
#include "model/problems.h"
#include "model/url.h"

#define WEBHOOK_HEADERS_MAX 20
#define WEBHOOK_HEADER_NAME_MAX 128
#define WEBHOOK_HEADER_VALUE_MAX 4096
#define WEBHOOK_NAME_MAX 200
#define WEBHOOK_AGENTS_MAX 1000
#define WEBHOOK_TIMEOUT_DEFAULT_S 15
#define WEBHOOK_CONCURRENCY_DEFAULT 32
#define WEBHOOK_STATUSES_DEFAULT ((call_status_set)((1u << CALL_COMPLETED) | (1u << CALL_FAILED)))

struct webhook_header {
	char *name;
	char *value;
};

struct webhook {
	struct id id;
	int64_t account; /* the store's number of the account, >= 1 */
	int64_t revision; /* grows by one with each change; 1 when created */
	char *url; /* normalised */
	char *name; /* "" when not given */
	bool enabled;
	char *disabled_reason; /* words, or NULL when enabled or switched off by the customer */
	struct id *agent_ids; /* sorted, unique */
	size_t agent_count; /* 0: all agents */
	call_status_set statuses; /* final ones only, never empty */
	struct webhook_header headers[WEBHOOK_HEADERS_MAX]; /* in the order given */
	size_t header_count;
	int timeout_s;
	int concurrency;
	int rate_count; /* 0: no limit; else deliveries per rate_seconds, 1..100000 */
	int rate_seconds; /* 1..3600 */
	uint8_t *secret_sealed; /* NULL: not secured. Sealed with webhook_seal_aad */
	size_t secret_sealed_len;
	uint8_t *next_sealed; /* of a rotation, sealed the same way; NULL: none. Never without a secret */
	size_t next_sealed_len;
	int64_t rotation_started_ms; /* 0 without a rotation */
	int64_t rotation_ends_ms; /* from then on the next secret is the only one; policy/rotation */
	int64_t created_ms;
	bool deleted; /* kept until its deliveries are canceled */
};

/* Defaults for everything but url. */
void webhook_init(struct webhook *w);
void webhook_fini(struct webhook *w);
int webhook_copy(const struct webhook *from, struct webhook *ret) CH_MUST_USE; /* ret: uninitialised memory */

/* The same into memory of its own; NULL: no memory. */
struct webhook *webhook_clone(const struct webhook *from) CH_MUST_USE;
void webhook_destroy(struct webhook **w); /* nulls *w; *w may be NULL */

/* json: the object of a POST. url is required; unknown members are refused. w: initialised. */
int webhook_from_json(const json_t *json, const struct url_rules *rules, struct webhook *w,
		struct problems *problems) CH_MUST_USE;
/* RFC 7386: members that are there replace, null takes the default back; w is unchanged on failure. */
int webhook_merge_json(const json_t *json, const struct url_rules *rules, struct webhook *w,
		struct problems *problems) CH_MUST_USE;

/* The part of the answer that the settings make: id, url, name, enabled, agentIds, statuses, headers,
 * timeout, concurrency, rateLimit, secured, created. A new reference; NULL: no memory. The API adds
 * state, reason and parked. */
json_t *webhook_to_json(const struct webhook *w) CH_MUST_USE;

/* The settings as JSON text for the store, and back (agentIds, statuses, headers, timeout, …: all
 * but id, account, revision, url, name, enabled, reason, secret, created, deleted, which are columns). */
int webhook_settings_write(const struct webhook *w, struct ch_buf *out) CH_MUST_USE;
int webhook_settings_read(
		const char *json, size_t len, struct webhook *w) CH_MUST_USE; /* CH_EINVAL: damaged */

/* Does a call that has just become final concern this webhook (whether enabled or not)? */
bool webhook_wants(const struct webhook *w, enum call_status status, const struct id *agent_id);

/* The next secret takes the place of the one before, which is wiped. There must be one. */
void webhook_promote_secret(struct webhook *w);
void webhook_drop_next_secret(struct webhook *w); /* wiped; there may be none */
void webhook_drop_secrets(struct webhook *w); /* both; not secured any more */

/* The secret, sealed for w; ret is the caller's. CH_ENOMEM. */
int webhook_seal(const struct webhook *w, const uint8_t key[CH_SEAL_KEY_BYTES], const struct ch_rand *rand,
		const struct ch_secret *secret, uint8_t **ret, size_t *ret_len) CH_MUST_USE;
/* Opens what was sealed so; CH_ECRYPT when it is not with this key. */
int webhook_unseal(const struct webhook *w, const uint8_t key[CH_SEAL_KEY_BYTES], const uint8_t *sealed,
		size_t len, struct ch_secret *ret) CH_MUST_USE;
/* What a sealed secret is bound to: "account/webhook-id" bytes. */
void webhook_seal_aad(const struct webhook *w, uint8_t out[24]);

#endif
