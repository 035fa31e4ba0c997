#include "delivery/curl_answer.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "policy/outcome.h"

void curl_answer_init(struct curl_answer *a)
{
	*a = (struct curl_answer){.length = -1};
	ch_buf_init(&a->body, ATTEMPT_ANSWER_KEPT_MAX);
}

void curl_answer_fini(struct curl_answer *a)
{
	ch_buf_fini(&a->body);
	ch_free(a->location);
	a->location = NULL;
}

static bool stop(struct curl_answer *a, enum answer_fault fault)
{
	a->fault = fault;
	return false;
}

static int status_of(const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	size_t at = space != NULL ? (size_t)(space - line) : len;
	int status = 0;
	while (at < len && line[at] == ' ')
		at++;
	if (len - at < 3)
		return 0;
	for (int i = 0; i < 3; i++) {
		char c = line[at + (size_t)i];
		if (c < '0' || c > '9')
			return 0;
		status = status * 10 + (c - '0');
	}
	return status;
}

/* A new status line: what an informational answer carried says nothing about the real one. After 101 libcurl
 * would take whatever comes for a body, until the deadline. */
static bool status_line(struct curl_answer *a, const char *line, size_t len)
{
	a->status = status_of(line, len);
	ch_free(a->location);
	a->location = NULL;
	a->retry_after[0] = a->date[0] = '\0';
	a->length = -1;
	if (a->status == 101)
		return stop(a, ANSWER_SWITCHES);
	if (a->status / 100 == 1 && ++a->interim > ANSWER_INTERIM_MAX)
		return stop(a, ANSWER_TOO_MANY_INTERIM);
	return true;
}

/* The value of a header of that name without outer white space; NULL when it is another header. */
static const char *value_of(const char *line, size_t len, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);
	if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return NULL;
	size_t from = n + 1, to = len;
	while (to > from && strchr(" \t\r\n", line[to - 1]) != NULL)
		to--;
	while (from < to && (line[from] == ' ' || line[from] == '\t'))
		from++;
	*ret_len = to - from;
	return line + from;
}

static void value_keep(char *out, size_t cap, const char *value, size_t len)
{
	if (out[0] != '\0' || len >= cap || memchr(value, '\0', len) != NULL)
		return;
	memcpy(out, value, len);
	out[len] = '\0';
}

/* It is shown to people, so what could not stand in a URL becomes a question mark. */
static void location_keep(struct curl_answer *a, const char *value, size_t len)
{
	if (a->location != NULL || a->status / 100 != 3)
		return;
	if (len > ANSWER_LOCATION_MAX)
		len = ANSWER_LOCATION_MAX;
	a->location = ch_memdup0(value, len);
	for (size_t i = 0; a->location != NULL && i < len; i++) {
		unsigned char c = (unsigned char)value[i];
		if (c < 0x20 || c >= 0x7f)
			a->location[i] = '?';
	}
}

static size_t blanks_skip(const char *text, size_t len, size_t at)
{
	while (at < len && (text[at] == ' ' || text[at] == '\t'))
		at++;
	return at;
}

static bool digits_read(const char *text, size_t len, size_t *at, int64_t *ret)
{
	size_t from = *at;
	int64_t n = 0;
	for (; *at < len && text[*at] >= '0' && text[*at] <= '9'; (*at)++) {
		if (n > (INT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (text[*at] - '0');
	}
	*ret = n;
	return *at > from;
}

/* libcurl takes "2x" for 2, "0x2" for 0 and the last of two that differ; then where the answer ends is a
 * guess, and what follows would be read as the next one (RFC 9112, 6.3). A list of equal ones is valid. */
static bool length_read(struct curl_answer *a, const char *value, size_t len)
{
	size_t at = 0;
	while (true) {
		int64_t n;
		at = blanks_skip(value, len, at);
		if (!digits_read(value, len, &at, &n) || (a->length >= 0 && a->length != n))
			return false;
		a->length = n;
		at = blanks_skip(value, len, at);
		if (at == len)
			return true;
		if (value[at++] != ',')
			return false;
	}
}

bool curl_answer_header(struct curl_answer *a, const char *line, size_t len)
{
	const char *value;
	size_t n;
	a->header_read += len;
	if (a->header_read > ANSWER_HEADERS_MAX)
		return stop(a, ANSWER_HEADERS_TOO_LONG);
	if (a->is_header_done || len == 0)
		return true;
	switch (line[0]) {
	case 'H':
		return len > 5 && memcmp(line, "HTTP/", 5) == 0 ? status_line(a, line, len) : true;
	case '\r':
	case '\n':
		a->is_header_done = a->status / 100 != 1;
		break;
	case 'C':
	case 'c':
		if ((value = value_of(line, len, "Content-Length", &n)) != NULL && !length_read(a, value, n))
			return stop(a, ANSWER_BAD_LENGTH);
		break;
	case 'L':
	case 'l':
		if ((value = value_of(line, len, "Location", &n)) != NULL)
			location_keep(a, value, n);
		break;
	case 'R':
	case 'r':
		if ((value = value_of(line, len, "Retry-After", &n)) != NULL)
			value_keep(a->retry_after, sizeof(a->retry_after), value, n);
		break;
	case 'D':
	case 'd':
		if ((value = value_of(line, len, "Date", &n)) != NULL)
			value_keep(a->date, sizeof(a->date), value, n);
		break;
	default:
		break;
	}
	return true;
}

bool curl_answer_body(struct curl_answer *a, const char *data, size_t len)
{
	size_t kept = ATTEMPT_ANSWER_KEPT_MAX - a->body.len;
	ch_buf_add(&a->body, data, len < kept ? len : kept);
	if (a->body.err != 0)
		return stop(a, ANSWER_NO_MEMORY);
	a->body_read += len;
	a->is_cut = a->body_read >= ATTEMPT_ANSWER_READ_MAX;
	return !a->is_cut;
}

bool curl_answer_is_whole(const struct curl_answer *a)
{
	if (!a->is_header_done)
		return false;
	if (a->status == 204 || a->status == 304)
		return true;
	return a->length >= 0 && a->body_read >= (size_t)a->length;
}

void curl_answer_take(struct curl_answer *a, struct attempt *to, int64_t now_s)
{
	size_t date_len = strlen(a->date), retry_len = strlen(a->retry_after);
	if (retry_len > 0)
		to->retry_after_s = retry_after_parse(
				a->retry_after, retry_len, date_len > 0 ? a->date : NULL, date_len, now_s);
	to->answer_len = a->body.len;
	to->answer = a->body.len > 0 ? ch_buf_detach(&a->body) : NULL;
	to->location = a->location;
	a->location = NULL;
}
