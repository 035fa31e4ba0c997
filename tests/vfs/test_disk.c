#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "disk.h"

#define SECTOR 512
#define BYTES (8 * SECTOR)

struct place {
	char dir[64];
	char db[80], wal[80];
	sqlite3_file *file;
};

static int open_file(const struct place *p, const char *path, int flags)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	memset(p->file, 0, (size_t)vfs->szOsFile);
	return vfs->xOpen(vfs, path, p->file, flags | SQLITE_OPEN_READWRITE, NULL);
}

static void open_db(const struct place *p)
{
	assert_int_equal(open_file(p, p->db, SQLITE_OPEN_MAIN_DB), SQLITE_OK);
}

static void open_wal(const struct place *p)
{
	assert_int_equal(open_file(p, p->wal, SQLITE_OPEN_WAL | SQLITE_OPEN_CREATE), SQLITE_OK);
}

static int put(const struct place *p, char c, int len, int at)
{
	char data[BYTES];

	memset(data, c, sizeof(data));
	return p->file->pMethods->xWrite(p->file, data, len, at);
}

static int sync_file(const struct place *p)
{
	return p->file->pMethods->xSync(p->file, SQLITE_SYNC_NORMAL);
}

static void close_file(const struct place *p)
{
	assert_int_equal(p->file->pMethods->xClose(p->file), SQLITE_OK);
}

/* What is in the file after a cut, -1: it is not there. */
static int salvage(const struct place *p, const struct disk_wreck *w, uint64_t seed, const char *path,
		char out[BYTES])
{
	struct disk_survival s = disk_survival_of(seed);
	int fd, len;

	disk_wreck_salvage(w, p->dir, &s);
	memset(out, 0, BYTES);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	len = (int)read(fd, out, BYTES);
	close(fd);
	return len;
}

