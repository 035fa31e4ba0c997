#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/log_redact.h"
#include "base/time_text.h"

#define LINE_BYTES_MAX 65536
#define VALUE_READ_MAX 65536 /* of a value given, looked at */
#define VALUE_BYTES_MAX 4096 /* of a value, redacted, written */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* One character of UTF-8 at p: its length, or 0 when the bytes there are none (overlong forms,
 * surrogates and what lies past U+10FFFF are none). */
static size_t utf8_read(const unsigned char *p, size_t len, uint32_t *ret)
{
	size_t size = p[0] < 0x80   ? 1
		      : p[0] < 0xC2 ? 0
		      : p[0] < 0xE0 ? 2
		      : p[0] < 0xF0 ? 3
		      : p[0] < 0xF5 ? 4
				    : 0;
	if (size == 0 || size > len)
		return 0;
	uint32_t c = size == 1 ? p[0] : p[0] & (0x7Fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3F);
	}
	if ((size == 3 && (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))) ||
			(size == 4 && (c < 0x10000 || c > 0x10FFFF)))
		return 0;
	*ret = c;
	return size;
}

/* Controls, and those that a terminal or a viewer would take for an order: a line break, or text
 * turned round. */
static bool is_unprintable(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x200E || c == 0x200F || c == 0x061C ||
	       (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

static void add_escaped_char(struct ch_buf *out, uint32_t c)
{
	if (c == '"' || c == '\\') {
		ch_buf_addc(out, '\\');
		ch_buf_addc(out, (char)c);
	} else if (c == '\n') {
		ch_buf_add(out, "\\n", 2);
	} else if (c == '\r') {
		ch_buf_add(out, "\\r", 2);
	} else if (c == '\t') {
		ch_buf_add(out, "\\t", 2);
	} else {
		ch_buf_addf(out, "\\u%04x", (unsigned)c); /* all of them lie below U+10000 */
	}
}

/* A JSON string; the text format quotes the same way. */
static void add_quoted(struct ch_buf *out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t plain = 0; /* bytes before p that need no escape and are not written yet */
	ch_buf_addc(out, '"');
	while (len) {
		uint32_t c = 0;
		size_t size = utf8_read(p, len, &c);
		size_t step = size ? size : 1;
		if (size && c != '"' && c != '\\' && !is_unprintable(c)) {
			plain += size;
		} else {
			ch_buf_add(out, p - plain, plain);
			plain = 0;
			if (size)
				add_escaped_char(out, c);
			else
				ch_buf_add(out, "\xEF\xBF\xBD", 3); /* U+FFFD */
		}
		p += step;
		len -= step;
	}
	ch_buf_add(out, p - plain, plain);
	ch_buf_addc(out, '"');
}

/* Whether a value may stand in a key=value line as it is. */
static bool is_bare(const char *text, size_t len)
{
	if (len == 0)
		return false;
	const unsigned char *p = (const unsigned char *)text;
	while (len) {
		uint32_t c = 0;
		size_t size = utf8_read(p, len, &c);
		if (size == 0 || c == ' ' || c == 0xA0 || c == '"' || c == '=' || c == '\\' ||
				is_unprintable(c))
			return false;
		p += size;
		len -= size;
	}
	return true;
}

static void add_text(struct ch_buf *out, enum ch_log_format format, const char *text, size_t len)
{
	if (format == CH_LOG_TEXT && is_bare(text, len))
		ch_buf_add(out, text, len);
	else
		add_quoted(out, text, len);
}

/* Redacted first, cut after: half a secret would no longer look like one. */
static void add_value(struct ch_buf *line, enum ch_log_format format, struct ch_buf *scratch,
		const struct ch_log_field *f)
{
	if (f->kind == CH_LOG_INT) {
		ch_buf_addf(line, "%lld", (long long)f->i);
		return;
	}
	const char *text = f->s ? f->s : "";
	ch_buf_clear(scratch);
	if (ch_log_name_is_secret(f->key, strlen(f->key)) && *text)
		ch_buf_adds(scratch, CH_LOG_SECRET);
	else
		ch_log_redact(scratch, text, strnlen(text, VALUE_READ_MAX));
	size_t len = scratch->len;
	if (len > VALUE_BYTES_MAX) {
		len = VALUE_BYTES_MAX;
		while (len && ((unsigned char)scratch->data[len] & 0xC0) == 0x80)
			len--;
		scratch->len = len;
		ch_buf_adds(scratch, CH_LOG_ELLIPSIS);
		len = scratch->len;
	}
	if (scratch->err)
		line->err = scratch->err; /* a line with a value missing would mislead */
	add_text(line, format, ch_buf_text(scratch), len);
}

static void add_key(struct ch_buf *line, enum ch_log_format format, const char *key)
{
	if (format == CH_LOG_TEXT) {
		ch_buf_addc(line, ' ');
		ch_buf_adds(line, key);
		ch_buf_addc(line, '=');
		return;
	}
	ch_buf_addc(line, ',');
	add_quoted(line, key, strlen(key));
	ch_buf_addc(line, ':');
}

static void add_head(
		struct ch_buf *line, const struct ch_log *log, enum ch_log_level level, const char *event)
{
	char time[25];
	time_text_format_ms(ch_clock_wall(&log->clock).ms, time);
	if (log->format == CH_LOG_JSON)
		ch_buf_adds(line, "{\"time\":\"");
	else
		ch_buf_adds(line, "time=");
	ch_buf_adds(line, time);
	if (log->format == CH_LOG_JSON)
		ch_buf_addc(line, '"');
	add_key(line, log->format, "level");
	add_text(line, log->format, level_names[level], strlen(level_names[level]));
	add_key(line, log->format, "event");
	add_text(line, log->format, event, strlen(event));
}

static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

/* A reader of the log that stops reading must not stop a loop. The descriptor is often shared with other
 * processes and can't be made non-blocking, but a pipe that is ready takes PIPE_BUF bytes at once. */
static bool write_some(int fd, const struct ch_buf *line, size_t *at)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	size_t left = line->len - *at;
	if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT))
		return false;
	ssize_t n = write(fd, line->data + *at, left < PIPE_BUF ? left : PIPE_BUF);
	if (n < 0)
		return errno == EINTR;
	*at += (size_t)n;
	return n > 0;
}

