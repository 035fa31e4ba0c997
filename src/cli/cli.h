/* cli/cli.h - the subcommands and what they share.
 *
 * Role:      one function a subcommand; exit codes: 0 done, 1 failed, 2 usage.
 */
#ifndef CH_CLI_CLI_H
#define CH_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "cli/opts.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

int cli_serve(int argc, char **argv);
int cli_send(int argc, char **argv);
int cli_sign(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_listen(int argc, char **argv);
int cli_fsck(int argc, char **argv);
int cli_qshape(int argc, char **argv);
int cli_backup(int argc, char **argv);
int cli_restore(int argc, char **argv);
int cli_account(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_deliveries(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_version(int argc, char **argv);

/* "callhook NAME: words" on stderr; returns code, so that a command can end with it. */
int cli_fail(int code, const char *command, const char *fmt, ...) CH_PRINTF(3, 4);

/* Reads a file, or standard input for "-" or NULL. CH_ELIMIT: larger than out's limit; CH_EIO. */
int cli_read_input(const char *path, struct ch_buf *out, struct ch_err *err) CH_MUST_USE;

/* What the option `name` says, or the first line of the file that `file_name` says; text NULL: neither. */
int cli_text_or_file(const struct opts *o, const char *name, const char *file_name, struct ch_secret *ret,
		struct ch_err *err) CH_MUST_USE;

/* The secret of --secret, --secret-file (one line) or CALLHOOK_SECRET; text NULL when none was given. */
int cli_secret(const struct opts *o, struct ch_secret *ret, struct ch_err *err) CH_MUST_USE;

/* A --id: 1 to 200 visible ASCII characters, as it becomes a header. */
int cli_check_id(const char *id, struct ch_err *err) CH_MUST_USE;

/* The value of an option that says where to listen: "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses).
 */
int cli_listen_address(const struct opts *o, const char *option, char *host, size_t host_cap,
		uint16_t *ret_port, struct ch_err *err) CH_MUST_USE;

#endif
