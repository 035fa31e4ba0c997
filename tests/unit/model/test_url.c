#include "test_model.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "../nth_alloc.h"
#include "base/alloc.h"
#include "base/err.h"
#include "model/url.h"

static const struct address_policy strict = {NULL, 0};
static const struct url_rules https_only = {false, &strict};
static const struct url_rules http_too = {true, &strict};

static void assert_refused(const char *text, const struct url_rules *rules, const char *words)
{
	struct url u = {.text = NULL, .port = 7};
	struct ch_err err = {0};
	int r = url_parse(text, strlen(text), rules, &u, &err);
	if (r == 0) {
		print_error("%s is taken as %s\n", text, u.text);
		url_fini(&u);
		fail();
	}
	assert_int_equal(r, CH_EINVAL);
	assert_int_equal(u.port, 7);
	if (strstr(err.text, words) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text, words);
}

static void assert_taken(const char *text, const struct url_rules *rules, const char *normal,
		const char *host, int port)
{
	struct url u;
	struct ch_err err = {0};
	if (url_parse(text, strlen(text), rules, &u, &err) != 0)
		fail_msg("%s is refused: %s", text, err.text);
	assert_string_equal(u.text, normal);
	assert_string_equal(u.host, host);
	assert_int_equal(u.port, port);
	assert_int_equal(u.is_tls, strncmp(normal, "https:", 6) == 0);
	url_fini(&u);
}

static void taken_urls_are_normalised(void **state)
{
	static const struct {
		const char *text, *normal, *host;
		int port;
	} rows[] = {
			{"https://example.com", "https://example.com/", "example.com", 443},
			{"https://example.com/hook?a=b&c=%20", "https://example.com/hook?a=b&c=%20",
					"example.com", 443},
			{"HTTPS://EXAMPLE.com/A", "https://example.com/A", "example.com", 443},
			{"https://example.com:443/", "https://example.com/", "example.com", 443},
			{"https://example.com:/", "https://example.com/", "example.com", 443},
			{"https://example.com:8443/x", "https://example.com:8443/x", "example.com", 8443},
			{"https://example.com:65535/", "https://example.com:65535/", "example.com", 65535},
			{"https://example.com:1/", "https://example.com:1/", "example.com", 1},
			{"http://example.com/", "http://example.com/", "example.com", 80},
			{"http://example.com:443/", "http://example.com:443/", "example.com", 443},
			{"https://example.com./x", "https://example.com/x", "example.com", 443},
			{"https://ex%61mple.com/", "https://example.com/", "example.com", 443},
			{"https://a_b.example.com/", "https://a_b.example.com/", "a_b.example.com", 443},
			{"https://xn--caf-dma.example/", "https://xn--caf-dma.example/",
					"xn--caf-dma.example", 443},
			{"https://intranet/", "https://intranet/", "intranet", 443},
			{"https://notlocalhost/", "https://notlocalhost/", "notlocalhost", 443},
			{"https://localhost.example.com/", "https://localhost.example.com/",
					"localhost.example.com", 443},
			{"https://8.8.8.8/", "https://8.8.8.8/", "8.8.8.8", 443},
			{"https://8.8.2056./", "https://8.8.8.8/", "8.8.8.8", 443},
			{"https://0x08080808/", "https://8.8.8.8/", "8.8.8.8", 443},
			{"https://[2606:4700::1111]:8443/", "https://[2606:4700::1111]:8443/",
					"2606:4700::1111", 8443},
			{"https://[2606:4700:0:0:0:0:0:1111]/", "https://[2606:4700::1111]/",
					"2606:4700::1111", 443},
			{"https://[::ffff:8.8.8.8]/", "https://[::ffff:8.8.8.8]/", "::ffff:8.8.8.8", 443},
			{"https://1e3/", "https://1e3/", "1e3", 443},
			{"https://127.0.0.1.example.com/", "https://127.0.0.1.example.com/",
					"127.0.0.1.example.com", 443},
			{"https://h/a/../b/./c", "https://h/b/c", "h", 443},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_taken(rows[i].text, &http_too, rows[i].normal, rows[i].host, rows[i].port);
		assert_taken(rows[i].normal, &http_too, rows[i].normal, rows[i].host, rows[i].port);
	}
}

