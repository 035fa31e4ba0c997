/* cli/follow.h - listen --server: the feed of a server's calls, forwarded as webhooks to this machine.
 *
 * Role:      reads the feed from where it came to, signs each finished call with a secret of its own and
 * POSTs it to a local URL; goes on behind a call only when that has answered 2xx. Place and secret lie in a
 * file, so that nothing is missed while it is closed. Ownership: the options are read, never kept. Threads:
 * the main one; SIGINT and SIGTERM end it in order. Errors:    CH_EINVAL: the options are wrong; CH_EGONE:
 * the server has removed what comes next; as cli/remote.h.
 */
#ifndef CH_CLI_FOLLOW_H
#define CH_CLI_FOLLOW_H

#include "cli/opts.h"
#include "cli/remote.h"

/* For the table of options. */
#define FOLLOW_OPTS                                                                                          \
	{.name = "server",                                                                                   \
			.arg = "URL",                                                                        \
			.help = "follow this server's calls and forward them, instead of receiving"},        \
			REMOTE_ACCOUNT_OPTS,                                                                 \
			{.name = "forward",                                                                  \
					.arg = "URL",                                                        \
					.fallback = "http://127.0.0.1:9000/",                                \
					.help = "where calls are forwarded to"},                             \
			{.name = "place",                                                                    \
					.arg = "FILE",                                                       \
					.fallback = "callhook-listen.json",                                  \
					.help = "keeps how far it has come, and its secret"},                \
			{.name = "begin",                                                                    \
					.arg = "now|oldest",                                                 \
					.fallback = "now",                                                   \
					.help = "where to begin without a place"},                           \
	{                                                                                                    \
		.name = "statuses", .arg = "STATUS", .help = "calls that are forwarded [COMPLETED, FAILED]", \
		.repeats = true                                                                              \
	}

int follow_run(const struct opts *o, struct ch_err *err) CH_MUST_USE;

#endif
