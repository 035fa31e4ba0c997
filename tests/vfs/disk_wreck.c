#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/rand.h"
#include "disk_core.h"

struct disk_wreck {
	struct disk_image image;
};

/* One salvage: what decides about each change. */
struct fate {
	struct disk_survival s;
	struct ch_rand rand;
	size_t first; /* DISK_KEEP_FIRST: how many changes of this file are left to keep */
};

struct disk_survival disk_survival_of(uint64_t seed)
{
	static const struct disk_survival kinds[] = {
			{DISK_KEEP_FIRST, 512, 0},
			{DISK_KEEP_SOME, 512, 0},
			{DISK_KEEP_TORN, 512, 0},
			{DISK_KEEP_TORN, 4096, 0},
	};
	struct disk_survival s = kinds[seed % 4];

	if (seed < 2)
		s.keep = seed == 0 ? DISK_KEEP_NONE : DISK_KEEP_ALL;
	s.seed = seed;
	return s;
}

const char *disk_keep_name(enum disk_keep keep)
{
	static const char *const names[DISK_KEEP_COUNT] = {"none", "all", "first", "some", "torn"};

	return names[keep];
}

struct disk_wreck *wreck_of(struct disk_image *m)
{
	struct disk_wreck *w = disk_alloc(sizeof(*w));

	w->image = *m;
	memset(m, 0, sizeof(*m));
	return w;
}

void disk_wreck_free(struct disk_wreck **w)
{
	if (*w == NULL)
		return;
	image_clear(&(*w)->image);
	free(*w);
	*w = NULL;
}

static bool toss(const struct fate *f)
{
	return ch_rand_below(&f->rand, 2) == 0;
}

static bool survives(struct fate *f)
{
	switch (f->s.keep) {
	case DISK_KEEP_NONE:
		return false;
	case DISK_KEEP_ALL:
		return true;
	case DISK_KEEP_FIRST:
		return f->first > 0 && f->first-- > 0;
	case DISK_KEEP_SOME:
	case DISK_KEEP_TORN:
	case DISK_KEEP_COUNT:
		break;
	}
	return toss(f);
}

/* The file grew on the disk, its new bytes did not get there. */
static void grow_with_garbage(const struct fate *f, struct disk_bytes *b, size_t len)
{
	size_t from = b->len;

	if (len <= from)
		return;
	disk_bytes_grow(b, len);
	if (toss(f))
		ch_rand_fill(&f->rand, b->data + from, len - from);
}

static void tear(const struct fate *f, struct disk_bytes *b, const struct disk_change *c)
{
	size_t from = 0, at = (size_t)c->offset;

	if (ch_rand_below(&f->rand, 4) == 0)
		grow_with_garbage(f, b, at + c->len);
	while (from < c->len) {
		size_t room = f->s.sector_bytes - (at + from) % f->s.sector_bytes;
		size_t len = c->len - from < room ? c->len - from : room;

		if (toss(f)) {
			grow_with_garbage(f, b, at + from);
			disk_bytes_write(b, c->data + from, len, at + from);
		}
		from += len;
	}
}

static struct disk_bytes content_of(const struct disk_inode *file, struct fate *f)
{
	struct disk_bytes b = {0};
	size_t changes = 0;

	for (const struct disk_change *c = file->first; c != NULL; c = c->next)
		changes++;
	f->first = ch_rand_below(&f->rand, changes + 1);
	disk_bytes_write(&b, file->durable, file->durable_len, 0);
	for (const struct disk_change *c = file->first; c != NULL; c = c->next) {
		/* Half of the writes are torn, or hardly a large one would come through whole. */
		if (f->s.keep == DISK_KEEP_TORN && !c->is_truncate && toss(f))
			tear(f, &b, c);
		else if (survives(f))
			disk_bytes_apply(&b, c);
	}
	return b;
}

static void write_file(const char *path, const struct disk_bytes *b)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CH_ASSERT(fd >= 0);
	CH_ASSERT(b->len == 0 || write(fd, b->data, b->len) == (ssize_t)b->len);
	CH_ASSERT(close(fd) == 0);
}

static bool is_kept(const char *name)
{
	size_t len = strlen(name);

	return name[0] == '.' || (len > 5 && strcmp(name + len - 5, ".lock") == 0);
}

static void empty_directory(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	CH_ASSERT(d != NULL);
	while ((e = readdir(d)) != NULL) {
		if (is_kept(e->d_name))
			continue;
		CH_ASSERT(snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < (int)sizeof(path));
		CH_ASSERT(unlink(path) == 0);
	}
	closedir(d);
}

static const struct disk_inode *survivor(const struct disk_name *n, const struct fate *f)
{
	if (n->now == n->durable || f->s.keep == DISK_KEEP_NONE)
		return n->durable;
	if (f->s.keep == DISK_KEEP_ALL)
		return n->now;
	return toss(f) ? n->now : n->durable;
}

void disk_wreck_salvage(const struct disk_wreck *w, const char *dir, const struct disk_survival *s)
{
	struct ch_rand_seeded seeded;
	struct fate f = {.s = *s};

	ch_rand_seeded_init(&seeded, s->seed);
	f.rand = ch_rand_seeded_of(&seeded);
	disk_forget();
	empty_directory(dir);
	for (size_t i = 0; i < w->image.count; i++) {
		const struct disk_name *n = &w->image.names[i];
		const struct disk_inode *file = survivor(n, &f);
		struct disk_bytes b;

		if (file == NULL)
			continue;
		b = content_of(file, &f);
		write_file(n->path, &b);
		free(b.data);
	}
}
