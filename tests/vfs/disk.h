/* tests/vfs/disk.h - SQLite's files on a disk with a volatile cache, which can lose power and fail.
 *
 * Role:      a VFS that wraps the default one. What is written goes to the real files, so that reads, locks
 *            and shared memory are the system's own; beside them it is kept, file by file, what a sync
 *            has made durable and what was written since. After a power cut the files are set to a state
 *            that the disk was allowed to leave. Faults can be asked for by operation.
 * Model:     a sync makes one file durable, and the first sync of a file that SQLite created also the names
 *            of the directory, as the default VFS has it; so does a deletion that asks for it. Other
 *            deletions and creations may be lost. A write touches no byte outside of its range (what
 *            SQLite calls powersafe overwrite); inside, sectors survive each by itself. Unsynced bytes
 *            behind the end may be garbage. Shared memory is lost. A file that the VFS sees for the
 *            first time is durable as it is.
 * Threads:   any; one disk a process. on_sync runs without the disk's lock.
 * Ownership: the disk owns what it keeps of the files until disk_forget or disk_wreck_take.
 */
#ifndef CH_TESTS_DISK_H
#define CH_TESTS_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum disk_op {
	DISK_OPEN, /* any */
	DISK_CREATE, /* an open that makes the file */
	DISK_READ,
	DISK_WRITE,
	DISK_TRUNCATE,
	DISK_SYNC,
	DISK_DELETE,
	DISK_LOCK, /* taking one on the file, not the shared memory's */
	DISK_SHM, /* mapping */
	DISK_OP_COUNT
};

#define DISK_BIT(op) (1u << (op))

/* Registers the VFS as the default one; may be called again. Before the first connection. */
void disk_install(void);

/* With all files closed: what they hold is durable, no fault is set, every count begins anew. */
void disk_forget(void);

/* Power. An operation that changes something (CREATE, WRITE, TRUNCATE, SYNC, DELETE) counts. */
long disk_ops(void); /* so far, since disk_forget */
void disk_cut_at(long nth); /* the nth from now fails and so does everything after; 0: none */
bool disk_is_cut(void);

enum disk_keep {
	DISK_KEEP_NONE, /* nothing unsynced survives */
	DISK_KEEP_ALL,
	DISK_KEEP_FIRST, /* of each file so many of the first writes */
	DISK_KEEP_SOME, /* any writes: they got to the disk out of order */
	DISK_KEEP_TORN, /* any sectors of any writes, garbage where a file grew */
	DISK_KEEP_COUNT
};

struct disk_survival {
	enum disk_keep keep;
	unsigned sector_bytes; /* 512 or 4096 */
	uint64_t seed;
};

/* 0: nothing survives, 1: everything; the others go through the kinds by chance. */
struct disk_survival disk_survival_of(uint64_t seed);
const char *disk_keep_name(enum disk_keep keep);

/* What a cut left: taken from the disk once all files are closed, which then is as after disk_forget. */
struct disk_wreck *disk_wreck_take(void);
/* Makes the files in dir what the survival says and removes all others but locks; as often as wanted. */
void disk_wreck_salvage(const struct disk_wreck *w, const char *dir, const struct disk_survival *s);
void disk_wreck_free(struct disk_wreck **w);

/* Faults. */
struct disk_fault {
	unsigned ops; /* DISK_BITs */
	const char *suffix; /* of the file's name: "-wal"; NULL: any file. Kept */
	int nth; /* the first that fails, from 1 */
	int count; /* how many fail then; 0: until disk_heal */
	int code; /* SQLITE_FULL, SQLITE_IOERR_WRITE, …; a WRITE that fails with FULL leaves half of it */
	int os_errno; /* what sqlite3_system_errno says with it; 0: nothing */
	bool garbles; /* a READ succeeds, with zeros behind the first 100 bytes of a file */
};

void disk_fail(const struct disk_fault *fault); /* replaces the one before */
void disk_heal(void);
long disk_faults_hit(void); /* since the last disk_fail */

/* Every sync says that it is done, and nothing is durable: a liar's disk. */
void disk_lie_about_syncs(bool lies);

/* Asked before each sync of a file whose name ends with suffix; may wait. NULL: nobody. */
void disk_on_sync(void (*fn)(void *ctx), void *ctx, const char *suffix);

#endif
