/* cli/progress.h - how far long work has come: a bar on a terminal, a line now and then elsewhere.
 *
 * Role:      written to standard error; a result goes to standard output.
 * Ownership: label is borrowed until the end; words for the call.
 * Units:     done and all are of the caller's choice, all 0: not known; time by the clock that is handed in.
 */
#ifndef CH_CLI_PROGRESS_H
#define CH_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct progress {
	const char *label; /* "backup" */
	struct ch_clock clock;
	bool is_quiet; /* the caller's, after begin: nothing is shown */
	bool is_terminal;
	bool has_bar; /* one stands on the terminal */
	int64_t shown_mono_ms;
};

void progress_begin(struct progress *p, const char *label, struct ch_clock clock);
/* words: what stands behind; NULL: nothing. Most calls show nothing: once there is a bar it is drawn ten
 * times a second, and a line comes every ten seconds. */
void progress_show(struct progress *p, int64_t done, int64_t all, const char *words);
void progress_end(struct progress *p); /* wipes the bar; also before a line of the caller's own */
void progress_last(
		struct progress *p, int64_t done, int64_t all, const char *words); /* and leaves it there */

#endif
