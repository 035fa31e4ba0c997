/* api/secret_change.h - what the handlers of secrets share.
 *
 * Role:      a secret that a request brings or that is made for it, sealed into a webhook and opened again.
 * Ownership: struct secret_change is the request's state and wipes its secret.
 * Threads:   the api loop's.
 */
#ifndef CH_API_SECRET_CHANGE_H
#define CH_API_SECRET_CHANGE_H

#include "api/webhook_change.h"
#include "base/crypto.h"

struct secret_change {
	struct webhook_change change;
	struct ch_secret secret; /* the new one; none: none comes */
	int64_t now_ms; /* wall */
	int64_t overlap_s; /* a rotation's */
};

/* The state of r. False: it has replied. */
bool secret_change_start(struct api_request *r, struct secret_change **ret);
/* The body's `secret`, or a new one; with overlap: its `overlap` too. False: it has replied. */
bool secret_change_read(struct api_request *r, struct secret_change *s, bool with_overlap);

/* The secret, sealed for w into memory of its own. CH_ENOMEM. */
int secret_seal(struct api_request *r, const struct webhook *w, const struct ch_secret *secret, uint8_t **ret,
		size_t *ret_len) CH_MUST_USE;
/* CH_ENOMEM; CH_ECRYPT: it was not sealed with this server's key. */
int secret_open(struct api_request *r, const struct webhook *w, const uint8_t *sealed, size_t len,
		struct ch_secret *ret) CH_MUST_USE;
/* Why it could not be opened. */
void secret_open_failed(struct api_request *r, int code);

/* Room for an answer with two secrets: growing would leave a copy behind. */
void secret_answer_init(struct ch_buf *out);

#endif
