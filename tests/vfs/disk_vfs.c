#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "base/assert.h"
#include "disk_core.h"

/* What SQLite holds; the default VFS's own file lies behind it. */
struct disk_file {
	sqlite3_file base;
	char *path; /* NULL: a temporary file, which nobody keeps */
	struct disk_inode *inode; /* NULL as well */
	sqlite3_file *real;
};

#define FILE_BYTES ((sizeof(struct disk_file) + 15) / 16 * 16)

static sqlite3_vfs *real_vfs;

static struct disk_file *file_of(sqlite3_file *f)
{
	return (struct disk_file *)f;
}

/* The methods of a file. */

static int on_close(sqlite3_file *base)
{
	struct disk_file *f = file_of(base);
	int rc = f->real->pMethods->xClose(f->real);

	disk_lock();
	disk.open_files -= f->inode != NULL;
	disk_unlock();
	free(f->path);
	f->path = NULL;
	return rc;
}

static void garble(void *out, int len, sqlite3_int64 at)
{
	int whole = at >= 100 ? 0 : (int)(100 - at);

	if (whole < len)
		memset((char *)out + whole, 0, (size_t)(len - whole));
}

static int on_read(sqlite3_file *base, void *out, int len, sqlite3_int64 at)
{
	struct disk_file *f = file_of(base);
	bool is_last, is_garbled;
	long hits;
	int rc;

	disk_lock();
	hits = disk.hits;
	rc = disk_admit(DISK_READ, f->path, &is_last);
	is_garbled = disk.fault.garbles && disk.hits > hits;
	disk_unlock();
	if (rc != SQLITE_OK)
		return rc;
	rc = f->real->pMethods->xRead(f->real, out, len, at);
	if (is_garbled)
		garble(out, len, at);
	return rc;
}

static int on_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 at)
{
	struct disk_file *f = file_of(base);
	bool is_last;
	int rc, done;

	disk_lock();
	rc = disk_admit(DISK_WRITE, f->path, &is_last);
	done = rc == SQLITE_OK || is_last ? len : rc == SQLITE_FULL ? len / 2 : 0;
	if (f->inode != NULL && done > 0)
		image_write(f->inode, data, (size_t)done, at);
	if (done > 0 && !is_last) {
		int real_rc = f->real->pMethods->xWrite(f->real, data, done, at);

		rc = rc == SQLITE_OK ? real_rc : rc;
	}
	disk_unlock();
	return rc;
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 len)
{
	struct disk_file *f = file_of(base);
	bool is_last;
	int rc;

	disk_lock();
	rc = disk_admit(DISK_TRUNCATE, f->path, &is_last);
	if (f->inode != NULL && (rc == SQLITE_OK || is_last))
		image_truncate(f->inode, len);
	if (rc == SQLITE_OK)
		rc = f->real->pMethods->xTruncate(f->real, len);
	disk_unlock();
	return rc;
}

/* The real file is not synced: nothing of this test is to outlive the machine. */
static int on_sync(sqlite3_file *base, int flags)
{
	struct disk_file *f = file_of(base);
	void (*asked)(void *ctx) = NULL;
	void *ctx;
	bool is_last;
	int rc;

	disk_lock();
	if (f->path != NULL && disk.on_sync != NULL && disk_has_suffix(f->path, disk.on_sync_suffix))
		asked = disk.on_sync;
	ctx = disk.on_sync_ctx;
	disk_unlock();
	if (asked != NULL)
		asked(ctx);
	disk_lock();
	rc = disk_admit(DISK_SYNC, f->path, &is_last);
	if (rc == SQLITE_OK && f->inode != NULL && !disk.lies)
		image_sync(&disk.image, f->inode);
	disk_unlock();
	return rc;
}

static int on_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	struct disk_file *f = file_of(base);
	bool is_cut;

	disk_lock();
	is_cut = disk.is_cut;
	disk_unlock();
	return is_cut ? SQLITE_IOERR_FSTAT : f->real->pMethods->xFileSize(f->real, ret);
}

static int on_lock(sqlite3_file *base, int level)
{
	struct disk_file *f = file_of(base);
	bool is_last;
	int rc;

	disk_lock();
	rc = disk_admit(DISK_LOCK, f->path, &is_last);
	disk_unlock();
	return rc != SQLITE_OK ? rc : f->real->pMethods->xLock(f->real, level);
}

static int on_unlock(sqlite3_file *base, int level)
{
	return file_of(base)->real->pMethods->xUnlock(file_of(base)->real, level);
}

static int on_check_reserved(sqlite3_file *base, int *ret)
{
	return file_of(base)->real->pMethods->xCheckReservedLock(file_of(base)->real, ret);
}

static int on_file_control(sqlite3_file *base, int op, void *arg)
{
	return file_of(base)->real->pMethods->xFileControl(file_of(base)->real, op, arg);
}

static int on_sector_size(sqlite3_file *base)
{
	return file_of(base)->real->pMethods->xSectorSize(file_of(base)->real);
}

static int on_characteristics(sqlite3_file *base)
{
	return file_of(base)->real->pMethods->xDeviceCharacteristics(file_of(base)->real);
}

