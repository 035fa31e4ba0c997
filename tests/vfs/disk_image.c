#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "disk_core.h"

void *disk_alloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	CH_ASSERT(p != NULL);
	return p;
}

void disk_bytes_grow(struct disk_bytes *b, size_t len)
{
	if (len > b->cap) {
		b->cap = len > 2 * b->cap ? len : 2 * b->cap;
		b->data = realloc(b->data, b->cap);
		CH_ASSERT(b->data != NULL);
	}
	if (len > b->len) {
		memset(b->data + b->len, 0, len - b->len);
		b->len = len;
	}
}

void disk_bytes_write(struct disk_bytes *b, const uint8_t *data, size_t len, size_t offset)
{
	if (len == 0)
		return;
	disk_bytes_grow(b, offset + len);
	memcpy(b->data + offset, data, len);
}

void disk_bytes_apply(struct disk_bytes *b, const struct disk_change *c)
{
	size_t at = (size_t)c->offset;

	if (!c->is_truncate)
		disk_bytes_write(b, c->data, c->len, at);
	else if (at < b->len)
		b->len = at;
	else
		disk_bytes_grow(b, at);
}

static void drop_changes(struct disk_inode *f)
{
	while (f->first != NULL) {
		struct disk_change *c = f->first;

		f->first = c->next;
		free(c);
	}
	f->last = &f->first;
}

void image_clear(struct disk_image *m)
{
	while (m->inodes != NULL) {
		struct disk_inode *f = m->inodes;

		m->inodes = f->next;
		drop_changes(f);
		free(f->durable);
		free(f);
	}
	for (size_t i = 0; i < m->count; i++)
		free(m->names[i].path);
	memset(m, 0, sizeof(*m));
}

struct disk_name *image_find(struct disk_image *m, const char *path)
{
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->names[i].path, path) == 0)
			return &m->names[i];
	}
	return NULL;
}

static struct disk_name *add_name(struct disk_image *m, const char *path)
{
	struct disk_name *n = &m->names[m->count++];

	CH_ASSERT(m->count <= DISK_NAMES_MAX);
	n->path = strdup(path);
	CH_ASSERT(n->path != NULL);
	return n;
}

static struct disk_inode *add_inode(struct disk_image *m)
{
	struct disk_inode *f = disk_alloc(sizeof(*f));

	f->last = &f->first;
	f->next = m->inodes;
	m->inodes = f;
	return f;
}

static void load(struct disk_inode *f, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CH_ASSERT(fd >= 0 && fstat(fd, &st) == 0);
	f->durable_len = f->durable_cap = (size_t)st.st_size;
	f->durable = disk_alloc(f->durable_len + 1);
	CH_ASSERT(read(fd, f->durable, f->durable_len) == (ssize_t)f->durable_len);
	close(fd);
}

struct disk_inode *image_open(struct disk_image *m, const char *path, bool is_made)
{
	struct disk_name *n = image_find(m, path);

	if (n != NULL && n->now != NULL)
		return n->now;
	if (n == NULL)
		n = add_name(m, path);
	n->now = add_inode(m);
	n->now->is_new = is_made;
	if (!is_made) {
		load(n->now, path);
		n->durable = n->now;
	}
	return n->now;
}

static void add_change(struct disk_inode *f, const struct disk_change *values, const void *data)
{
	struct disk_change *c = disk_alloc(sizeof(*c) + values->len);

	*c = *values;
	memcpy(c->data, data, values->len);
	*f->last = c;
	f->last = &c->next;
}

void image_write(struct disk_inode *f, const void *data, size_t len, int64_t offset)
{
	add_change(f, &(struct disk_change){.offset = offset, .len = len}, data);
}

void image_truncate(struct disk_inode *f, int64_t len)
{
	add_change(f, &(struct disk_change){.offset = len, .is_truncate = true}, "");
}

void image_sync(struct disk_image *m, struct disk_inode *f)
{
	struct disk_bytes b = {f->durable, f->durable_len, f->durable_cap};

	for (const struct disk_change *c = f->first; c != NULL; c = c->next)
		disk_bytes_apply(&b, c);
	f->durable = b.data;
	f->durable_len = b.len;
	f->durable_cap = b.cap;
	drop_changes(f);
	for (size_t i = 0; f->is_new && i < m->count; i++)
		m->names[i].durable = m->names[i].now;
	f->is_new = false;
}

void image_delete(struct disk_image *m, const char *path, bool is_durable)
{
	struct disk_name *n = image_find(m, path);

	if (n == NULL) {
		n = add_name(m, path);
		n->durable = add_inode(m);
		load(n->durable, path);
	}
	n->now = NULL;
	for (size_t i = 0; is_durable && i < m->count; i++)
		m->names[i].durable = m->names[i].now;
}
