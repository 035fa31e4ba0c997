#include "api/http_head.h"

#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/err.h"

#define METHOD_MAX 32

struct cursor {
	char *data;
	size_t at;
	size_t end; /* behind the last CRLF of the fields; the blank line is not part of it */
	bool has_host;
	bool has_transfer;
	struct http_fault *fault;
};

static int fail(struct http_fault *fault, int status, const char *detail)
{
	*fault = (struct http_fault){.status = status, .detail = detail};
	return CH_EINVAL;
}

bool http_is_tchar(char c)
{
	/* One bit for each of the 128 characters of ASCII. */
	static const uint64_t is_tchar[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};
	unsigned char b = (unsigned char)c;
	return b < 128 && (is_tchar[b / 64] >> (b % 64) & 1) != 0;
}

int http_head_end(const char *data, size_t len, size_t *scanned, size_t *ret_len, struct http_fault *fault)
{
	while (*scanned < len) {
		const char *lf = memchr(data + *scanned, '\n', len - *scanned);
		if (!lf) {
			*scanned = len;
			break;
		}
		size_t at = (size_t)(lf - data);
		if (at == 0 || data[at - 1] != '\r')
			return fail(fault, 400, "a line of the request does not end in CR LF");
		*scanned = at + 1;
		if (at >= 3 && data[at - 2] == '\n') {
			*ret_len = at + 1;
			return 0;
		}
	}
	return CH_EAGAIN;
}

/* The path of an absolute-form target, which a proxy would send; NULL when it is none. */
static char *path_of_absolute(char *target)
{
	size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
			: strncasecmp(target, "https://", 8) == 0 ? 8
								  : 0;
	if (scheme == 0)
		return NULL;
	return strchr(target + scheme, '/');
}

static int parse_target(struct cursor *c, char *target, struct http_head *head)
{
	for (const char *p = target; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f || *p == '#')
			return fail(c->fault, 400,
					"the request target has a character that is not allowed there");
	char *path = target[0] == '/' ? target : path_of_absolute(target);
	if (!path)
		return fail(c->fault, 400, "the request target is not a path");
	char *query = strchr(path, '?');
	head->path = (uint32_t)(path - c->data);
	if (query) {
		*query = '\0';
		head->query = (uint32_t)(query + 1 - c->data);
	} else {
		head->query = (uint32_t)(path + strlen(path) - c->data);
	}
	return 0;
}

