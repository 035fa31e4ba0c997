#include "test_model.h"

#include <string.h>

#include "base/err.h"
#include "model/address.h"

static struct address addr(const char *text)
{
	struct address a;
	if (address_parse(text, strlen(text), &a) != 0)
		fail_msg("not an address: %s", text);
	return a;
}

static struct network net(const char *text)
{
	struct network n;
	if (network_parse(text, strlen(text), &n) != 0)
		fail_msg("not a network: %s", text);
	return n;
}

/* Each refused network: its first and last address, and the neighbours outside it (NULL: that neighbour is
 * refused for another reason or does not exist). */
static const struct {
	const char *what;
	const char *first;
	const char *last;
	const char *before;
	const char *after;
} networks[] = {
		{"unspecified", "0.0.0.0", "0.255.255.255", NULL, "1.0.0.0"},
		{"private", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
		{"shared (carrier-grade NAT)", "100.64.0.0", "100.127.255.255", "100.63.255.255",
				"100.128.0.0"},
		{"loopback", "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
		{"link-local", "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
		{"private", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
		{"IETF protocol assignment", "192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"},
		{"documentation", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
		{"6to4 relay", "192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
		{"private", "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
		{"benchmarking", "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
		{"documentation", "198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
		{"documentation", "203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
		{"multicast", "224.0.0.0", "239.255.255.255", "223.255.255.255", NULL},
		{"reserved", "240.0.0.0", "255.255.255.254", NULL, NULL},
		{"broadcast", "255.255.255.255", "255.255.255.255", NULL, NULL},
		{"unspecified", "::", "::", NULL, NULL},
		{"loopback", "::1", "::1", NULL, NULL},
		{"not global unicast", "::2", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "2000::"},
		{"Teredo", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
				"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:1::"},
		{"benchmarking", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff",
				"2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "2001:2:1::"},
		{"ORCHID", "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff",
				"2001:f:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
		{"ORCHID", "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "2001:30::"},
		{"documentation", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
				"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
		{"6to4", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
				"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
		{"documentation", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
				"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
		{"not global unicast", "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
				"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
		{"private", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
		{"not global unicast", "fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
		{"link-local", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
		{"site-local", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
		{"multicast", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
};

static void assert_refused(const char *text, const char *what)
{
	struct address a = addr(text);
	const char *got = address_refusal(&a, NULL);
	if (got == NULL)
		fail_msg("%s is not refused; it is %s", text, what);
	assert_string_equal(got, what);
}

static void assert_passes(const char *text)
{
	struct address a = addr(text);
	const char *got = address_refusal(&a, NULL);
	if (got != NULL)
		fail_msg("%s is refused as %s", text, got);
}

static void refusal_covers_each_network_to_its_ends(void **state)
{
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		assert_refused(networks[i].first, networks[i].what);
		assert_refused(networks[i].last, networks[i].what);
		if (networks[i].before != NULL)
			assert_passes(networks[i].before);
		if (networks[i].after != NULL)
			assert_passes(networks[i].after);
	}
}

static void refusal_looks_inside_mapped_and_nat64(void **state)
{
	assert_refused("::ffff:127.0.0.1", "loopback");
	assert_refused("::ffff:10.1.2.3", "private");
	assert_refused("64:ff9b::7f00:1", "loopback");
	assert_refused("64:ff9b::169.254.169.254", "link-local");
	assert_passes("::ffff:8.8.8.8");
	assert_passes("64:ff9b::8.8.8.8");
	/* The old compatible form and the local NAT64 prefix carry no IPv4 that may be trusted. */
	assert_refused("::8.8.8.8", "not global unicast");
	assert_refused("64:ff9b:1::808:808", "not global unicast");
	assert_refused("64:ff9b::1:808:808", "not global unicast");
	assert_refused("::fffe:8.8.8.8", "not global unicast");
}

static void allowed_networks_open_exceptions(void **state)
{
	struct network nets[] = {net("10.1.0.0/16"), net("fd00:1::/32"), net("::ffff:192.168.7.0/120")};
	const struct address_policy p = {nets, 3};
	const struct {
		const char *text;
		bool passes;
	} rows[] = {
			{"10.1.0.0", true},
			{"10.1.255.255", true},
			{"10.0.255.255", false},
			{"10.2.0.0", false},
			{"::ffff:10.1.2.3", true},
			{"64:ff9b::10.1.2.3", true},
			{"::ffff:10.2.0.0", false},
			{"fd00:1::5", true},
			{"fd00:2::5", false},
			{"::ffff:192.168.7.9", true},
			{"::ffff:192.168.8.9", false},
			{"192.168.7.9", false},
			{"127.0.0.1", false},
			{"93.184.216.34", true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = addr(rows[i].text);
		if ((address_refusal(&a, &p) == NULL) != rows[i].passes)
			fail_msg("%s should %s", rows[i].text, rows[i].passes ? "pass" : "be refused");
	}
}

static void parse_takes_only_strict_spellings(void **state)
{
	static const char *const bad[] = {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "0x7f.0.0.1",
			"1.2.3.4 ", "fe80::1%eth0", "[::1]", ":::", "1::2::3", "12345::", "::ffff:1.2.3",
			"localhost", "1111:2222:3333:4444:5555:6666:7777:8888:9999"};
	struct address a = {.len = 99};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (address_parse(bad[i], strlen(bad[i]), &a) != CH_EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(address_parse("1.2.3.4\0x", 9, &a), CH_EINVAL);
	assert_int_equal(a.len, 99);
}

static void format_gives_what_parse_takes(void **state)
{
	static const char *const texts[] = {"0.0.0.0", "255.255.255.255", "192.0.2.1", "::", "::1",
			"2001:db8::ff00:42:8329", "::ffff:127.0.0.1",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char out[ADDRESS_TEXT_MAX];
		struct address a = addr(texts[i]);
		address_format(&a, out);
		assert_string_equal(out, texts[i]);
	}
}

static void network_parse_names_a_network_exactly(void **state)
{
	static const char *const good[] = {
			"0.0.0.0/0", "10.0.0.0/8", "127.0.0.1/32", "::/0", "::1/128", "fc00::/7"};
	static const char *const bad[] = {"", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8",
			"10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/8/8", "::/129", "::1/127",
			"/8", "10/8", "10.0.0.0/1000"};
	struct network n;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (network_parse(good[i], strlen(good[i]), &n) != 0)
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (network_parse(bad[i], strlen(bad[i]), &n) != CH_EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
}

static void network_has_compares_bits_of_one_family(void **state)
{
	struct network n20 = net("172.16.0.0/12"), all4 = net("0.0.0.0/0"), all6 = net("::/0");
	struct address in = addr("172.31.255.255"), out = addr("172.32.0.0"), v6 = addr("::ffff:172.16.0.1");
	assert_true(network_has(&n20, &in));
	assert_false(network_has(&n20, &out));
	assert_true(network_has(&all4, &out));
	assert_false(network_has(&all6, &out));
	assert_false(network_has(&all4, &v6));
	assert_true(network_has(&all6, &v6));
}

static void sockaddr_gives_its_address(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x01020304)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr other = {.sa_family = AF_UNIX};
	struct address a, v4 = addr("1.2.3.4"), v6 = addr("::1");
	assert_int_equal(address_from_sockaddr((struct sockaddr *)&in, &a), 0);
	assert_memory_equal(&a, &v4, sizeof(a));
	assert_int_equal(address_from_sockaddr((struct sockaddr *)&in6, &a), 0);
	assert_memory_equal(&a, &v6, sizeof(a));
	assert_int_equal(address_from_sockaddr(&other, &a), CH_EINVAL);
}

int address_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(refusal_covers_each_network_to_its_ends),
			cmocka_unit_test(refusal_looks_inside_mapped_and_nat64),
			cmocka_unit_test(allowed_networks_open_exceptions),
			cmocka_unit_test(parse_takes_only_strict_spellings),
			cmocka_unit_test(format_gives_what_parse_takes),
			cmocka_unit_test(network_parse_names_a_network_exactly),
			cmocka_unit_test(network_has_compares_bits_of_one_family),
			cmocka_unit_test(sockaddr_gives_its_address),
	};
	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
