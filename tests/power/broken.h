/* tests/power/broken.h - ways to make the store's syncs worthless, which the suite has to find out.
 *
 * Role:      a suite that passes over a store that never syncs finds nothing. The switches are in this
 *            process and not in the program: the disk's, or a setting forced on every connection.
 * Threads:   set before the first connection.
 */
#ifndef CH_TESTS_BROKEN_H
#define CH_TESTS_BROKEN_H

#include <stdbool.h>

enum broken {
	SOUND,
	BROKEN_LIES, /* the disk says that it synced and did not */
	BROKEN_OFF, /* PRAGMA synchronous = OFF */
	BROKEN_NORMAL, /* = NORMAL: no sync at a commit */
	BROKEN_COUNT
};

bool broken_parse(const char *text, enum broken *ret);
const char *broken_option(enum broken b); /* as on the command line, with a space before */
void broken_install(enum broken b); /* once */
void broken_begin(enum broken b); /* after each disk_forget */

#endif
