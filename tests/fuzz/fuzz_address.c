/* Addresses: the first 16 bytes are one in binary, what follows is text. Every spelling of one address has
 * one verdict, and a second table, made of the C library's own tests, finds none that ours lets through. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "model/address.h"
#include "model/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct address_policy strict = {NULL, 0};

static bool is_private_v4(const uint8_t *b)
{
	return b[0] == 0 || b[0] == 10 || b[0] == 127 || b[0] >= 224 || (b[0] == 169 && b[1] == 254) ||
	       (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
	       (b[0] == 100 && (b[1] & 0xc0) == 64);
}

static bool is_private(const struct address *a)
{
	struct in6_addr in;
	if (a->len == 4)
		return is_private_v4(a->b);
	memcpy(&in, a->b, 16);
	if (IN6_IS_ADDR_V4MAPPED(&in))
		return is_private_v4(a->b + 12);
	return IN6_IS_ADDR_UNSPECIFIED(&in) || IN6_IS_ADDR_LOOPBACK(&in) || IN6_IS_ADDR_MULTICAST(&in) ||
	       IN6_IS_ADDR_LINKLOCAL(&in) || IN6_IS_ADDR_SITELOCAL(&in) || (a->b[0] & 0xfe) == 0xfc;
}

static void check_url(const struct address *a, const char *host, bool is_refused)
{
	const struct url_rules rules = {true, &strict};
	char text[160];
	struct url u;

	(void)snprintf(text, sizeof(text), "http://%s:81/x", host);
	int rc = url_parse(text, strlen(text), &rules, &u, NULL);
	CH_ASSERT((rc != 0) == is_refused);
	if (rc == 0) {
		CH_ASSERT(u.is_literal && u.literal.len == a->len && memcmp(u.literal.b, a->b, a->len) == 0);
		url_fini(&u);
	}
}

/* The numbers that browsers and the C library take for an IPv4 address too. */
static void check_spellings_v4(const struct address *a, bool is_refused)
{
	static const char *const shapes[] = {"%u.%u.%u.%u", "0x%x.0%o.%u.0x%X", "0%o.0x%x.0%o.%u"};
	const uint8_t *b = a->b;
	char host[64];

	for (size_t i = 0; i < 3; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(host, sizeof(host), shapes[i], b[0], b[1], b[2], b[3]);
#pragma GCC diagnostic pop
		check_url(a, host, is_refused);
	}
	(void)snprintf(host, sizeof(host), "%u",
			(unsigned)b[0] << 24 | (unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3]);
	check_url(a, host, is_refused);
	(void)snprintf(host, sizeof(host), "0x%x.%u", b[0],
			(unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3]);
	check_url(a, host, is_refused);
	(void)snprintf(host, sizeof(host), "[::ffff:%u.%u.%u.%u]", b[0], b[1], b[2], b[3]);
	struct address mapped = {.len = 16, .b = {[10] = 0xff, [11] = 0xff, b[0], b[1], b[2], b[3]}};
	check_url(&mapped, host, is_refused);
}

static void check_address(const struct address *a)
{
	const char *why = address_refusal(a, &strict);
	const struct network self = {.base = *a, .prefix = (uint8_t)(a->len * 8)};
	const struct address_policy open = {&self, 1};
	char text[ADDRESS_TEXT_MAX];
	char host[ADDRESS_TEXT_MAX + 2];
	struct address again;

	CH_ASSERT(why != NULL || !is_private(a));
	CH_ASSERT(address_refusal(a, &open) == NULL);
	address_format(a, text);
	CH_ASSERT(address_parse(text, strlen(text), &again) == 0 && again.len == a->len);
	CH_ASSERT(memcmp(again.b, a->b, a->len) == 0);
	if (a->len == 4) {
		check_spellings_v4(a, why != NULL);
		return;
	}
	(void)snprintf(host, sizeof(host), "[%s]", text);
	check_url(a, host, why != NULL);
}

static void check_text(const char *text, size_t len)
{
	char copy[ADDRESS_TEXT_MAX];
	uint8_t raw[16];
	struct address a;
	int rc = address_parse(text, len, &a);

	if (len >= sizeof(copy) || memchr(text, '\0', len)) {
		CH_ASSERT(rc != 0);
		return;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	bool is_v4 = inet_pton(AF_INET, copy, raw) == 1;
	bool is_v6 = !is_v4 && inet_pton(AF_INET6, copy, raw) == 1;
	CH_ASSERT((rc == 0) == (is_v4 || is_v6));
	if (rc == 0) {
		CH_ASSERT(a.len == (is_v4 ? 4 : 16) && memcmp(a.b, raw, a.len) == 0);
		check_address(&a);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address a = {.len = 16};
	size_t n = size < 16 ? size : 16;

	if (size == 0)
		return 0;
	memcpy(a.b, data, n);
	check_address(&a);
	a.len = 4;
	memset(a.b + 4, 0, 12);
	check_address(&a);
	check_text((const char *)data, size);
	check_text((const char *)data + n, size - n);
	return 0;
}
