/* delivery/curl_proxy.h - the operator's egress proxy.
 *
 * Role:      parses the proxy's URL once, and prints it for libcurl with the address that the resolver
 *            found, so that libcurl looks up no name.
 * Ownership: the struct owns its texts.
 * Errors:    CH_EINVAL for a URL that is no usable proxy; CH_ENOMEM.
 */
#ifndef CH_DELIVERY_CURL_PROXY_H
#define CH_DELIVERY_CURL_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "model/address.h"

struct curl_proxy {
	const char *scheme; /* "http" or "socks5h"; a constant */
	char *host;
	char *user; /* NULL: none */
	char *password; /* NULL: none */
	uint16_t port;
	bool is_literal;
	struct address literal;
};

#define CURL_PROXY_TEXT_MAX 80

int curl_proxy_parse(const char *text, struct curl_proxy *ret, struct ch_err *err) CH_MUST_USE;
void curl_proxy_fini(struct curl_proxy *p);
void curl_proxy_format(const struct curl_proxy *p, const struct address *at, char out[CURL_PROXY_TEXT_MAX]);

#endif