static void loopback_is_seen_in_every_spelling(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433",
			"2130706433.", "0x7f.1", "0X7F.1", "0x7f000001", "0177.0.0.1", "0177.1",
			"017700000001", "0x7f.0x0.0x0.0x1", "0x7f.0x0.0x0.0x1.", "127.255.255.254",
			"%31%32%37.0.0.1", "127%2e0%2e0%2e1", "[::1]", "[0:0:0:0:0:0:0:1]",
			"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]",
			"localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.LocalHost.",
			"l%6fcalhost"};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char text[128] = "https://";
		strncat(text, hosts[i], 64);
		strncat(text, "/hook", 16);
		assert_refused(text, &https_only, "loopback");
	}
}

static void other_bad_networks_are_refused(void **state)
{
	assert_refused("https://0/", &https_only, "unspecified");
	assert_refused("https://0x/", &https_only, "unspecified");
	assert_refused("https://10.0.0.1/", &https_only, "10.0.0.1 is private");
	assert_refused("https://0300.0250.1/", &https_only, "192.168.0.1 is private");
	assert_refused("https://169.254.169.254/latest", &https_only, "link-local");
	assert_refused("https://[fd00::1]/", &https_only, "private");
	assert_refused("https://[fe80::1]/", &https_only, "link-local");
	assert_refused("https://[::]/", &https_only, "unspecified");
	assert_refused("https://[::7f00:1]/", &https_only, "not global unicast");
}

static void nonsense_numbers_are_no_names(void **state)
{
	static const char *const hosts[] = {"256.1.1.1", "1.2.3.4.5", "4294967296", "08.1.1.1", "127.0.0.256",
			"99999999999999999999", "1.2.65536.1", "1.16777216", "example.1", "example.0x10",
			"127..1", "1.2.3.09"};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char text[128] = "https://";
		strncat(text, hosts[i], 64);
		assert_refused(text, &https_only, "bad IPv4 address");
	}
}

static void allowed_networks_and_no_policy_open_literals(void **state)
{
	struct network loopback, six;
	assert_int_equal(network_parse("127.0.0.0/8", 11, &loopback), 0);
	assert_int_equal(network_parse("::1/128", 7, &six), 0);
	struct address_policy p = {&loopback, 1};
	struct address_policy p6 = {&six, 1};
	const struct url_rules dev = {true, &p}, dev6 = {true, &p6}, proxied = {true, NULL};
	assert_taken("http://127.1:8080/", &dev, "http://127.0.0.1:8080/", "127.0.0.1", 8080);
	assert_taken("http://localhost/", &dev, "http://localhost/", "localhost", 80);
	assert_taken("http://localhost/", &dev6, "http://localhost/", "localhost", 80);
	assert_refused("http://10.0.0.1/", &dev, "private");
	assert_refused("http://127.0.0.1/", &dev6, "loopback");
	assert_taken("http://10.0.0.1/", &proxied, "http://10.0.0.1/", "10.0.0.1", 80);
	assert_taken("http://localhost/", &proxied, "http://localhost/", "localhost", 80);
}

