#include "model/url.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/assert.h"

#define HOST_NAME_MAX_BYTES 253
#define HOST_LABEL_MAX_BYTES 63

static void handle_free(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void text_free(char **text)
{
	curl_free(*text);
}

/* What other parsers read differently (a backslash, white space, a second slash) is refused before
 * libcurl sees it: a URL that two programs understand in two ways has no safe meaning. */
static int bytes_check(const char *text, size_t len, struct ch_err *err)
{
	if (len == 0)
		return ch_err_set(err, CH_EINVAL, "URL is empty");
	if (len > URL_MAX_BYTES)
		return ch_err_set(err, CH_EINVAL, "URL is longer than %d bytes", URL_MAX_BYTES);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c <= ' ' || c == 0x7f)
			return ch_err_set(err, CH_EINVAL,
					"URL must not contain spaces or control characters (byte %zu)",
					i + 1);
		if (c == '\\')
			return ch_err_set(err, CH_EINVAL, "URL must not contain a backslash");
		if (c == '#')
			return ch_err_set(err, CH_EINVAL, "URL must not contain a fragment (#)");
	}
	return 0;
}

static int scheme_check(const char *text, const struct url_rules *rules, bool *ret_is_tls, struct ch_err *err)
{
	size_t after;
	if (strncasecmp(text, "https://", 8) == 0)
		after = 8;
	else if (strncasecmp(text, "http://", 7) == 0)
		after = 7;
	else
		return ch_err_set(err, CH_EINVAL, "URL must begin with https://");
	if (after == 7 && !rules->allow_http)
		return ch_err_set(err, CH_EINVAL, "plain http is refused; use https://");
	if (text[after] == '\0' || strchr("/?:", text[after]) != NULL)
		return ch_err_set(err, CH_EINVAL, "URL has no host");
	*ret_is_tls = after == 8;
	return 0;
}

static int curl_failed(CURLUcode code, struct ch_err *err)
{
	switch (code) {
	case CURLUE_OUT_OF_MEMORY:
		return ch_err_set(err, CH_ENOMEM, "no memory to parse a URL");
	case CURLUE_USER_NOT_ALLOWED:
		return ch_err_set(err, CH_EINVAL, "URL must not contain a user name or password");
	case CURLUE_BAD_PORT_NUMBER:
		return ch_err_set(err, CH_EINVAL, "URL has a bad port: a number from 1 to 65535 is needed");
	case CURLUE_NO_HOST:
		return ch_err_set(err, CH_EINVAL, "URL has no host");
	case CURLUE_BAD_IPV6:
		return ch_err_set(err, CH_EINVAL, "URL has a bad IPv6 address");
	case CURLUE_BAD_HOSTNAME:
		return ch_err_set(err, CH_EINVAL, "URL has a host name that is not valid");
	default:
		return ch_err_set(err, CH_EINVAL, "URL is not valid: %s", curl_url_strerror(code));
	}
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

/* One part of an IPv4 address as inet_aton reads it: decimal, 0 octal, 0x hexadecimal ("0x" is 0). */
static bool part_parse(const char *text, size_t len, uint64_t *ret)
{
	int radix = 10;
	uint64_t n = 0;
	if (len >= 2 && text[0] == '0' && text[1] == 'x') {
		radix = 16;
		text += 2;
		len -= 2;
	} else if (len >= 2 && text[0] == '0') {
		radix = 8;
	} else if (len == 0) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		int d = digit_value(text[i]);
		if (d >= radix)
			return false;
		if (n <= UINT32_MAX)
			n = n * (unsigned)radix + (unsigned)d;
	}
	*ret = n;
	return true;
}

/* 1 to 4 parts, the last filling all the bytes that the others leave. */
static bool ipv4_parse(const char *host, struct address *ret)
{
	uint64_t parts[4] = {0};
	int count = 0;
	for (const char *p = host;; p++) {
		size_t len = strcspn(p, ".");
		if (count == 4 || !part_parse(p, len, &parts[count++]))
			return false;
		p += len;
		if (*p == '\0')
			break;
	}
	if (parts[count - 1] >= 1ull << (8 * (5 - count)))
		return false;
	uint32_t value = (uint32_t)parts[count - 1];
	for (int i = 0; i < count - 1; i++) {
		if (parts[i] > 255)
			return false;
		value |= (uint32_t)parts[i] << (24 - 8 * i);
	}
	*ret = (struct address){.len = 4};
	for (int i = 0; i < 4; i++)
		ret->b[i] = (uint8_t)(value >> (24 - 8 * i));
	return true;
}

