#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void ch_assert_failed(const char *file, int line, const char *expr)
{
	fprintf(stderr, "callhook: bug: %s:%d: %s\n", file, line, expr);
	fflush(stderr);
	abort();
}