static void make_db(const struct place *p)
{
	char data[BYTES];
	int fd = open(p->db, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	memset(data, 'o', sizeof(data));
	assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
	close(fd);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	disk_install();
	disk_forget();
	strcpy(p->dir, "/tmp/callhook-disk-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->db, sizeof(p->db), "%s/store.db", p->dir);
	snprintf(p->wal, sizeof(p->wal), "%s/store.db-wal", p->dir);
	p->file = calloc(1, (size_t)sqlite3_vfs_find(NULL)->szOsFile);
	make_db(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	disk_forget();
	unlink(p->db);
	unlink(p->wal);
	assert_int_equal(rmdir(p->dir), 0);
	free(p->file);
	free(p);
	return 0;
}

static void what_was_synced_survives(void **state)
{
	const struct place *p = *state;
	struct disk_wreck *w;
	char got[BYTES];

	open_db(p);
	assert_int_equal(put(p, 'a', 10, 0), SQLITE_OK);
	assert_int_equal(sync_file(p), SQLITE_OK);
	assert_int_equal(put(p, 'b', 10, 5), SQLITE_OK);
	assert_int_equal(p->file->pMethods->xRead(p->file, got, 20, 0), SQLITE_OK);
	assert_memory_equal(got, "aaaaabbbbbbbbbbooooo", 20);
	close_file(p);
	w = disk_wreck_take();
	assert_int_equal(salvage(p, w, 0, p->db, got), BYTES);
	assert_memory_equal(got, "aaaaaaaaaaoooooooooo", 20);
	assert_int_equal(salvage(p, w, 1, p->db, got), BYTES);
	assert_memory_equal(got, "aaaaabbbbbbbbbbooooo", 20);
	disk_wreck_free(&w);
}

static void a_truncation_may_be_lost(void **state)
{
	const struct place *p = *state;
	struct disk_wreck *w;
	char got[BYTES];

	open_db(p);
	assert_int_equal(p->file->pMethods->xTruncate(p->file, 7), SQLITE_OK);
	close_file(p);
	w = disk_wreck_take();
	assert_int_equal(salvage(p, w, 0, p->db, got), BYTES);
	assert_int_equal(salvage(p, w, 1, p->db, got), 7);
	disk_wreck_free(&w);
}

static void a_new_name_needs_a_sync(void **state)
{
	const struct place *p = *state;
	struct disk_wreck *w;
	char got[BYTES];

	for (int syncs = 0; syncs < 2; syncs++) {
		make_db(p);
		open_wal(p);
		assert_int_equal(put(p, 'a', 10, 0), SQLITE_OK);
		if (syncs)
			assert_int_equal(sync_file(p), SQLITE_OK);
		close_file(p);
		w = disk_wreck_take();
		assert_int_equal(salvage(p, w, 0, p->wal, got), syncs ? 10 : -1);
		assert_int_equal(salvage(p, w, 1, p->wal, got), 10);
		disk_wreck_free(&w);
		unlink(p->wal);
	}
}

static void a_deletion_needs_a_sync(void **state)
{
	const struct place *p = *state;
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	struct disk_wreck *w;
	char got[BYTES];

	for (int syncs = 0; syncs < 2; syncs++) {
		make_db(p);
		open_wal(p);
		assert_int_equal(put(p, 'a', 10, 0), SQLITE_OK);
		assert_int_equal(sync_file(p), SQLITE_OK);
		close_file(p);
		assert_int_equal(vfs->xDelete(vfs, p->wal, syncs), SQLITE_OK);
		w = disk_wreck_take();
		assert_int_equal(salvage(p, w, 0, p->wal, got), syncs ? -1 : 10);
		assert_int_equal(salvage(p, w, 1, p->wal, got), -1);
		disk_wreck_free(&w);
	}
}

static void writes_survive_out_of_order(void **state)
{
	const struct place *p = *state;
	struct disk_wreck *w;
	char got[BYTES];
	int seen[4] = {0};

	open_db(p);
	assert_int_equal(put(p, 'a', SECTOR, 0), SQLITE_OK);
	assert_int_equal(put(p, 'b', SECTOR, 3 * SECTOR), SQLITE_OK);
	close_file(p);
	w = disk_wreck_take();
	for (uint64_t seed = 1; seed < 200; seed += 4) {
		assert_int_equal(disk_survival_of(seed).keep, seed == 1 ? DISK_KEEP_ALL : DISK_KEEP_SOME);
		assert_int_equal(salvage(p, w, seed, p->db, got), BYTES);
		seen[(got[0] == 'a') + 2 * (got[3 * SECTOR] == 'b')]++;
	}
	for (int i = 0; i < 4; i++)
		assert_int_not_equal(seen[i], 0);
	disk_wreck_free(&w);
}

/* Each sector is old or new as a whole, and nothing beside the write changes. */
static void a_torn_write_is_torn_at_sectors(void **state)
{
	const struct place *p = *state;
	struct disk_wreck *w;
	char got[BYTES], again[BYTES];
	int mixed = 0;

	open_db(p);
	assert_int_equal(put(p, 'n', 3 * SECTOR, 100), SQLITE_OK);
	close_file(p);
	w = disk_wreck_take();
	for (uint64_t seed = 2; seed < 202; seed += 4) {
		int fresh = 0;

		assert_int_equal(salvage(p, w, seed, p->db, got), BYTES);
		assert_int_equal(salvage(p, w, seed, p->db, again), BYTES);
		assert_memory_equal(got, again, BYTES);
		for (int i = 0; i < BYTES; i++) {
			bool is_inside = i >= 100 && i < 100 + 3 * SECTOR;

			assert_true(got[i] == 'o' || (got[i] == 'n' && is_inside));
			if (i > 100 && i % SECTOR != 0 && i < 100 + 3 * SECTOR)
				assert_int_equal(got[i], got[i - 1]);
			fresh += got[i] == 'n';
		}
		mixed += fresh > 0 && fresh < 3 * SECTOR;
	}
	assert_true(mixed > 10);
	disk_wreck_free(&w);
}

static void after_a_cut_nothing_works(void **state)
{
	const struct place *p = *state;
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	struct disk_wreck *w;
	char got[BYTES];
	int there;

	open_db(p);
	assert_int_equal(disk_ops(), 0);
	disk_cut_at(3);
	assert_int_equal(put(p, 'a', 10, 0), SQLITE_OK);
	assert_int_equal(sync_file(p), SQLITE_OK);
	assert_false(disk_is_cut());
	assert_int_equal(put(p, 'b', 10, 0), SQLITE_IOERR);
	assert_true(disk_is_cut());
	assert_int_equal(put(p, 'c', 10, 0), SQLITE_IOERR);
	assert_int_equal(sync_file(p), SQLITE_IOERR);
	assert_int_equal(p->file->pMethods->xRead(p->file, got, 10, 0), SQLITE_IOERR);
	assert_int_equal(vfs->xDelete(vfs, p->db, 0), SQLITE_IOERR);
	assert_int_equal(vfs->xAccess(vfs, p->db, SQLITE_ACCESS_EXISTS, &there), SQLITE_IOERR_ACCESS);
	close_file(p);
	assert_int_equal(open_file(p, p->db, SQLITE_OPEN_MAIN_DB), SQLITE_CANTOPEN);
	w = disk_wreck_take();
	assert_int_equal(salvage(p, w, 0, p->db, got), BYTES);
	assert_int_equal(got[0], 'a');
	/* The write in which power went may have got there, the ones after it not. */
	assert_int_equal(salvage(p, w, 1, p->db, got), BYTES);
	assert_int_equal(got[0], 'b');
	disk_wreck_free(&w);
}

static void faults_come_when_asked_for(void **state)
{
	const struct place *p = *state;
	struct disk_fault f = {.ops = DISK_BIT(DISK_WRITE), .nth = 2, .count = 2, .code = SQLITE_FULL};
	char got[30];

	open_db(p);
	disk_fail(&f);
	assert_int_equal(put(p, 'a', 10, 0), SQLITE_OK);
	assert_int_equal(put(p, 'b', 10, 10), SQLITE_FULL);
	assert_int_equal(sync_file(p), SQLITE_OK);
	assert_int_equal(put(p, 'c', 10, 20), SQLITE_FULL);
	assert_int_equal(disk_faults_hit(), 2);
	assert_int_equal(p->file->pMethods->xRead(p->file, got, 30, 0), SQLITE_OK);
	assert_memory_equal(got, "aaaaaaaaaabbbbboooooccccc", 25);
	assert_int_equal(put(p, 'd', 10, 0), SQLITE_OK);
	f.suffix = "-wal";
	f.nth = 1;
	f.count = 0;
	disk_fail(&f);
	assert_int_equal(put(p, 'e', 10, 0), SQLITE_OK);
	f.suffix = ".db";
	disk_fail(&f);
	assert_int_equal(put(p, 'f', 10, 0), SQLITE_FULL);
	assert_int_equal(put(p, 'f', 10, 0), SQLITE_FULL);
	disk_heal();
	assert_int_equal(put(p, 'g', 10, 0), SQLITE_OK);
	close_file(p);
}

static void a_liar_keeps_nothing(void **state)
{
	const struct place *p = *state;
	struct disk_wreck *w;
	char got[BYTES];

	open_db(p);
	disk_lie_about_syncs(true);
	assert_int_equal(put(p, 'a', 10, 0), SQLITE_OK);
	assert_int_equal(sync_file(p), SQLITE_OK);
	close_file(p);
	w = disk_wreck_take();
	assert_int_equal(salvage(p, w, 0, p->db, got), BYTES);
	assert_int_equal(got[0], 'o');
	disk_wreck_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(what_was_synced_survives, setup, teardown),
			cmocka_unit_test_setup_teardown(a_truncation_may_be_lost, setup, teardown),
			cmocka_unit_test_setup_teardown(a_new_name_needs_a_sync, setup, teardown),
			cmocka_unit_test_setup_teardown(a_deletion_needs_a_sync, setup, teardown),
			cmocka_unit_test_setup_teardown(writes_survive_out_of_order, setup, teardown),
			cmocka_unit_test_setup_teardown(a_torn_write_is_torn_at_sectors, setup, teardown),
			cmocka_unit_test_setup_teardown(after_a_cut_nothing_works, setup, teardown),
			cmocka_unit_test_setup_teardown(faults_come_when_asked_for, setup, teardown),
			cmocka_unit_test_setup_teardown(a_liar_keeps_nothing, setup, teardown),
	};

	return cmocka_run_group_tests_name("disk", tests, NULL, NULL) > 0;
}
