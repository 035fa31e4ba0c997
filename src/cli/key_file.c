#include "cli/key_file.h"
#include "base/crash_point.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4200

static int failed(const char *path, const char *what, struct ch_err *err)
{
	return ch_err_set(err, CH_EIO, "the key file %s can't be %s: %s", path, what, strerror(errno));
}

/* One that an earlier start left behind, cut off before the rename, is nobody's key. */
static int write_new(const char *path, const uint8_t key[CH_SEAL_KEY_BYTES])
{
	char text[2 * CH_SEAL_KEY_BYTES + 1];
	int fd;

	if (unlink(path) != 0 && errno != ENOENT)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	CH_CRASH_POINT(key_file_opened);
	ch_hex(key, CH_SEAL_KEY_BYTES, text);
	text[sizeof(text) - 1] = '\n';
	errno = ENOSPC; /* of a write that is cut short */
	bool ok = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0;
	ch_wipe(text, sizeof(text));
	return close(fd) == 0 && ok ? 0 : -1;
}

static int sync_folder(const char *path)
{
	char folder[PATH_BYTES];
	const char *slash = strrchr(path, '/');
	int len = slash ? (int)(slash - path) : 0;
	int fd, rc;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (len ? len : 1) : 1, slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* Under another name first: a crash half-way must leave no file that looks like a key and is none, and the
 * first secret must not be encrypted with a key that a power cut can take back. */
int key_file_write(const char *path, const uint8_t key[CH_SEAL_KEY_BYTES], struct ch_err *err)
{
	char temporary[PATH_BYTES];

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (write_new(temporary, key) == 0) {
		CH_CRASH_POINT(key_file_written);
		if (rename(temporary, path) == 0) {
			CH_CRASH_POINT(key_file_made);
			return sync_folder(path) == 0 ? 0 : failed(path, "made lasting", err);
		}
	}
	failed(path, "made", err);
	unlink(temporary);
	return CH_EIO;
}

static int read_key(int fd, const char *path, uint8_t ret[CH_SEAL_KEY_BYTES], struct ch_err *err)
{
	char text[2 * CH_SEAL_KEY_BYTES + 2];
	ssize_t got = read(fd, text, sizeof(text));
	struct stat st;

	if (got < 0 || fstat(fd, &st) != 0)
		return ch_err_set(err, CH_EIO, "the key file %s: %s", path, strerror(errno));
	if (st.st_mode & 077)
		return ch_err_set(err, CH_EIO, "the key file %s can be read by others; chmod 600 it", path);
	while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == '\r'))
		got--;
	if (got != 2 * CH_SEAL_KEY_BYTES || ch_unhex(text, (size_t)got, ret) != 0)
		return ch_err_set(err, CH_EIO, "the key file %s does not hold 64 hex digits", path);
	ch_wipe(text, sizeof(text));
	return 0;
}

int key_file_load(const char *path, bool may_make, const struct ch_rand *rand, uint8_t ret[CH_SEAL_KEY_BYTES],
		struct ch_err *err)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	int rc;

	if (fd >= 0) {
		rc = read_key(fd, path, ret, err);
		close(fd);
		return rc;
	}
	if (path && errno != ENOENT)
		return ch_err_set(err, CH_EIO, "the key file %s can't be opened: %s", path, strerror(errno));
	if (path && !may_make)
		return ch_err_set(err, CH_ENOENT,
				"the key file %s is not there, but the store holds secrets that were "
				"encrypted with it",
				path);
	ch_rand_fill(rand, ret, CH_SEAL_KEY_BYTES);
	return path ? key_file_write(path, ret, err) : 0;
}
