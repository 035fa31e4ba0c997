/* cli/remote.h - asking a server's API, for the commands that speak to one.
 *
 * Role:      one request at a time over one kept-alive connection, waited for. --server says where it is;
 *            who is asking is an account's API key, or the operator with his token (REMOTE_OPTS: the operator
 *            alone; REMOTE_ACCOUNT_OPTS: either). A patient one asks again when the server asks to come back
 *            later, and when it is not there for a moment.
 * Ownership: an answer's JSON is the caller's; json_decref. Keys are wiped in the fini.
 * Errors:    CH_EINVAL: the options are wrong; CH_EIO: no answer; CH_ECONFLICT: an answer of 400 or more,
 *            with the server's words; CH_EGONE: a 410, as that; CH_ECANCELED: a signal asked to stop.
 */
#ifndef CH_CLI_REMOTE_H
#define CH_CLI_REMOTE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "cli/opts.h"

/* For the table of options. */
#define REMOTE_SERVER_OPT                                                                                    \
	{                                                                                                    \
		.name = "server", .arg = "URL", .fallback = "http://127.0.0.1:8080",                         \
		.help = "where the server is"                                                                \
	}
#define REMOTE_OPERATOR_OPTS                                                                                 \
	{.name = "operator-token",                                                                           \
			.arg = "TEXT",                                                                       \
			.help = "the operator token (better: CALLHOOK_OPERATOR_TOKEN or "                    \
				"--operator-token-file)"},                                                   \
	{                                                                                                    \
		.name = "operator-token-file", .arg = "FILE", .help = "a file whose first line is the token" \
	}
#define REMOTE_OPTS REMOTE_SERVER_OPT, REMOTE_OPERATOR_OPTS
#define REMOTE_ACCOUNT_OPTS                                                                                  \
	{.name = "api-key",                                                                                  \
			.arg = "TEXT",                                                                       \
			.help = "the account's API key (better: CALLHOOK_API_KEY or --api-key-file)"},       \
			{.name = "api-key-file",                                                             \
					.arg = "FILE",                                                       \
					.help = "a file whose first line is the key"},                       \
			REMOTE_OPERATOR_OPTS,                                                                \
	{                                                                                                    \
		.name = "account", .arg = "ID", .help = "with the operator token: for this account"          \
	}

struct remote {
	const char *server; /* borrowed from the options */
	const char *account; /* the same; NULL: the key's own, or the default one */
	struct ch_secret token; /* the operator's */
	struct ch_secret key; /* used instead, when there is one */
	bool is_patient;
	void *curl;
};

struct remote_ask {
	const char *method;
	const char *path; /* with its query; begins with / */
	const char *account; /* for whom; NULL: the remote's */
	const json_t *body; /* NULL: none, or raw */
	const char *raw; /* a body of this type instead; borrowed */
	size_t raw_len;
	const char *raw_type;
	const char *last_event_id; /* NULL: none */
	int timeout_s; /* 0: 60 */
};

int remote_init(const struct opts *o, struct remote *ret, struct ch_err *err) CH_MUST_USE;
/* With the options of REMOTE_ACCOUNT_OPTS. */
int remote_init_account(const struct opts *o, struct remote *ret, struct ch_err *err) CH_MUST_USE;
void remote_fini(struct remote *r);
/* *ret: NULL when the answer has no body. */
int remote_ask(struct remote *r, const struct remote_ask *ask, json_t **ret, struct ch_err *err) CH_MUST_USE;
/* The same with an answer that is not one JSON text, as it came. */
int remote_ask_raw(struct remote *r, const struct remote_ask *ask, struct ch_buf *answer,
		struct ch_err *err) CH_MUST_USE;
/* A stream: each piece of the answer as it comes. 0 when the server has ended it. */
int remote_follow(struct remote *r, const struct remote_ask *ask,
		void (*take)(void *ctx, const char *data, size_t len), void *ctx,
		struct ch_err *err) CH_MUST_USE;

/* A whole command that asks as an account: options, run, exit code. run gives CH_EINVAL for wrong usage; with
 * an error whose words are empty it has said itself what failed. */
int remote_command(const struct opts_page *page, int argc, char **argv,
		int (*run)(const struct opts *o, struct remote *r, struct ch_err *err));

const char *remote_text(const json_t *object, const char *key); /* "" when there is no such text */
int64_t remote_number(const json_t *object, const char *key); /* 0 when there is no such number */
void remote_print(const json_t *json); /* one line on standard output, at once */
int64_t remote_took_us(const struct remote *r); /* the last request, to its answer's end */
/* Appends NAME=VALUE to a path, with ? or & before it, the value percent-encoded; value NULL: nothing. */
void remote_query(struct ch_buf *path, const char *name, const char *value);

#endif
