/* tests/sim/sim_api.h - the front door: the API's handlers, and the clients who knock.
 *
 * Role:      the http_* functions that handlers call, without a socket (sim_http.c), libevent's timers on the
 *            virtual clock (sim_loop.c), and clients that ask as the platform and the settings page would,
 *            and hold every answer against what the gate saw committed. What a client can't know - a 503, a
 *            connection that broke, a crash - counts as unknown, and is asked again.
 * Ownership: an exchange is the first member of what a client keeps of its question, made by sim_ask and
 *            freed after `answered`, which is called exactly once.
 * Contract:  api.h, http_server.h and the event_* of libevent that handlers use. A handler that starts to
 *            use another function of these does not link until sim_http.c or sim_loop.c has it.
 */
#ifndef CH_TESTS_SIM_API_H
#define CH_TESTS_SIM_API_H

#include <jansson.h>

#include "api/api.h"
#include "sim.h"

#define SIM_OPERATOR "operator-token-of-the-simulation"
#define SIM_LINE_MAX ((size_t)64 * 1024)

struct http_exchange {
	struct ch_list link; /* in world.asks, oldest first */
	struct world *world;
	const char *method;
	char path[96], query[96];
	struct http_header headers[6];
	size_t header_count;
	char condition[64]; /* an entity tag, for a header */
	struct ch_buf body;
	bool has_body;
	bool is_gone; /* the client hung up, or the process crashed: nobody reads the answer */
	bool is_well; /* asked in a world where all are well: has to be served */
	uint64_t commits_then; /* world.commits as it was asked */

	/* an answer in pieces */
	bool is_streaming, is_slow;
	int status;
	struct ch_buf unread;
	void (*drained)(void *ctx);
	void *drained_ctx;

	void (*line)(struct http_exchange *x, const char *text, size_t len); /* of an answer in pieces */
	/* NULL: nobody knows. With an answer in pieces body and text are NULL. */
	void (*answered)(struct http_exchange *x, const struct http_response *a);
};

/* ---- sim_http.c ---- */

void *sim_ask(struct world *w, size_t bytes, const char *method,
		void (*answered)(struct http_exchange *x, const struct http_response *a));
void sim_ask_path(struct http_exchange *x, const char *fmt, ...) CH_PRINTF(2, 3);
void sim_ask_header(struct http_exchange *x, const char *name, const char *value); /* value: borrowed */
void sim_ask_json(struct http_exchange *x, const char *fmt, ...) CH_PRINTF(2, 3); /* a body */
void sim_ask_send(struct http_exchange *x);
const char *sim_answer_header(const struct http_response *a, const char *name); /* NULL: none */
const char *sim_answer_text(const struct http_response *a, size_t *ret_len); /* never NULL */
/* The answer as a JSON object, a new reference; no object ends the process. */
json_t *sim_answer_json(const struct http_exchange *x, const struct http_response *a);
/* A member that has to be there and to be a string. */
const char *sim_text_of(const struct world *w, const json_t *json, const char *key);
/* An answer that may not be. */
void sim_wrong_answer(const struct http_exchange *x, const struct http_response *a) CH_NORETURN;
/* True: 503, something on our side was out of order; what was asked for may have happened. */
bool sim_is_refused(const struct http_response *a);
void sim_ask_fini(struct http_exchange *x);
bool sim_http_step(struct world *w); /* slow clients read on */
bool sim_http_waits(const struct world *w); /* has one of them more to read */
void sim_hang_up(struct world *w, struct http_exchange *x);

/* ---- sim_loop.c: libevent's timers ---- */

struct event_base *sim_loop_create(struct world *w);
void sim_loop_destroy(struct event_base **b); /* no timer may be left */
bool sim_loop_step(struct event_base *b);
int64_t sim_loop_next(const struct event_base *b); /* mono ms; INT64_MAX: nothing */

/* ---- sim_calls.c: the calls, as the gate saw them committed ---- */

struct call {
	struct ch_map_node node;
	struct id id;
	uint64_t agent;

	int64_t version; /* the latest; 0: none */
	enum call_status status;
	uint64_t tag; /* that its summary begins with: another one with each record that is sent */
	struct ch_bytes *body;

	/* The one write of it that a client has under way, or does not know the outcome of. */
	bool is_busy;
	enum call_status wish_status;
	uint64_t wish_tag;
	bool wish_notify;
	int expected; /* the answer's status if nothing is out of order */
};

struct call *sim_call_new(struct world *w);
struct call *sim_call(const struct world *w, const struct id *id);
void sim_note_put(struct world *w, const struct store_call_put *put);
void sim_audit_calls(struct world *w, uint64_t one_in);
void sim_calls_fini(struct world *w);

/* ---- sim_puts.c, sim_import.c: who writes and reads them ---- */

enum condition { COND_NONE, COND_MATCH, COND_STALE, COND_NEW };

/* A new call, or an earlier one again: the same record, another one, or one that has to be refused. */
void sim_put_new(struct world *w, uint64_t agent, enum call_status status);
void sim_put_again(struct world *w);
void sim_put_bad(struct world *w);
void sim_retry(struct world *w, uint64_t most); /* what has an unknown outcome */
void sim_get_call(struct world *w);
void sim_import(struct world *w, uint64_t n);
/* A record of this call; decides what has to come of it. */
void sim_write_record(struct world *w, struct call *c, enum call_status status, struct ch_buf *out);
void sim_expect_put(struct call *c, enum call_status status, bool notify, enum condition condition);
/* Accepted: must be there, the bytes that were sent, from now on for ever. */
void sim_check_accepted(const struct http_exchange *x, const struct call *c, int status);
/* Nobody knows what became of it: takes *text, to send it again. */
void sim_unknown_put(struct world *w, struct call *c, char **text, size_t len);

/* ---- sim_hooks.c, sim_looks.c: the settings page ---- */

void sim_look(struct world *w);
void sim_resend_some(struct world *w);

#endif