/* No top-level domain is a number, so such a host is an address in some spelling, or nonsense
 * that a resolver might still take for one. */
static bool ends_in_number(const char *host)
{
	const char *last = strrchr(host, '.');
	last = last == NULL ? host : last + 1;
	uint64_t ignored;
	size_t len = strlen(last);
	return len > 0 && (part_parse(last, len, &ignored) || strspn(last, "0123456789") == len);
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool label_is_valid(const char *label, size_t len)
{
	if (len == 0 || len > HOST_LABEL_MAX_BYTES || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_name_char(label[i]))
			return false;
	}
	return true;
}

static bool name_is_valid(const char *host)
{
	if (strlen(host) > HOST_NAME_MAX_BYTES)
		return false;
	for (const char *p = host;; p++) {
		size_t len = strcspn(p, ".");
		if (!label_is_valid(p, len))
			return false;
		p += len;
		if (*p == '\0')
			return true;
	}
}

static bool is_loopback_name(const char *host)
{
	static const char suffix[] = "localhost";
	size_t len = strlen(host), n = sizeof(suffix) - 1;
	return len >= n && strcmp(host + len - n, suffix) == 0 && (len == n || host[len - n - 1] == '.');
}

static bool loopback_is_allowed(const struct address_policy *policy)
{
	const struct address v4 = {4, {127, 0, 0, 1}};
	const struct address v6 = {16, {[15] = 1}};
	return policy == NULL || address_refusal(&v4, policy) == NULL || address_refusal(&v6, policy) == NULL;
}

/* host: lower case, without a final dot. */
static int name_check(char *host, const struct url_rules *rules, struct url *u, struct ch_err *err)
{
	for (const char *p = host; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			return ch_err_set(err, CH_EINVAL,
					"URL has a host name that is not ASCII; write it in punycode "
					"(xn--…)");
	}
	if (ends_in_number(host)) {
		if (!ipv4_parse(host, &u->literal))
			return ch_err_set(err, CH_EINVAL, "URL has a bad IPv4 address");
		u->is_literal = true;
		return 0;
	}
	if (!name_is_valid(host))
		return ch_err_set(err, CH_EINVAL, "URL has a host name that is not valid");
	if (is_loopback_name(host) && !loopback_is_allowed(rules->addresses))
		return ch_err_set(err, CH_EINVAL, "URL must not point to a loopback address (%.80s)", host);
	return 0;
}

static void lower(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
	}
}

static int literal6_check(const char *host, size_t len, struct url *u, struct ch_err *err)
{
	if (len < 2 || host[len - 1] != ']' || address_parse(host + 1, len - 2, &u->literal) != 0 ||
			u->literal.len != 16)
		return ch_err_set(err, CH_EINVAL, "URL has a bad IPv6 address");
	u->is_literal = true;
	return 0;
}

static int literal_check(const struct url *u, const struct url_rules *rules, struct ch_err *err)
{
	char text[ADDRESS_TEXT_MAX];
	if (!u->is_literal || rules->addresses == NULL)
		return 0;
	const char *what = address_refusal(&u->literal, rules->addresses);
	if (what == NULL)
		return 0;
	address_format(&u->literal, text);
	return ch_err_set(err, CH_EINVAL, "URL must not point to a network that is not public (%s is %s)",
			text, what);
}

