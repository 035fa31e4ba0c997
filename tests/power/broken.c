#include "broken.h"

#include <stddef.h>
#include <string.h>

#include <sqlite3.h>

#include "base/assert.h"
#include "disk.h"

static const char *const names[BROKEN_COUNT] = {"", "lies", "off", "normal"};
static const char *const options[BROKEN_COUNT] = {"", " --broken lies", " --broken off", " --broken normal"};
static const char *forced; /* the setting's SQL */

bool broken_parse(const char *text, enum broken *ret)
{
	for (int b = SOUND + 1; b < BROKEN_COUNT; b++) {
		if (strcmp(text, names[b]) == 0) {
			*ret = (enum broken)b;
			return true;
		}
	}
	return false;
}

const char *broken_option(enum broken b)
{
	return options[b];
}

/* The store's own choice is passed over. */
static int refuse(void *ctx, int action, const char *a, const char *b, const char *db, const char *trigger)
{
	if (action == SQLITE_PRAGMA && strcmp(a, "synchronous") == 0 && b != NULL)
		return SQLITE_IGNORE;
	return SQLITE_OK;
}

static int force(sqlite3 *db, char **ret_words, const void *api)
{
	int rc = sqlite3_exec(db, forced, NULL, NULL, NULL);

	return rc == SQLITE_OK ? sqlite3_set_authorizer(db, refuse, NULL) : rc;
}

void broken_install(enum broken b)
{
	if (b != BROKEN_OFF && b != BROKEN_NORMAL)
		return;
	forced = b == BROKEN_OFF ? "PRAGMA synchronous = OFF" : "PRAGMA synchronous = NORMAL";
	CH_ASSERT(sqlite3_auto_extension((void (*)(void))force) == SQLITE_OK);
}

void broken_begin(enum broken b)
{
	disk_lie_about_syncs(b == BROKEN_LIES);
}
