/* URLs and networks: what is taken is normal, stays what it is when read again, and, by a second reading of
 * libcurl's, leads to the host that was checked. The first byte chooses the rules. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "model/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_host(const struct url *u)
{
	char *host = NULL;
	CURLU *cu = curl_url();
	CH_ASSERT(cu != NULL && curl_url_set(cu, CURLUPART_URL, u->text, 0) == CURLUE_OK);
	CH_ASSERT(curl_url_get(cu, CURLUPART_HOST, &host, 0) == CURLUE_OK);
	if (host[0] == '[')
		CH_ASSERT(strlen(host) == strlen(u->host) + 2 &&
				memcmp(host + 1, u->host, strlen(u->host)) == 0);
	else
		CH_ASSERT(strcmp(host, u->host) == 0);
	curl_free(host);
	curl_url_cleanup(cu);
}

/* The C library's lax reader of addresses must find none that url_parse took for a name. */
static void check_literal(const struct url *u, const struct url_rules *rules)
{
	struct in_addr in;
	struct in6_addr in6;
	if (!u->is_literal)
		CH_ASSERT(inet_aton(u->host, &in) == 0 && inet_pton(AF_INET6, u->host, &in6) != 1);
	if (u->is_literal && rules->addresses != NULL)
		CH_ASSERT(address_refusal(&u->literal, rules->addresses) == NULL);
}

static void check_network(const char *text, size_t len)
{
	struct network n;
	if (network_parse(text, len, &n) == 0)
		CH_ASSERT(network_has(&n, &n.base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct address_policy strict = {NULL, 0};
	struct url u, again;
	if (size == 0)
		return 0;
	const struct url_rules rules = {(data[0] & 1) != 0, (data[0] & 2) != 0 ? NULL : &strict};
	const char *text = (const char *)data + 1;
	check_network(text, size - 1);
	if (url_parse(text, size - 1, &rules, &u, NULL) != 0)
		return 0;
	CH_ASSERT(u.port != 0 && u.host[0] != '\0' && strlen(u.text) <= URL_MAX_BYTES);
	check_host(&u);
	check_literal(&u, &rules);
	CH_ASSERT(url_parse(u.text, strlen(u.text), &rules, &again, NULL) == 0);
	CH_ASSERT(strcmp(u.text, again.text) == 0 && strcmp(u.host, again.host) == 0 && u.port == again.port);
	url_fini(&again);
	url_fini(&u);
	return 0;
}