static bool write_line(const struct ch_log *log, const struct ch_buf *line)
{
	if (log->sink) {
		log->sink(log->sink_ctx, line->data, line->len);
		return true;
	}
	/* One at a time, so that the room that was seen is still there. */
	pthread_mutex_lock(&writing);
	bool ok = true;
	for (size_t at = 0; ok && at < line->len;)
		ok = write_some(log->fd, line, &at);
	pthread_mutex_unlock(&writing);
	return ok;
}

void ch_log_event(struct ch_log *log, enum ch_log_level level, const char *event,
		const struct ch_log_field *fields, int count)
{
	if (!log || level < log->level)
		return;
	int saved_errno = errno;
	struct ch_buf line;
	struct ch_buf scratch;
	ch_buf_init(&line, LINE_BYTES_MAX);
	ch_buf_init(&scratch, VALUE_READ_MAX * 2);
	(void)ch_buf_reserve(&line, 500); /* most lines, in one allocation */
	add_head(&line, log, level, event);
	for (int i = 0; i < count; i++) {
		add_key(&line, log->format, fields[i].key);
		add_value(&line, log->format, &scratch, &fields[i]);
	}
	ch_buf_adds(&line, log->format == CH_LOG_JSON ? "}\n" : "\n");
	if (line.err || !write_line(log, &line))
		atomic_fetch_add_explicit(&log->lost, 1, memory_order_relaxed);
	ch_buf_fini(&scratch);
	ch_buf_fini(&line);
	errno = saved_errno;
}
