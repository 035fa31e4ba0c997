#include "base/crash_point.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"

#define CH_CRASH_POINT_NAME(name) #name,
static const char *const names[CH_CRASH_POINT_COUNT] = {CH_CRASH_POINTS(CH_CRASH_POINT_NAME)};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int wanted = -1; /* -1: none */
static atomic_long left; /* passings until the end, the last one included */

static void read_environment(void)
{
	const char *text = getenv("CALLHOOK_CRASH_AT");
	size_t len = text == NULL ? 0 : strcspn(text, ":");

	if (len == 0)
		return;
	for (int i = 0; i < CH_CRASH_POINT_COUNT; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
			wanted = i;
	}
	atomic_store(&left, text[len] == ':' ? strtol(text + len + 1, NULL, 10) : 1);
	CH_ASSERT(wanted >= 0 && atomic_load(&left) >= 1);
}

void ch_crash_point_pass(enum ch_crash_point point)
{
	pthread_once(&once, read_environment);
	if ((int)point != wanted || atomic_fetch_sub(&left, 1) != 1)
		return;
	kill(getpid(), SIGKILL);
	/* The signal ends the other threads too, but not before this line: none of what comes behind the
	 * point may happen here meanwhile. */
	for (;;)
		pause();
}
