#include <string.h>
#include <strings.h>

#include "api/http_conn.h"

/* Who sent a request that came through proxies: X-Forwarded-For is believed from right to left for as long as
 * who wrote it is a trusted proxy. What stands further left anybody may have written. */

static bool is_trusted(const struct http_server_conf *conf, const struct address *a)
{
	for (size_t i = 0; i < conf->trusted_count; i++)
		if (network_has(&conf->trusted[i], a))
			return true;
	return false;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80" */
static int parse_hop(const char *text, size_t len, struct address *ret)
{
	const char *colon = memchr(text, ':', len);

	if (len > 0 && text[0] == '[') {
		const char *end = memchr(text, ']', len);
		return end ? address_parse(text + 1, (size_t)(end - text) - 1, ret) : CH_EINVAL;
	}
	if (colon && !memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)))
		len = (size_t)(colon - text);
	return address_parse(text, len, ret);
}

/* The list's elements from the last on. False: a hop was found that ends the way. */
static bool walk(const struct http_server_conf *conf, const char *list, struct address *client)
{
	size_t end = strlen(list);

	for (;;) {
		size_t begin = end;
		while (begin > 0 && list[begin - 1] != ',')
			begin--;
		const char *text = list + begin;
		size_t len = end - begin;
		for (; len > 0 && strchr(" \t", *text); len--)
			text++;
		while (len > 0 && strchr(" \t", text[len - 1]))
			len--;
		/* What is no address was written by a trusted proxy all the same: that one is the last known.
		 */
		struct address hop;
		if (parse_hop(text, len, &hop) != 0)
			return false;
		*client = hop;
		if (!is_trusted(conf, client))
			return false;
		if (begin == 0)
			return true;
		end = begin - 1;
	}
}

void http_client_address(const struct http_exchange *x, char out[ADDRESS_TEXT_MAX])
{
	const struct http_conn *c = x->conn;
	const char *base = c->in.data + c->in_at;
	struct address client;

	memcpy(out, c->peer, sizeof(c->peer));
	if (c->state == CONN_CLOSED || c->server->conf.trusted_count == 0 ||
			address_parse(c->peer, strlen(c->peer), &client) != 0 ||
			!is_trusted(&c->server->conf, &client))
		return;
	for (size_t i = x->head.field_count; i > 0; i--) {
		if (strcasecmp(base + x->head.fields[i - 1].name, "X-Forwarded-For") != 0)
			continue;
		if (!walk(&c->server->conf, base + x->head.fields[i - 1].value, &client))
			break;
	}
	address_format(&client, out);
}

/* The last of the values: the proxy nearest to us wrote it. */
static bool says_https(const char *list)
{
	const char *last = strrchr(list, ',');

	last = last ? last + 1 : list;
	last += strspn(last, " \t");
	return strncasecmp(last, "https", 5) == 0 && last[5 + strspn(last + 5, " \t")] == '\0';
}

bool http_is_https(const struct http_exchange *x)
{
	const struct http_conn *c = x->conn;
	const struct http_server_conf *conf = &c->server->conf;
	const char *base = c->in.data + c->in_at;
	struct address peer;
	bool is_https = conf->tls != NULL;

	if (c->state == CONN_CLOSED || conf->trusted_count == 0 ||
			address_parse(c->peer, strlen(c->peer), &peer) != 0 || !is_trusted(conf, &peer))
		return is_https;
	for (size_t i = 0; i < x->head.field_count; i++)
		if (strcasecmp(base + x->head.fields[i].name, "X-Forwarded-Proto") == 0)
			is_https = says_https(base + x->head.fields[i].value);
	return is_https;
}
