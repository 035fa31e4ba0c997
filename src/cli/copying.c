#include "cli/copying.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "cli/key_file.h"

static bool on_progress(void *ctx, int64_t done, int64_t all)
{
	progress_show(ctx, done, all, NULL);
	return true;
}

/* Room for what is put behind a path: ".part", "-journal". */
static int take_path(char *out, const char *path, const char *end, struct ch_err *err)
{
	if (snprintf(out, STORE_COPY_PATH_MAX, "%s%s", path, end) >= STORE_COPY_PATH_MAX - 64)
		return ch_err_set(err, CH_EINVAL, "the path %.200s… is too long", path);
	return 0;
}

int copying_init(struct copying *c, const char *command, const struct opts *o, struct ch_err *err)
{
	static const char prefix[] = "sqlite:";
	const char *url = opts_get(o, "store"), *key = opts_get(o, "secret-key-file");
	struct ch_clock clock = ch_clock_system();
	int rc;

	*c = (struct copying){.command = command};
	if (strncmp(url, prefix, sizeof(prefix) - 1) != 0 || url[sizeof(prefix) - 1] == '\0')
		return ch_err_set(err, CH_EINVAL, "%s: the store must be sqlite:PATH",
				opts_origin(o, "store", 0));
	if (o->arg_count != 1 || o->args[0][0] == '\0')
		return ch_err_set(err, CH_EINVAL, "name the file of the backup (see callhook %s --help)",
				command);
	c->store = url + sizeof(prefix) - 1;
	c->file = o->args[0];
	rc = take_path(c->key, key ? key : c->store, key ? "" : ".key", err);
	if (rc == 0)
		rc = take_path(c->file_key, c->file, ".key", err);
	progress_begin(&c->progress, command, clock);
	c->conf = (struct store_copy_conf){.progress = on_progress,
			.ctx = &c->progress,
			.spare_bytes = COPYING_SPARE_BYTES,
			.now_ms = ch_clock_wall(&clock).ms};
	return rc;
}

/* ---- the check ---- */

static void on_finding(void *ctx, const char *where, const char *what)
{
	fprintf(stderr, "DAMAGED %s: %s\n", where, what);
}

static void on_note(void *ctx, const char *where, const char *what)
{
}

static void on_account(void *ctx, const char *id, const struct ledger *counts)
{
}

int copying_check(const char *path, enum copying_verdict *ret, struct store_check_totals *totals,
		struct ch_err *err)
{
	struct store_check_sink sink = {on_finding, on_note, on_account, NULL};
	int rc = store_sqlite_check(path, &sink, totals, err);

	if (rc == 0)
		*ret = totals->findings == 0 ? COPYING_WELL : COPYING_DAMAGED;
	else if (rc == CH_EVERSION)
		*ret = COPYING_OLDER;
	return rc == CH_EVERSION ? 0 : rc;
}

/* ---- the key ---- */

int copying_key(const char *from, const char *to, struct ch_err *err)
{
	uint8_t key[CH_SEAL_KEY_BYTES], there[CH_SEAL_KEY_BYTES];
	int rc = key_file_load(from, false, NULL, key, err);

	if (rc == CH_ENOENT)
		return ch_err_set(err, CH_ENOENT, "there is no key file %s", from);
	if (rc == 0 && access(to, F_OK) == 0) {
		rc = key_file_load(to, false, NULL, there, err);
		if (rc == 0 && memcmp(key, there, sizeof(key)) != 0)
			rc = ch_err_set(err, CH_EEXIST, "another key is in %s; move it away first", to);
	} else if (rc == 0) {
		rc = key_file_write(to, key, err);
	}
	ch_wipe(key, sizeof(key));
	ch_wipe(there, sizeof(there));
	return rc;
}
