#include <errno.h>
#include <string.h>

#include <sqlite3.h>

#include "base/assert.h"
#include "disk_core.h"

struct disk_state disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

void disk_lock(void)
{
	CH_ASSERT(pthread_mutex_lock(&disk.lock) == 0);
}

void disk_unlock(void)
{
	CH_ASSERT(pthread_mutex_unlock(&disk.lock) == 0);
}

bool disk_has_suffix(const char *path, const char *suffix)
{
	size_t len = strlen(path), wanted = suffix == NULL ? 0 : strlen(suffix);

	return len >= wanted && (wanted == 0 || strcmp(path + len - wanted, suffix) == 0);
}

static bool is_change(enum disk_op op)
{
	return op == DISK_CREATE || op == DISK_WRITE || op == DISK_TRUNCATE || op == DISK_SYNC ||
	       op == DISK_DELETE;
}

static int cut_code(enum disk_op op)
{
	disk.os_errno = EIO;
	return op == DISK_OPEN || op == DISK_CREATE ? SQLITE_CANTOPEN : SQLITE_IOERR;
}

static bool fault_is_due(enum disk_op op, const char *path)
{
	if (disk.fault_in == 0 || (disk.fault.ops & DISK_BIT(op)) == 0 || path == NULL ||
			!disk_has_suffix(path, disk.fault.suffix))
		return false;
	if (disk.fault_in > 1) {
		disk.fault_in--;
		return false;
	}
	if (disk.fault_left == 0)
		return false;
	if (disk.fault_left > 0)
		disk.fault_left--;
	disk.hits++;
	return true;
}

int disk_admit(enum disk_op op, const char *path, bool *ret_is_last)
{
	*ret_is_last = false;
	if (disk.is_cut)
		return cut_code(op);
	if (path == NULL)
		return SQLITE_OK;
	if (is_change(op)) {
		disk.ops++;
		if (disk.cut_in > 0 && --disk.cut_in == 0) {
			disk.is_cut = true;
			*ret_is_last = true;
			return cut_code(op);
		}
	}
	if (!fault_is_due(op, path) || disk.fault.garbles)
		return SQLITE_OK;
	disk.os_errno = disk.fault.os_errno;
	return disk.fault.code;
}

static void reset(void)
{
	CH_ASSERT(disk.open_files == 0);
	disk.ops = disk.cut_in = disk.hits = 0;
	disk.is_cut = disk.lies = false;
	disk.fault_in = disk.fault_left = disk.os_errno = 0;
	memset(&disk.fault, 0, sizeof(disk.fault));
	disk.on_sync = NULL;
}

void disk_forget(void)
{
	disk_lock();
	image_clear(&disk.image);
	reset();
	disk_unlock();
}

struct disk_wreck *disk_wreck_take(void)
{
	struct disk_wreck *w;

	disk_lock();
	w = wreck_of(&disk.image);
	reset();
	disk_unlock();
	return w;
}

long disk_ops(void)
{
	long ops;

	disk_lock();
	ops = disk.ops;
	disk_unlock();
	return ops;
}

void disk_cut_at(long nth)
{
	disk_lock();
	disk.cut_in = nth;
	disk_unlock();
}

bool disk_is_cut(void)
{
	bool is_cut;

	disk_lock();
	is_cut = disk.is_cut;
	disk_unlock();
	return is_cut;
}

void disk_fail(const struct disk_fault *fault)
{
	disk_lock();
	disk.fault = *fault;
	disk.fault_in = fault->nth;
	disk.fault_left = fault->count == 0 ? -1 : fault->count;
	disk.hits = 0;
	disk.os_errno = 0;
	disk_unlock();
}

void disk_heal(void)
{
	disk_lock();
	disk.fault_in = 0;
	disk_unlock();
}

long disk_faults_hit(void)
{
	long hits;

	disk_lock();
	hits = disk.hits;
	disk_unlock();
	return hits;
}

void disk_lie_about_syncs(bool lies)
{
	disk_lock();
	disk.lies = lies;
	disk_unlock();
}

void disk_on_sync(void (*fn)(void *ctx), void *ctx, const char *suffix)
{
	disk_lock();
	disk.on_sync = fn;
	disk.on_sync_ctx = ctx;
	disk.on_sync_suffix = suffix;
	disk_unlock();
}
