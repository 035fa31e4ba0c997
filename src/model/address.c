#include "model/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"

struct special {
	uint8_t base[16];
	uint8_t prefix;
	const char *what;
};

/* Order matters only where one network lies in another: the first match names the address. */
static const struct special special_v4[] = {
		{{0}, 8, "unspecified"},
		{{10}, 8, "private"},
		{{100, 64}, 10, "shared (carrier-grade NAT)"},
		{{127}, 8, "loopback"},
		{{169, 254}, 16, "link-local"},
		{{172, 16}, 12, "private"},
		{{192, 0, 0}, 24, "IETF protocol assignment"},
		{{192, 0, 2}, 24, "documentation"},
		{{192, 88, 99}, 24, "6to4 relay"},
		{{192, 168}, 16, "private"},
		{{198, 18}, 15, "benchmarking"},
		{{198, 51, 100}, 24, "documentation"},
		{{203, 0, 113}, 24, "documentation"},
		{{224}, 4, "multicast"},
		{{255, 255, 255, 255}, 32, "broadcast"},
		{{240}, 4, "reserved"},
};

/* All outside 2000::/3 is refused anyway; rows there only give it a better name. */
static const struct special special_v6[] = {
		{{0}, 128, "unspecified"},
		{{[15] = 1}, 128, "loopback"},
		{{0x20, 0x01, 0, 0}, 32, "Teredo"},
		{{0x20, 0x01, 0, 0x02}, 48, "benchmarking"},
		{{0x20, 0x01, 0, 0x10}, 28, "ORCHID"},
		{{0x20, 0x01, 0, 0x20}, 28, "ORCHID"},
		{{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
		{{0x20, 0x02}, 16, "6to4"},
		{{0x3f, 0xff}, 20, "documentation"},
		{{0xfc}, 7, "private"},
		{{0xfe, 0x80}, 10, "link-local"},
		{{0xfe, 0xc0}, 10, "site-local"},
		{{0xff}, 8, "multicast"},
};

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t nat64_prefix[12] = {0x00, 0x64, 0xff, 0x9b};

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
	return ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

int address_parse(const char *text, size_t len, struct address *ret)
{
	char buf[ADDRESS_TEXT_MAX];
	if (len == 0 || len >= sizeof(buf) || memchr(text, '\0', len) != NULL)
		return CH_EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';

	struct address a = {0};
	if (inet_pton(AF_INET, buf, a.b) == 1)
		a.len = 4;
	else if (inet_pton(AF_INET6, buf, a.b) == 1)
		a.len = 16;
	else
		return CH_EINVAL;
	*ret = a;
	return 0;
}

void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	CH_ASSERT(a->len == 4 || a->len == 16);
	const char *text = inet_ntop(a->len == 4 ? AF_INET : AF_INET6, a->b, out, ADDRESS_TEXT_MAX);
	CH_ASSERT(text != NULL);
}

int address_from_sockaddr(const struct sockaddr *sa, struct address *ret)
{
	struct address a = {0};
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof(in));
		a.len = 4;
		memcpy(a.b, &in.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		a.len = 16;
		memcpy(a.b, &in6.sin6_addr, 16);
	} else {
		return CH_EINVAL;
	}
	*ret = a;
	return 0;
}

static int prefix_parse(const char *text, size_t len, unsigned max, uint8_t *ret)
{
	unsigned n = 0;
	if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
		return CH_EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return CH_EINVAL;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	if (n > max)
		return CH_EINVAL;
	*ret = (uint8_t)n;
	return 0;
}

static bool host_bits_are_zero(const struct network *n)
{
	for (unsigned bit = n->prefix; bit < n->base.len * 8u; bit++) {
		if (n->base.b[bit / 8] & (0x80u >> (bit % 8)))
			return false;
	}
	return true;
}

int network_parse(const char *text, size_t len, struct network *ret)
{
	struct network n;
	const char *slash = len == 0 ? NULL : memchr(text, '/', len);
	if (slash == NULL)
		return CH_EINVAL;
	size_t host_len = (size_t)(slash - text);
	int r = address_parse(text, host_len, &n.base);
	if (r == 0)
		r = prefix_parse(slash + 1, len - host_len - 1, n.base.len * 8u, &n.prefix);
	if (r != 0)
		return r;
	if (!host_bits_are_zero(&n))
		return CH_EINVAL;
	*ret = n;
	return 0;
}

bool network_has(const struct network *n, const struct address *a)
{
	return n->base.len == a->len && bits_equal(n->base.b, a->b, n->prefix);
}

static bool is_allowed(const struct address *a, const struct address_policy *policy)
{
	for (size_t i = 0; policy != NULL && i < policy->allowed_count; i++) {
		if (network_has(&policy->allowed[i], a))
			return true;
	}
	return false;
}

/* The IPv4 address that a packet to a would end at. */
static bool embedded_v4(const struct address *a, struct address *ret)
{
	if (memcmp(a->b, mapped_prefix, 12) != 0 && memcmp(a->b, nat64_prefix, 12) != 0)
		return false;
	*ret = (struct address){.len = 4};
	memcpy(ret->b, a->b + 12, 4);
	return true;
}

static const char *special_find(const struct special *table, size_t count, const struct address *a)
{
	for (size_t i = 0; i < count; i++) {
		if (bits_equal(table[i].base, a->b, table[i].prefix))
			return table[i].what;
	}
	return NULL;
}

static const char *refusal_v6(const struct address *a)
{
	const char *what = special_find(special_v6, sizeof(special_v6) / sizeof(special_v6[0]), a);
	if (what == NULL && (a->b[0] & 0xe0) != 0x20)
		what = "not global unicast";
	return what;
}

const char *address_refusal(const struct address *a, const struct address_policy *policy)
{
	CH_ASSERT(a->len == 4 || a->len == 16);
	struct address inner;
	if (is_allowed(a, policy))
		return NULL;
	if (a->len == 16 && embedded_v4(a, &inner))
		return address_refusal(&inner, policy);
	if (a->len == 16)
		return refusal_v6(a);
	return special_find(special_v4, sizeof(special_v4) / sizeof(special_v4[0]), a);
}
