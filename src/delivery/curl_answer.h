/* delivery/curl_answer.h - an answer as it comes in, bounded in every direction.
 *
 * Role:      takes header lines and body pieces from libcurl, keeps what the attempt's record needs and
 *            says when to stop.
 * Units:     bytes.
 * Ownership: owns what it keeps; curl_answer_take hands it over.
 * Errors:    none; why it stopped is in fault and is_cut.
 */
#ifndef CH_DELIVERY_CURL_ANSWER_H
#define CH_DELIVERY_CURL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/delivery.h"

#define ANSWER_HEADERS_MAX 65536 /* all header sections and trailers of one answer together */
#define ANSWER_INTERIM_MAX 16 /* informational (1xx) answers before the real one */
#define ANSWER_LOCATION_MAX 2048

enum answer_fault {
	ANSWER_FINE,
	ANSWER_NO_MEMORY,
	ANSWER_HEADERS_TOO_LONG,
	ANSWER_TOO_MANY_INTERIM,
	ANSWER_SWITCHES, /* 101 to a request that asked for nothing of the kind */
	ANSWER_BAD_LENGTH /* Content-Length that is no number, or two that differ */
};

struct curl_answer {
	struct ch_buf body; /* the first ATTEMPT_ANSWER_KEPT_MAX bytes */
	size_t body_read;
	size_t header_read;
	int interim;
	int status; /* of the last status line; 0: none yet, or no three digits */
	int64_t length; /* Content-Length after it; -1: none */
	bool is_header_done; /* of the final answer: what follows are trailers */
	bool is_cut; /* enough was read; the status decides */
	enum answer_fault fault;
	char *location;
	char retry_after[48]; /* "": none */
	char date[40]; /* "": none */
};

void curl_answer_init(struct curl_answer *a); /* also after fini */
void curl_answer_fini(struct curl_answer *a);

/* One header line as libcurl gives it, line end included. False: stop reading. */
bool curl_answer_header(struct curl_answer *a, const char *line, size_t len);
bool curl_answer_body(struct curl_answer *a, const char *data, size_t len);

/* All of it came, however the connection ended: the receiver may close before it took the whole request. */
bool curl_answer_is_whole(const struct curl_answer *a);

/* Moves body and location into the attempt and reads Retry-After. */
void curl_answer_take(struct curl_answer *a, struct attempt *to, int64_t now_s);

#endif
