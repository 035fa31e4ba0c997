#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 40
#define BAR_EVERY_MS 100
#define LINE_EVERY_MS 10000

void progress_begin(struct progress *p, const char *label, struct ch_clock clock)
{
	*p = (struct progress){.label = label,
			.clock = clock,
			.is_terminal = isatty(STDERR_FILENO) != 0,
			.shown_mono_ms = ch_clock_mono(&clock).ms,
			.shown_percent = -1};
}

static void show_bar(const struct progress *p, int percent)
{
	char bar[BAR_WIDTH + 1];
	int filled = percent * BAR_WIDTH / 100;

	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '#', (size_t)filled);
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r%s [%s] %3d %%", p->label, bar, percent);
	fflush(stderr);
}

void progress_show(struct progress *p, int64_t done, int64_t all)
{
	int64_t now_ms = ch_clock_mono(&p->clock).ms;
	int percent = all <= 0 || done <= 0 ? 0 : done >= all ? 100 : (int)((double)done * 100 / (double)all);

	if (percent == p->shown_percent ||
			now_ms - p->shown_mono_ms < (p->is_terminal ? BAR_EVERY_MS : LINE_EVERY_MS))
		return;
	p->shown_percent = percent;
	p->shown_mono_ms = now_ms;
	p->has_bar = p->is_terminal;
	if (p->is_terminal)
		show_bar(p, percent);
	else
		fprintf(stderr, "%s: %d %%\n", p->label, percent);
}

void progress_end(struct progress *p)
{
	if (p->has_bar)
		fprintf(stderr, "\r%*s\r", (int)strlen(p->label) + BAR_WIDTH + 10, "");
	p->has_bar = false;
}