static int on_shm_map(sqlite3_file *base, int region, int bytes, int extend, void volatile **ret)
{
	struct disk_file *f = file_of(base);
	bool is_last;
	int rc;

	disk_lock();
	rc = disk_admit(DISK_SHM, f->path, &is_last);
	disk_unlock();
	return rc != SQLITE_OK ? rc : f->real->pMethods->xShmMap(f->real, region, bytes, extend, ret);
}

/* After a cut only giving back is possible. */
static int on_shm_lock(sqlite3_file *base, int at, int n, int flags)
{
	struct disk_file *f = file_of(base);
	bool is_refused;

	disk_lock();
	is_refused = disk.is_cut && (flags & SQLITE_SHM_LOCK) != 0;
	disk_unlock();
	return is_refused ? SQLITE_IOERR_SHMLOCK : f->real->pMethods->xShmLock(f->real, at, n, flags);
}

static void on_shm_barrier(sqlite3_file *base)
{
	file_of(base)->real->pMethods->xShmBarrier(file_of(base)->real);
}

static int on_shm_unmap(sqlite3_file *base, int deletes)
{
	return file_of(base)->real->pMethods->xShmUnmap(file_of(base)->real, deletes);
}

/* Version 2: shared memory, but no mapped reads, which would pass by on_read. */
static const sqlite3_io_methods methods = {
		.iVersion = 2,
		.xClose = on_close,
		.xRead = on_read,
		.xWrite = on_write,
		.xTruncate = on_truncate,
		.xSync = on_sync,
		.xFileSize = on_size,
		.xLock = on_lock,
		.xUnlock = on_unlock,
		.xCheckReservedLock = on_check_reserved,
		.xFileControl = on_file_control,
		.xSectorSize = on_sector_size,
		.xDeviceCharacteristics = on_characteristics,
		.xShmMap = on_shm_map,
		.xShmLock = on_shm_lock,
		.xShmBarrier = on_shm_barrier,
		.xShmUnmap = on_shm_unmap,
};

/* The methods of the VFS. */

/* Not xAccess: for that a file without a byte is none. */
static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int open_real(struct disk_file *f, const char *path, int flags, int *ret_flags, bool is_made)
{
	int rc = real_vfs->xOpen(real_vfs, path, f->real, flags, ret_flags);

	if (rc != SQLITE_OK)
		return rc;
	if (path != NULL) {
		f->inode = image_open(&disk.image, path, is_made);
		f->path = strdup(path);
		CH_ASSERT(f->path != NULL);
		disk.open_files++;
	}
	f->base.pMethods = &methods;
	return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *ret_flags)
{
	struct disk_file *f = file_of(base);
	bool is_made = path != NULL && (flags & SQLITE_OPEN_CREATE) != 0 && !exists(path);
	bool is_last;
	int rc;

	(void)vfs;
	memset(f, 0, sizeof(*f));
	f->real = (sqlite3_file *)((char *)base + FILE_BYTES);
	disk_lock();
	rc = disk_admit(DISK_OPEN, path, &is_last);
	if (rc == SQLITE_OK && is_made)
		rc = disk_admit(DISK_CREATE, path, &is_last);
	if (is_last)
		(void)image_open(&disk.image, path, true);
	if (rc == SQLITE_OK)
		rc = open_real(f, path, flags, ret_flags, is_made);
	disk_unlock();
	return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int syncs_directory)
{
	bool is_last;
	int rc;

	(void)vfs;
	if (!exists(path))
		return real_vfs->xDelete(real_vfs, path, syncs_directory);
	disk_lock();
	rc = disk_admit(DISK_DELETE, path, &is_last);
	if (rc == SQLITE_OK || is_last)
		image_delete(&disk.image, path, syncs_directory && !is_last && !disk.lies);
	if (rc == SQLITE_OK)
		rc = real_vfs->xDelete(real_vfs, path, 0);
	disk_unlock();
	return rc;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	bool is_cut;

	(void)vfs;
	disk_lock();
	is_cut = disk.is_cut;
	disk_unlock();
	return is_cut ? SQLITE_IOERR_ACCESS : real_vfs->xAccess(real_vfs, path, flags, ret);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *path, int room, char *out)
{
	(void)vfs;
	return real_vfs->xFullPathname(real_vfs, path, room, out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int room, char *out)
{
	int os;

	(void)vfs;
	disk_lock();
	os = disk.os_errno;
	disk_unlock();
	return os != 0 ? os : real_vfs->xGetLastError(real_vfs, room, out);
}

void disk_install(void)
{
	static sqlite3_vfs vfs;

	if (real_vfs != NULL)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	CH_ASSERT(real_vfs != NULL);
	vfs = *real_vfs;
	vfs.pNext = NULL;
	vfs.zName = "disk";
	vfs.szOsFile = (int)FILE_BYTES + real_vfs->szOsFile;
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	vfs.xAccess = vfs_access;
	vfs.xFullPathname = vfs_full_pathname;
	vfs.xGetLastError = vfs_last_error;
	CH_ASSERT(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