static void bad_syntax_says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
			{"", "empty"},
			{"http://example.com/", "plain http is refused"},
			{"HTTP://example.com/", "plain http is refused"},
			{"ftp://example.com/", "must begin with https://"},
			{"file:///etc/passwd", "must begin with https://"},
			{"javascript:alert(1)", "must begin with https://"},
			{"example.com/hook", "must begin with https://"},
			{"//example.com/hook", "must begin with https://"},
			{"https:example.com", "must begin with https://"},
			{"https:/example.com", "must begin with https://"},
			{"https://", "no host"},
			{"https:///example.com", "no host"},
			{"https://?x", "no host"},
			{"https://:443/", "no host"},
			{"https://u@example.com/", "user name or password"},
			{"https://u:p@example.com/", "user name or password"},
			{"https://@example.com/", "user name or password"},
			{"https://:@example.com/", "no host"},
			{"https://example.com@evil.example/", "user name or password"},
			{"https://example.com/#f", "fragment"},
			{"https://example.com/#", "fragment"},
			{"https://example.com/a b", "spaces or control"},
			{" https://example.com/", "spaces or control"},
			{"https://example.com/\n", "spaces or control"},
			{"https://example.com/a\tb", "spaces or control"},
			{"https://example.com/\x7f", "spaces or control"},
			{"https://example.com\\@evil/", "backslash"},
			{"https://example.com/a\\b", "backslash"},
			{"https://example.com:0/", "bad port"},
			{"https://example.com:65536/", "bad port"},
			{"https://example.com:+80/", "bad port"},
			{"https://example.com:http/", "bad port"},
			{"https://caf\xc3\xa9.example/", "punycode"},
			{"https://caf%C3%A9.example/", "punycode"},
			{"https://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "punycode"},
			{"https://example.com/\xc3\xa9", "percent-encode"},
			{"https://example.com/?\xc3\xa9", "percent-encode"},
			{"https://[fe80::1%25eth0]/", "zone id"},
			{"https://[2606:4700::1%25eth0]/", "zone id"},
			{"https://[::1", "IPv6"},
			{"https://[]/", "IPv6"},
			{"https://[1.2.3.4]/", "IPv6"},
			{"https://[v1.x]/", "IPv6"},
			{"https://./", "host name"},
			{"https://a..b/", "host name"},
			{"https://example.com../", "host name"},
			{"https://.example.com/", "host name"},
			{"https://-a.example/", "host name"},
			{"https://a-.example/", "host name"},
			{"https://a~b.example/", "host name"},
			{"https://a,b.example/", "host name"},
			{"https://a%00b.example/", "host name"},
			{"https://a%2fb.example/", "host name"},
			{"https://a%20b.example/", "host name"},
			{"https://0123456789012345678901234567890123456789012345678901234567890123.example/",
					"host name"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(rows[i].text, &https_only, rows[i].words);
}

static void nul_inside_is_refused(void **state)
{
	struct url u;
	struct ch_err err;
	static const char text[] = "https://example.com\0.evil.example/";
	assert_int_equal(url_parse(text, sizeof(text) - 1, &https_only, &u, &err), CH_EINVAL);
	assert_non_null(strstr(err.text, "control characters (byte 20)"));
}

static void length_has_a_limit_before_and_after(void **state)
{
	char text[URL_MAX_BYTES + 2];
	struct url u;
	struct ch_err err;
	memset(text, 'a', sizeof(text));
	memcpy(text, "https://example.com/", 20);
	assert_int_equal(url_parse(text, URL_MAX_BYTES, &https_only, &u, &err), 0);
	assert_int_equal(strlen(u.text), URL_MAX_BYTES);
	url_fini(&u);
	assert_int_equal(url_parse(text, URL_MAX_BYTES + 1, &https_only, &u, &err), CH_EINVAL);
	assert_non_null(strstr(err.text, "longer than 2048"));
	/* The slash that is missing would make it one byte too long, and then it could not be read again. */
	memcpy(text, "https://example.com?", 20);
	assert_int_equal(url_parse(text, URL_MAX_BYTES, &https_only, &u, &err), CH_EINVAL);
	assert_int_equal(url_parse(text, URL_MAX_BYTES - 1, &https_only, &u, &err), 0);
	url_fini(&u);
}

static void long_names_end_at_253(void **state)
{
	char text[320] = "https://";
	for (int i = 0; i < 126; i++)
		strncat(text, "a.", 3);
	strncat(text, "b", 2);
	struct url u;
	assert_int_equal(url_parse(text, strlen(text), &https_only, &u, NULL), 0);
	assert_int_equal(strlen(u.host), 253);
	url_fini(&u);
	strncat(text, "b", 2);
	assert_refused(text, &https_only, "host name");
}

static void every_allocation_may_fail(void **state)
{
	static const char text[] = "https://[2606:4700::1111]:8443/hook?x=1";
	int failures = 0;
	for (struct nth_alloc n = {.fail_at = 1};; n.fail_at++, failures++) {
		struct url u;
		struct ch_err err;
		nth_alloc_begin(&n);
		int r = url_parse(text, sizeof(text) - 1, &https_only, &u, &err);
		bool failed = nth_alloc_end(&n);
		if (r == 0)
			url_fini(&u);
		assert_int_equal(r, failed ? CH_ENOMEM : 0);
		if (!failed)
			break;
	}
	assert_true(failures >= 3);
}

int url_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(taken_urls_are_normalised),
			cmocka_unit_test(loopback_is_seen_in_every_spelling),
			cmocka_unit_test(other_bad_networks_are_refused),
			cmocka_unit_test(nonsense_numbers_are_no_names),
			cmocka_unit_test(allowed_networks_and_no_policy_open_literals),
			cmocka_unit_test(bad_syntax_says_what_is_wrong),
			cmocka_unit_test(nul_inside_is_refused),
			cmocka_unit_test(length_has_a_limit_before_and_after),
			cmocka_unit_test(long_names_end_at_253),
			cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
