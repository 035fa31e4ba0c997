#include "delivery/curl_sock.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"

#define FIRST_CAP 64

void curl_socks_fini(struct curl_socks *s)
{
	CH_ASSERT(s->open == 0);
	ch_free(s->by_fd);
	*s = (struct curl_socks){0};
}

static bool grow(struct curl_socks *s, size_t fd)
{
	size_t cap = s->cap > 0 ? s->cap : FIRST_CAP;
	while (cap <= fd)
		cap *= 2;
	if (cap == s->cap)
		return true;
	struct curl_sock **by_fd = ch_realloc(s->by_fd, cap * sizeof(struct curl_sock *));
	if (by_fd == NULL)
		return false;
	for (size_t i = s->cap; i < cap; i++)
		by_fd[i] = NULL;
	s->by_fd = by_fd;
	s->cap = cap;
	return true;
}

static ino_t inode_of(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static bool is_same(const struct curl_sock *k)
{
	return inode_of(k->fd) == k->inode;
}

static void drop(struct curl_socks *s, struct curl_sock *k)
{
	if (k->watched != 0)
		event_del(&k->event);
	ch_list_unlink(&k->of_owner);
	s->by_fd[k->fd] = NULL;
	s->open--;
	ch_free(k);
}

void curl_sock_check(struct curl_socks *s, int fd)
{
	struct curl_sock *k = curl_sock_find(s, fd);
	if (k != NULL && !is_same(k))
		drop(s, k);
}

int curl_sock_open(struct curl_socks *s, const struct sockaddr *to, int type, int protocol,
		struct ch_list *owner)
{
	int fd = socket(to->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return -errno;
	struct curl_sock *k = ch_calloc(1, sizeof(*k));
	if (k == NULL || !grow(s, (size_t)fd)) {
		ch_free(k);
		close(fd);
		return -ENOMEM;
	}
	curl_sock_check(s, fd);
	CH_ASSERT(s->by_fd[fd] == NULL);
	k->fd = fd;
	k->inode = inode_of(fd);
	ch_list_push_back(owner, &k->of_owner);
	s->by_fd[fd] = k;
	s->open++;
	return fd;
}

struct curl_sock *curl_sock_find(const struct curl_socks *s, int fd)
{
	return fd >= 0 && (size_t)fd < s->cap ? s->by_fd[fd] : NULL;
}

int curl_sock_close(struct curl_socks *s, int fd)
{
	struct curl_sock *k = curl_sock_find(s, fd);
	if (k != NULL)
		drop(s, k);
	return close(fd);
}

void curl_sock_idle(struct curl_sock *k)
{
	k->wanted = 0;
	if (k->is_doomed && is_same(k))
		shutdown(k->fd, SHUT_RDWR);
}

void curl_sock_doom_all(struct ch_list *owner)
{
	CH_LIST_FOREACH (owner, it, nx) {
		struct curl_sock *k = CH_CONTAINER_OF(it, struct curl_sock, of_owner);
		k->is_doomed = true;
		if (k->wanted == 0 && is_same(k))
			shutdown(k->fd, SHUT_RDWR);
	}
}

void curl_sock_release_all(struct ch_list *owner)
{
	while (ch_list_pop_front(owner) != NULL)
		continue;
}
