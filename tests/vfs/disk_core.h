/* tests/vfs/disk_core.h - the files as the disk remembers them; for the VFS only.
 *
 * Role:      disk_image.c keeps names, files and unsynced changes; disk_wreck.c makes of them what
 *            survives a cut; disk_state.c counts, cuts and fails; disk_vfs.c is
 *            what SQLite calls.
 * Ownership: an image owns its files until image_clear; names point to them.
 * Threads:   the caller holds a lock.
 * Errors:    none; without memory the test process aborts.
 */
#ifndef CH_TESTS_DISK_CORE_H
#define CH_TESTS_DISK_CORE_H

#include <pthread.h>
#include <stddef.h>

#include "disk.h"

#define DISK_NAMES_MAX 16

/* A write, or with is_truncate a new length `offset`. */
struct disk_change {
	struct disk_change *next;
	int64_t offset;
	size_t len;
	bool is_truncate;
	uint8_t data[];
};

struct disk_inode {
	struct disk_inode *next; /* all of the image */
	uint8_t *durable;
	size_t durable_len, durable_cap;
	struct disk_change *first, **last; /* since the last sync, in order */
	bool is_new; /* its next sync makes the names durable too */
};

struct disk_name {
	char *path;
	struct disk_inode *now, *durable; /* NULL: no such file */
};

struct disk_image {
	struct disk_inode *inodes;
	struct disk_name names[DISK_NAMES_MAX];
	size_t count;
};

struct disk_bytes {
	uint8_t *data;
	size_t len, cap;
};

void *disk_alloc(size_t bytes); /* cleared */
void disk_bytes_grow(struct disk_bytes *b, size_t len);
void disk_bytes_write(struct disk_bytes *b, const uint8_t *data, size_t len, size_t offset);
void disk_bytes_apply(struct disk_bytes *b, const struct disk_change *c);

void image_clear(struct disk_image *m);
struct disk_name *image_find(struct disk_image *m, const char *path); /* NULL: not seen yet */
/* The file behind a name that was just opened; `is_made` when it was not there before. */
struct disk_inode *image_open(struct disk_image *m, const char *path, bool is_made);
void image_write(struct disk_inode *f, const void *data, size_t len, int64_t offset);
void image_truncate(struct disk_inode *f, int64_t len);
void image_sync(struct disk_image *m, struct disk_inode *f);
void image_delete(struct disk_image *m, const char *path, bool is_durable);

/* What there is one of, and what was asked of it. */
struct disk_state {
	pthread_mutex_t lock;
	struct disk_image image;
	int open_files;
	long ops;
	long cut_in; /* operations until the cut; 0: none */
	bool is_cut;
	bool lies;
	struct disk_fault fault;
	int fault_in; /* operations that fit until the first that fails; 0: no fault */
	int fault_left; /* how many fail then; -1: for ever */
	long hits;
	int os_errno; /* of the last failure, as errno stays what it is until the next one */
	void (*on_sync)(void *ctx);
	void *on_sync_ctx;
	const char *on_sync_suffix;
};

extern struct disk_state disk;

void disk_lock(void);
void disk_unlock(void);
bool disk_has_suffix(const char *path, const char *suffix); /* NULL: any has */
/* May this operation be done? A SQLite code. *ret_is_last: it is the one in which power goes: it may reach
 * the disk's cache and fails. With the lock. */
int disk_admit(enum disk_op op, const char *path, bool *ret_is_last);

/* For the VFS: moves the image out into a wreck. */
struct disk_wreck *wreck_of(struct disk_image *m);

#endif
