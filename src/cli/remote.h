/* cli/remote.h - asking a server's API, for the commands that speak to one.
 *
 * Role:      one request at a time, waited for. --server says where it is, --operator-token (or
 *            CALLHOOK_OPERATOR_TOKEN) or --operator-token-file who is asking.
 * Ownership: an answer's JSON is the caller's; json_decref. The token is wiped in the fini.
 * Errors:    CH_EINVAL: the options are wrong; CH_EIO: no answer; CH_ECONFLICT: an answer of 400 or more,
 * with the server's words.
 */
#ifndef CH_CLI_REMOTE_H
#define CH_CLI_REMOTE_H

#include <jansson.h>

#include "base/crypto.h"
#include "base/err.h"
#include "cli/opts.h"

/* For the table of options. */
#define REMOTE_OPTS                                                                                          \
	{.name = "server",                                                                                   \
			.arg = "URL",                                                                        \
			.fallback = "http://127.0.0.1:8080",                                                 \
			.help = "where the server is"},                                                      \
			{.name = "operator-token",                                                           \
					.arg = "TEXT",                                                       \
					.help = "the operator token (better: CALLHOOK_OPERATOR_TOKEN or "    \
						"--operator-token-file)"},                                   \
	{                                                                                                    \
		.name = "operator-token-file", .arg = "FILE", .help = "a file whose first line is the token" \
	}

struct remote {
	const char *server; /* borrowed from the options */
	struct ch_secret token;
};

struct remote_ask {
	const char *method;
	const char *path; /* with its query; begins with / */
	const char *account; /* for whom; NULL: the default account, or it does not matter */
	const json_t *body; /* NULL: none */
};

int remote_init(const struct opts *o, struct remote *ret, struct ch_err *err) CH_MUST_USE;
void remote_fini(struct remote *r);
/* *ret: NULL when the answer has no body. */
int remote_ask(const struct remote *r, const struct remote_ask *ask, json_t **ret,
		struct ch_err *err) CH_MUST_USE;

#endif
