#include "delivery/curl_proxy.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static const struct {
	const char *scheme;
	uint16_t port;
} kinds[] = {{"http", 80}, {"socks5h", 1080}};

static void handle_free(CURLU **u)
{
	curl_url_cleanup(*u);
}

/* A part of the URL as our own memory; NULL when it is not there or there is no memory. */
static char *part(CURLU *u, CURLUPart what, unsigned flags)
{
	char *text = NULL;
	if (curl_url_get(u, what, &text, flags) != CURLUE_OK)
		return NULL;
	char *copy = ch_strdup(text);
	curl_free(text);
	return copy;
}

static int scheme_read(CURLU *u, struct curl_proxy *p, struct ch_err *err)
{
	CH_CLEANUP(ch_free_p) char *scheme = part(u, CURLUPART_SCHEME, 0);
	for (size_t i = 0; scheme != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(scheme, kinds[i].scheme) == 0) {
			p->scheme = kinds[i].scheme;
			p->port = kinds[i].port;
			return 0;
		}
	}
	return ch_err_set(err, CH_EINVAL, "egress proxy must begin with http:// or socks5h://");
}

static void host_unbracket(struct curl_proxy *p)
{
	size_t len = strlen(p->host);
	if (len > 2 && p->host[0] == '[') {
		memmove(p->host, p->host + 1, len - 2);
		p->host[len - 2] = '\0';
	}
	p->is_literal = address_parse(p->host, strlen(p->host), &p->literal) == 0;
}

static int parts_read(CURLU *u, struct curl_proxy *p, struct ch_err *err)
{
	int code = scheme_read(u, p, err);
	if (code != 0)
		return code;
	CH_CLEANUP(ch_free_p) char *port = part(u, CURLUPART_PORT, 0);
	if (port != NULL)
		p->port = (uint16_t)strtoul(port, NULL, 10);
	p->host = part(u, CURLUPART_HOST, 0);
	p->user = part(u, CURLUPART_USER, CURLU_URLDECODE);
	p->password = part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
	if (p->host == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for the egress proxy");
	host_unbracket(p);
	return 0;
}

int curl_proxy_parse(const char *text, struct curl_proxy *ret, struct ch_err *err)
{
	struct curl_proxy p = {0};
	CH_CLEANUP(handle_free) CURLU *u = curl_url();
	if (u == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for the egress proxy");
	CURLUcode url_code = curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
	if (url_code != CURLUE_OK)
		return ch_err_set(
				err, CH_EINVAL, "egress proxy is not a URL: %s", curl_url_strerror(url_code));
	int code = parts_read(u, &p, err);
	if (code != 0) {
		curl_proxy_fini(&p);
		return code;
	}
	*ret = p;
	return 0;
}

void curl_proxy_fini(struct curl_proxy *p)
{
	ch_free(p->host);
	ch_free(p->user);
	ch_free(p->password);
	*p = (struct curl_proxy){0};
}

void curl_proxy_format(const struct curl_proxy *p, const struct address *at, char out[CURL_PROXY_TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];
	address_format(at, text);
	bool is_v6 = at->len == 16;
	int n = snprintf(out, CURL_PROXY_TEXT_MAX, "%s://%s%s%s:%u", p->scheme, is_v6 ? "[" : "", text,
			is_v6 ? "]" : "", p->port);
	CH_ASSERT(n > 0 && n < CURL_PROXY_TEXT_MAX);
}
