/* cli/opts.h - the options of a subcommand: flags, then environment, then a configuration file.
 *
 * Role:      one table per subcommand says its options; parsing, --help and the places a value may
 *            come from are made from it. A flag --max-in-flight is CALLHOOK_MAX_IN_FLIGHT in
 *            the environment and max-in-flight = N in the file.
 * Ownership: opts owns the texts that came from the file; those of flags and environment are borrowed.
 * Errors:    CH_EINVAL with words that name the option and where its value came from.
 */
#ifndef CH_CLI_OPTS_H
#define CH_CLI_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define OPTS_MAX 48
#define OPTS_VALUES_MAX 32

struct opt_spec {
	const char *name; /* "max-in-flight" */
	const char *arg; /* "N"; NULL: a switch */
	const char *fallback; /* text of the default for --help and opts_get; NULL: none */
	const char *help;
	bool repeats; /* may be given several times; in the environment comma-separated */
};

struct opts_page {
	const char *command; /* "send" */
	const char *usage; /* "[options] FILE" */
	const char *about; /* a paragraph */
	const char *example; /* lines, each beginning with two spaces */
	const struct opt_spec *specs; /* the last one has name NULL; --help is always there */
	int args_max; /* what may stand behind the options */
	bool uses_config; /* --config FILE is understood */
};

struct opt_value {
	const char *text;
	const char *origin; /* "--listen", "CALLHOOK_LISTEN", "callhook.conf:12" */
};

struct opts {
	const struct opts_page *page;
	struct opt_value values[OPTS_MAX][OPTS_VALUES_MAX];
	int counts[OPTS_MAX];
	bool is_settled[OPTS_MAX]; /* given by a flag or the environment, if only as "off": the file is not
				      asked */
	char **args; /* what is not an option */
	int arg_count;
	char **owned;
	size_t owned_count;
};

/* Returns 0; CH_ECANCELED when --help was printed (the command ends with 0); or CH_EINVAL. */
int opts_parse(const struct opts_page *page, int argc, char **argv, struct opts *ret,
		struct ch_err *err) CH_MUST_USE;
void opts_fini(struct opts *o);

bool opts_has(const struct opts *o, const char *name); /* given anywhere; for a switch: on */
const char *opts_get(const struct opts *o, const char *name); /* the value or the default; may be NULL */
int opts_count(const struct opts *o, const char *name);
const char *opts_at(const struct opts *o, const char *name, int i);
const char *opts_origin(const struct opts *o, const char *name, int i);
int opts_int(const struct opts *o, const char *name, int64_t min, int64_t max, int64_t *ret,
		struct ch_err *err) CH_MUST_USE;

#endif
