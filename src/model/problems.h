/* model/problems.h - what is wrong with an input, each with the place it is at.
 *
 * Role:      validation goes on after the first mistake, so that all are named at once.
 *            Pointers are JSON Pointers (RFC 6901): "" is the whole document, "/phone" a member.
 * Ownership: the list owns its texts; problems_fini frees them.
 * Errors:    adding never fails: when memory is short or PROBLEMS_MAX is reached, the
 *            entry is dropped and truncated is set.
 */
#ifndef CH_MODEL_PROBLEMS_H
#define CH_MODEL_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

#define PROBLEMS_MAX 50

struct problem {
	char *pointer; /* valid UTF-8, at most 256 bytes, cut at the end with "…" */
	char *detail; /* a sentence without a full stop at the end, in lower case */
};

struct problems {
	struct problem items[PROBLEMS_MAX];
	size_t count;
	bool truncated;
};

void problems_init(struct problems *p);
void problems_fini(struct problems *p);
void problems_add(struct problems *p, const char *pointer, const char *fmt, ...) CH_PRINTF(3, 4);

#endif
