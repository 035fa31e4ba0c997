#include "delivery/resolver_channel.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"

#define LOOK_EVERY_MS 5000
#define DNS_PORT 53

static struct resolver_channel *present(const struct resolver_channels *c)
{
	return CH_CONTAINER_OF(c->list.next, struct resolver_channel, link);
}

static void channel_destroy(struct resolver_channel *ch)
{
	if (ch->is_open)
		ares_destroy(ch->sockets.channel);
	CH_ASSERT(ch->asking == 0);
	resolver_sockets_fini(&ch->sockets);
	ch_list_unlink(&ch->link);
	ch_free(ch);
}

static int servers_set(ares_channel channel, const char *const *servers, struct ch_err *err)
{
	struct ch_buf csv;
	ch_buf_init(&csv, 4096);
	for (size_t i = 0; servers[i] != NULL; i++) {
		if (i > 0)
			ch_buf_addc(&csv, ',');
		ch_buf_adds(&csv, servers[i]);
	}
	int status = csv.err != 0 ? ARES_ENOMEM : ares_set_servers_ports_csv(channel, ch_buf_text(&csv));
	int code = 0;
	if (status == ARES_ENOMEM)
		code = ch_err_set(err, CH_ENOMEM, "no memory for the list of name servers");
	else if (status != ARES_SUCCESS || csv.len == 0)
		code = ch_err_set(
				err, CH_EINVAL, "not a list of name servers: \"%.100s\"", ch_buf_text(&csv));
	ch_buf_fini(&csv);
	return code;
}

static int ares_open(struct resolver_channel *ch, const struct resolver_conf *conf, struct ch_err *err)
{
	struct ares_options o = {0};
	char lookups[] = "fb";
	char *path = conf->resolv_conf != NULL ? ch_strdup(conf->resolv_conf) : NULL;
	if (conf->resolv_conf != NULL && path == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for name look-up");
	o.flags = ARES_FLAG_NOSEARCH;
	o.timeout = conf->timeout_ms;
	o.tries = conf->tries;
	o.lookups = lookups;
	o.resolvconf_path = path;
	o.udp_port = o.tcp_port = conf->port > 0 ? conf->port : DNS_PORT;
	o.sock_state_cb = resolver_sockets_watch;
	o.sock_state_cb_data = &ch->sockets;
	/* No search domains (ndomains 0): a URL names one host, not another one on each machine. */
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_DOMAINS | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT |
		   (path != NULL ? ARES_OPT_RESOLVCONF : 0);
	int status = ares_init_options(&ch->sockets.channel, &o, mask);
	ch_free(path);
	if (status != ARES_SUCCESS)
		return ch_err_set(err, status == ARES_ENOMEM ? CH_ENOMEM : CH_EIO,
				"name look-up can't start: %s", ares_strerror(status));
	ch->is_open = true;
	ares_set_socket_functions(ch->sockets.channel, &resolver_socket_functions, &ch->sockets);
	return 0;
}

/* The new one becomes the present one. */
static int channel_add(struct resolver_channels *c, struct ch_err *err)
{
	struct resolver_channel *ch = ch_calloc(1, sizeof(*ch));
	if (ch == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for name look-up");
	ch_list_init(&ch->link);
	resolver_sockets_init(&ch->sockets, c->conf.base);
	int code = ares_open(ch, &c->conf, err);
	if (code == 0 && c->conf.servers != NULL)
		code = servers_set(ch->sockets.channel, c->conf.servers, err);
	if (code != 0) {
		channel_destroy(ch);
		return code;
	}
	ch_list_push_front(&c->list, &ch->link);
	return 0;
}

static const char *path_of(const struct resolver_channels *c)
{
	return c->conf.resolv_conf != NULL ? c->conf.resolv_conf : "/etc/resolv.conf";
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* c-ares 1.18 reads the file once. A file that is gone says nothing. */
static void look(struct resolver_channels *c, int64_t now_ms)
{
	struct stat st;
	if (c->conf.servers != NULL || now_ms - c->looked_ms < LOOK_EVERY_MS)
		return;
	c->looked_ms = now_ms;
	if (stat(path_of(c), &st) != 0 || is_same_file(&st, &c->seen))
		return;
	if (channel_add(c, NULL) == 0)
		c->seen = st;
}

int resolver_channels_open(struct resolver_channels *c, const struct resolver_conf *conf, struct ch_err *err)
{
	CH_ASSERT(conf->timeout_ms > 0 && conf->tries > 0);
	*c = (struct resolver_channels){.conf = *conf, .looked_ms = ch_clock_mono(&conf->clock).ms};
	ch_list_init(&c->list);
	/* Before it is read: what changes in between is seen as a change. */
	if (stat(path_of(c), &c->seen) != 0)
		c->seen = (struct stat){0};
	return channel_add(c, err);
}

void resolver_channels_close(struct resolver_channels *c)
{
	while (!ch_list_is_empty(&c->list))
		channel_destroy(present(c));
}

struct resolver_channel *resolver_channels_get(struct resolver_channels *c, int64_t now_ms)
{
	look(c, now_ms);
	return present(c);
}

void resolver_channels_tick(struct resolver_channels *c)
{
	CH_LIST_FOREACH (&c->list, it, nx) {
		struct resolver_channel *ch = CH_CONTAINER_OF(it, struct resolver_channel, link);
		resolver_sockets_poll(&ch->sockets);
		ares_process_fd(ch->sockets.channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	}
	CH_LIST_FOREACH (&c->list, it, nx) {
		struct resolver_channel *ch = CH_CONTAINER_OF(it, struct resolver_channel, link);
		if (ch != present(c) && ch->asking == 0)
			channel_destroy(ch);
	}
}
