/* cli/progress.h - how far long work has come: a bar on a terminal, a line now and then elsewhere.
 *
 * Role:      written to standard error; a result goes to standard output.
 * Ownership: label is borrowed until progress_end.
 * Units:     done and all are of the caller's choice; time by the clock that is handed in.
 */
#ifndef CH_CLI_PROGRESS_H
#define CH_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct progress {
	const char *label; /* "backup" */
	struct ch_clock clock;
	bool is_terminal;
	bool has_bar; /* one stands on the terminal */
	int64_t shown_mono_ms;
	int shown_percent;
};

void progress_begin(struct progress *p, const char *label, struct ch_clock clock);
void progress_show(struct progress *p, int64_t done, int64_t all);
void progress_end(struct progress *p); /* wipes the bar */

#endif
