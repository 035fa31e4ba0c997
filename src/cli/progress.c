#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 30
#define BAR_EVERY_MS 100
#define LINE_EVERY_MS 10000

void progress_begin(struct progress *p, const char *label, struct ch_clock clock)
{
	*p = (struct progress){.label = label,
			.clock = clock,
			.is_terminal = isatty(STDERR_FILENO) != 0,
			.shown_mono_ms = ch_clock_mono(&clock).ms};
}

static int percent_of(int64_t done, int64_t all)
{
	return done <= 0 ? 0 : done >= all ? 100 : (int)((double)done * 100 / (double)all);
}

/* The bar goes over the one that stands there, and over the rest of its line. */
static void show_bar(struct progress *p, int64_t done, int64_t all, const char *words)
{
	char bar[BAR_WIDTH + 1];
	int percent = percent_of(done, all);
	int filled = percent * BAR_WIDTH / 100;

	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '#', (size_t)filled);
	bar[BAR_WIDTH] = '\0';
	if (all > 0)
		fprintf(stderr, "\r\033[K%s [%s] %3d %%  %s", p->label, bar, percent, words);
	else
		fprintf(stderr, "\r\033[K%s: %s", p->label, words);
	fflush(stderr);
	p->has_bar = true;
}

static void show_line(const struct progress *p, int64_t done, int64_t all, const char *words)
{
	const char *comma = *words ? ", " : "";

	if (all > 0)
		fprintf(stderr, "%s: %d %%%s%s\n", p->label, percent_of(done, all), comma, words);
	else
		fprintf(stderr, "%s: %s\n", p->label, words);
}

void progress_show(struct progress *p, int64_t done, int64_t all, const char *words)
{
	int64_t now_ms = ch_clock_mono(&p->clock).ms;

	if (p->is_quiet || now_ms - p->shown_mono_ms < (p->is_terminal ? BAR_EVERY_MS : LINE_EVERY_MS))
		return;
	p->shown_mono_ms = now_ms;
	if (p->is_terminal)
		show_bar(p, done, all, words ? words : "");
	else
		show_line(p, done, all, words ? words : "");
}

void progress_end(struct progress *p)
{
	if (p->has_bar)
		fputs("\r\033[K", stderr);
	p->has_bar = false;
}

void progress_last(struct progress *p, int64_t done, int64_t all, const char *words)
{
	if (p->is_quiet)
		return;
	if (!p->is_terminal) {
		show_line(p, done, all, words);
		return;
	}
	show_bar(p, done, all, words);
	fputc('\n', stderr);
	p->has_bar = false;
}