static int parse_version(struct cursor *c, const char *version, struct http_head *head)
{
	if (strncmp(version, "HTTP/", 5) != 0 || strlen(version) != 8 || version[6] != '.')
		return fail(c->fault, 400, "the request line is malformed");
	if (version[5] != '1' || (version[7] != '0' && version[7] != '1'))
		return fail(c->fault, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	head->minor = (uint8_t)(version[7] - '0');
	return 0;
}

/* Ends the line at c->at with a NUL and moves on to the next; http_head_end made sure that it has CR LF. */
static char *take_line(struct cursor *c)
{
	char *line = c->data + c->at;
	char *lf = memchr(line, '\n', c->end - c->at);
	CH_ASSERT(lf && lf > c->data && lf[-1] == '\r');
	lf[-1] = '\0';
	c->at = (size_t)(lf + 1 - c->data);
	return line;
}

static int parse_request_line(struct cursor *c, struct http_head *head)
{
	size_t start = c->at;
	char *line = take_line(c);
	size_t line_len = c->at - start - 2;
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;
	if (!version || strlen(line) != line_len)
		return fail(c->fault, 400, "the request line is malformed");
	*target++ = '\0';
	*version++ = '\0';
	size_t method_len = strlen(line);
	for (size_t i = 0; i < method_len; i++)
		if (!http_is_tchar(line[i]))
			return fail(c->fault, 400, "the method is malformed");
	if (method_len == 0)
		return fail(c->fault, 400, "the method is malformed");
	if (method_len > METHOD_MAX)
		return fail(c->fault, 501, "the method is not known");
	if (strcmp(line, "HEAD") == 0) {
		head->is_head = true;
		memcpy(line, "GET", 4);
	}
	head->method = (uint32_t)start;
	int rc = parse_version(c, version, head);
	return rc ? rc : parse_target(c, target, head);
}

static int parse_length(struct cursor *c, const char *value, struct http_head *head)
{
	if (head->has_length)
		return fail(c->fault, 400, "Content-Length is there more than once");
	uint64_t n = 0;
	const char *p = value;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (n > (UINT64_MAX - 9) / 10)
			return fail(c->fault, 413, "Content-Length is too large");
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (p == value || *p)
		return fail(c->fault, 400, "Content-Length is not a number");
	head->has_length = true;
	head->content_length = n;
	return 0;
}

static int parse_transfer(struct cursor *c, const char *value, struct http_head *head)
{
	if (c->has_transfer)
		return fail(c->fault, 400, "Transfer-Encoding is there more than once");
	c->has_transfer = true;
	if (strcasecmp(value, "chunked") != 0)
		return fail(c->fault, 501, "only the transfer encoding \"chunked\" is understood");
	head->is_chunked = true;
	return 0;
}

/* A list of tokens: is this one in it? */
static bool list_has(const char *list, const char *token)
{
	size_t len = strlen(token);
	while (*list) {
		list += strspn(list, " \t,");
		size_t n = strcspn(list, " \t,");
		if (n == len && strncasecmp(list, token, len) == 0)
			return true;
		list += n;
	}
	return false;
}

static int parse_connection(struct http_head *head, const char *value)
{
	if (list_has(value, "close"))
		head->keep_alive = false;
	else if (head->minor == 0 && list_has(value, "keep-alive"))
		head->keep_alive = true;
	return 0;
}

/* The fields that say how the request is framed; the others are for the handler. */
static int note_field(struct cursor *c, const char *name, const char *value, struct http_head *head)
{
	switch (strlen(name)) {
	case 4:
		if (strcasecmp(name, "Host") != 0)
			return 0;
		if (c->has_host)
			return fail(c->fault, 400, "Host is there more than once");
		c->has_host = true;
		return 0;
	case 6:
		if (strcasecmp(name, "Expect") != 0 || head->minor == 0)
			return 0;
		if (strcasecmp(value, "100-continue") != 0)
			return fail(c->fault, 417, "only Expect: 100-continue is understood");
		head->expects_continue = true;
		return 0;
	case 10:
		return strcasecmp(name, "Connection") == 0 ? parse_connection(head, value) : 0;
	case 14:
		return strcasecmp(name, "Content-Length") == 0 ? parse_length(c, value, head) : 0;
	case 17:
		return strcasecmp(name, "Transfer-Encoding") == 0 ? parse_transfer(c, value, head) : 0;
	default:
		return 0;
	}
}

static bool is_value_clean(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char b = (unsigned char)value[i];
		if ((b < 0x20 && b != '\t') || b == 0x7f)
			return false;
	}
	return true;
}

static int parse_field(struct cursor *c, struct http_head *head)
{
	size_t start = c->at;
	char *line = take_line(c);
	size_t len = c->at - start - 2;
	size_t name_len = 0;

	while (name_len < len && http_is_tchar(line[name_len]))
		name_len++;
	if (name_len == 0 || name_len == len || line[name_len] != ':')
		return fail(c->fault, 400, "a header line is malformed");
	line[name_len] = '\0';
	char *value = line + name_len + 1;
	size_t value_len = len - name_len - 1;
	while (value_len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		value_len--;
	}
	while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
		value_len--;
	value[value_len] = '\0';
	if (!is_value_clean(value, value_len))
		return fail(c->fault, 400, "a header has a control character in it");
	if (head->field_count == HTTP_HEAD_FIELDS_MAX)
		return fail(c->fault, 431, "there are too many headers");
	head->fields[head->field_count++] = (struct http_head_field){
			.name = (uint32_t)start, .value = (uint32_t)(value - c->data)};
	return note_field(c, line, value, head);
}

int http_head_parse(char *data, size_t len, struct http_head *ret, struct http_fault *fault)
{
	CH_ASSERT(len >= 4 && len < INT32_MAX && data[len - 1] == '\n');
	struct cursor c = {.data = data, .end = len - 2, .fault = fault};

	*ret = (struct http_head){.len = (uint32_t)len};
	int rc = parse_request_line(&c, ret);
	ret->keep_alive = ret->minor == 1;
	while (rc == 0 && c.at < c.end)
		rc = parse_field(&c, ret);
	if (rc)
		return rc;
	if (ret->minor == 1 && !c.has_host)
		return fail(fault, 400, "Host is missing");
	if (ret->is_chunked && ret->has_length)
		return fail(fault, 400, "Content-Length and Transfer-Encoding contradict each other");
	if (ret->is_chunked && ret->minor == 0)
		return fail(fault, 400, "Transfer-Encoding does not exist in HTTP/1.0");
	return 0;
}