/* Reads the host as libcurl understood it (percent-encoding undone), fills u->host and the literal. */
static int host_read(CURLU *cu, const struct url_rules *rules, struct url *u, struct ch_err *err)
{
	CH_CLEANUP(text_free) char *host = NULL;
	CH_CLEANUP(text_free) char *zone = NULL;
	CURLUcode code = curl_url_get(cu, CURLUPART_HOST, &host, 0);
	if (code != CURLUE_OK)
		return curl_failed(code, err);
	code = curl_url_get(cu, CURLUPART_ZONEID, &zone, 0);
	if (code != CURLUE_OK && code != CURLUE_NO_ZONEID)
		return curl_failed(code, err);
	if (zone != NULL)
		return ch_err_set(err, CH_EINVAL, "URL must not contain an IPv6 zone id");

	CH_ASSERT(host != NULL);
	lower(host);
	size_t len = strlen(host);
	int r;
	if (host[0] == '[') {
		r = literal6_check(host, len, u, err);
	} else {
		if (len > 0 && host[len - 1] == '.')
			host[len - 1] = '\0';
		r = name_check(host, rules, u, err);
	}
	if (r == 0)
		r = literal_check(u, rules, err);
	if (r != 0)
		return r;

	char text[ADDRESS_TEXT_MAX];
	if (u->is_literal)
		address_format(&u->literal, text);
	u->host = ch_strdup(u->is_literal ? text : host);
	return u->host != NULL ? 0 : ch_err_set(err, CH_ENOMEM, "no memory to parse a URL");
}

static int port_read(CURLU *cu, struct url *u, struct ch_err *err)
{
	CH_CLEANUP(text_free) char *port = NULL;
	CURLUcode code = curl_url_get(cu, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (code != CURLUE_OK)
		return curl_failed(code, err);
	CH_ASSERT(port != NULL);
	unsigned n = 0;
	for (const char *p = port; *p >= '0' && *p <= '9' && n <= 65535; p++)
		n = n * 10 + (unsigned)(*p - '0');
	if (n < 1 || n > 65535)
		return curl_failed(CURLUE_BAD_PORT_NUMBER, err);
	u->port = (uint16_t)n;
	return 0;
}

/* Puts the checked host back, so that the text that goes to libcurl holds what was checked. */
static int text_write(CURLU *cu, struct url *u, struct ch_err *err)
{
	char host[HOST_NAME_MAX_BYTES + 3];
	CH_ASSERT(u->host != NULL);
	size_t len = strlen(u->host), at = 0;
	bool is_v6 = u->is_literal && u->literal.len == 16;
	CH_ASSERT(len <= HOST_NAME_MAX_BYTES);
	if (is_v6)
		host[at++] = '[';
	memcpy(host + at, u->host, len);
	at += len;
	if (is_v6)
		host[at++] = ']';
	host[at] = '\0';

	CH_CLEANUP(text_free) char *text = NULL;
	CURLUcode code = curl_url_set(cu, CURLUPART_HOST, host, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(cu, CURLUPART_URL, &text, CURLU_NO_DEFAULT_PORT);
	if (code != CURLUE_OK)
		return curl_failed(code, err);
	CH_ASSERT(text != NULL);
	if (strlen(text) > URL_MAX_BYTES)
		return ch_err_set(err, CH_EINVAL, "URL is longer than %d bytes", URL_MAX_BYTES);
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			return ch_err_set(err, CH_EINVAL,
					"URL has a path or query that is not ASCII; percent-encode it");
	}
	u->text = ch_strdup(text);
	return u->text != NULL ? 0 : ch_err_set(err, CH_ENOMEM, "no memory to parse a URL");
}

static int parts_read(const char *text, const struct url_rules *rules, struct url *u, struct ch_err *err)
{
	CH_CLEANUP(handle_free) CURLU *cu = curl_url();
	if (cu == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory to parse a URL");
	CURLUcode code = curl_url_set(cu, CURLUPART_URL, text, CURLU_DISALLOW_USER);
	if (code != CURLUE_OK)
		return curl_failed(code, err);
	int r = port_read(cu, u, err);
	if (r == 0)
		r = host_read(cu, rules, u, err);
	if (r == 0)
		r = text_write(cu, u, err);
	return r;
}

int url_parse(const char *text, size_t len, const struct url_rules *rules, struct url *ret,
		struct ch_err *err)
{
	CH_ASSERT(rules != NULL && ret != NULL);
	struct url u = {0};
	int r = bytes_check(text, len, err);
	if (r != 0)
		return r;
	CH_CLEANUP(ch_free_p) char *copy = ch_memdup0(text, len);
	if (copy == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory to parse a URL");
	r = scheme_check(copy, rules, &u.is_tls, err);
	if (r == 0)
		r = parts_read(copy, rules, &u, err);
	if (r != 0) {
		url_fini(&u);
		return r;
	}
	*ret = u;
	return 0;
}

void url_fini(struct url *u)
{
	ch_free(u->text);
	ch_free(u->host);
	u->text = u->host = NULL;
}
