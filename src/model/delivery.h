/* model/delivery.h - one piece of news for one webhook, and the attempts to bring it there.
 *
 * Role:      plain structs and their words.
 * Units:     *_ms wall times are ms since the epoch; *_us durations are microseconds.
 * Ownership: as the fields say; fini functions free what the struct owns.
 */
#ifndef CH_MODEL_DELIVERY_H
#define CH_MODEL_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "model/address.h"
#include "model/call.h"
#include "model/id.h"

/* DELIVERING is never stored: it is PENDING with an attempt in flight. */
enum delivery_state {
	DELIVERY_PENDING,
	DELIVERY_DELIVERING,
	DELIVERY_DELIVERED,
	DELIVERY_FAILED,
	DELIVERY_PARKED,
	DELIVERY_CANCELED,
	DELIVERY_STATE_COUNT
};

const char *delivery_state_name(enum delivery_state s); /* "PENDING", … */
int delivery_state_parse(const char *text, size_t len, enum delivery_state *ret) CH_MUST_USE;

/* What became of one attempt; the words of the log. */
enum attempt_outcome {
	ATTEMPT_ANSWERED, /* status says the rest */
	ATTEMPT_TIMEOUT, /* the deadline passed, the answer unfinished or not begun */
	ATTEMPT_REFUSED, /* TCP connect refused or unreachable */
	ATTEMPT_RESET, /* the connection ended before the answer did */
	ATTEMPT_DNS, /* the name could not be resolved */
	ATTEMPT_TLS, /* handshake or certificate */
	ATTEMPT_ADDRESS, /* no address of the name is allowed */
	ATTEMPT_MALFORMED, /* the answer is not HTTP */
	ATTEMPT_LOCAL, /* our own fault: no descriptor, no memory; no try counted */
	ATTEMPT_OUTCOME_COUNT
};

const char *attempt_outcome_name(enum attempt_outcome o); /* "answered", "timeout", … */
int attempt_outcome_parse(const char *text, size_t len, enum attempt_outcome *ret) CH_MUST_USE;

#define ATTEMPT_ANSWER_KEPT_MAX 4096
#define ATTEMPT_ANSWER_READ_MAX 65536

struct attempt {
	struct id id; /* made by the sender, so that writing it twice is harmless */
	struct id delivery_id;
	int64_t started_ms; /* wall */
	enum attempt_outcome outcome;
	int status; /* HTTP status; 0 when there was none */
	char *detail; /* words for people ("connection refused"); owned; NULL: none */
	/* Durations from the start of the attempt, microseconds; -1: not reached. */
	int32_t dns_us, connect_us, tls_us, first_byte_us, total_us;
	struct address address; /* really connected to; len 0: none */
	char tls_version[12]; /* "TLSv1.3"; "" without TLS */
	int64_t cert_end_s; /* notAfter of the receiver's certificate; 0: none */
	char *request_headers; /* "Name: value\n" lines, own headers' values masked; owned; NULL: none */
	char *location; /* of a 3xx; owned; NULL: none */
	char *answer; /* first ATTEMPT_ANSWER_KEPT_MAX bytes, any bytes; owned; NULL: none */
	size_t answer_len;
	/* Not stored: for the policy. */
	int64_t retry_after_s; /* as policy/outcome read it; -1: none */
};

void attempt_fini(struct attempt *a);

struct delivery {
	struct id id;
	int64_t account;
	struct id webhook_id;
	struct id call_id;
	int64_t version; /* of the call, from 1 */
	enum call_status call_status;
	enum delivery_state state;
	int round; /* 0; each resend or replay opens the next */
	bool was_delivered; /* in this round or an earlier one */
	bool is_erased; /* its call was: the body is gone */
	int tries; /* counted in this round */
	int attempts; /* counted or not, all rounds */
	int64_t created_ms;
	int64_t due_ms; /* PENDING: not before */
	int64_t finished_ms; /* DELIVERED, FAILED, CANCELED: when; 0 otherwise */
	char *reason; /* why it waits or ended, words; owned; NULL: none */
	struct ch_bytes *body; /* owned reference; NULL unless the request asked for it */
};

void delivery_fini(struct delivery *d);

#endif
