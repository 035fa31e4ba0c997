#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>

/* So long may a signal go unnoticed that comes just before poll. */
#define SLICE_MS 200

static volatile sig_atomic_t is_asked;

static void on_signal(int number)
{
	is_asked = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void interrupt_ask(void)
{
	is_asked = 1;
}

bool interrupt_is_asked(void)
{
	return is_asked != 0;
}

bool interrupt_wait(int64_t ms)
{
	while (ms > 0 && !interrupt_is_asked()) {
		int slice = ms < SLICE_MS ? (int)ms : SLICE_MS;

		(void)poll(NULL, 0, slice);
		ms -= slice;
	}
	return !interrupt_is_asked();
}
