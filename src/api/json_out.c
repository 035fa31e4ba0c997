#include "api/json_out.h"

#include <string.h>

#include "base/time_text.h"
#include "model/json_utf8.h"

static void write_escape(struct ch_buf *out, unsigned char c)
{
	switch (c) {
	case '"':
		ch_buf_add(out, "\\\"", 2);
		return;
	case '\\':
		ch_buf_add(out, "\\\\", 2);
		return;
	case '\n':
		ch_buf_add(out, "\\n", 2);
		return;
	default:
		ch_buf_addf(out, "\\u%04x", c);
	}
}

void json_string_write(struct ch_buf *out, const char *text, size_t len)
{
	const char *end = text + len;
	const char *plain = text; /* where the run of characters begins that need nothing done */

	ch_buf_addc(out, '"');
	while (text < end) {
		unsigned char c = (unsigned char)*text;
		size_t n = json_utf8_len(text, end);
		if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			text += n;
			continue;
		}
		ch_buf_add(out, plain, (size_t)(text - plain));
		if (n == 0)
			ch_buf_adds(out, "\xef\xbf\xbd");
		else
			write_escape(out, c);
		plain = ++text;
	}
	ch_buf_add(out, plain, (size_t)(end - plain));
	ch_buf_addc(out, '"');
}

static void begin_value(struct json_out *o, const char *key)
{
	if (o->has_sibling)
		ch_buf_addc(o->buf, ',');
	o->has_sibling = true;
	if (!key)
		return;
	json_string_write(o->buf, key, strlen(key));
	ch_buf_addc(o->buf, ':');
}

static void put_null(struct json_out *o, const char *key)
{
	begin_value(o, key);
	ch_buf_add(o->buf, "null", 4);
}

void json_out_open(struct json_out *o, const char *key, char bracket)
{
	begin_value(o, key);
	ch_buf_addc(o->buf, bracket);
	o->has_sibling = false;
}

void json_out_close(struct json_out *o, char bracket)
{
	ch_buf_addc(o->buf, bracket);
	o->has_sibling = true;
}

void json_out_bytes(struct json_out *o, const char *key, const char *text, size_t len)
{
	begin_value(o, key);
	json_string_write(o->buf, text, len);
}

void json_out_text(struct json_out *o, const char *key, const char *text)
{
	if (text)
		json_out_bytes(o, key, text, strlen(text));
	else
		put_null(o, key);
}

void json_out_raw(struct json_out *o, const char *key, const char *json, size_t len)
{
	begin_value(o, key);
	ch_buf_add(o->buf, json, len);
}

void json_out_int(struct json_out *o, const char *key, int64_t value)
{
	begin_value(o, key);
	ch_buf_addf(o->buf, "%lld", (long long)value);
}

void json_out_share(struct json_out *o, const char *key, int64_t part, int64_t whole)
{
	if (whole == 0) {
		put_null(o, key);
		return;
	}
	begin_value(o, key);
	ch_buf_addf(o->buf, "%.6g", (double)part / (double)whole);
}

void json_out_bool(struct json_out *o, const char *key, bool value)
{
	begin_value(o, key);
	ch_buf_adds(o->buf, value ? "true" : "false");
}

void json_out_id(struct json_out *o, const char *key, const struct id *id)
{
	char text[ID_TEXT_LEN + 1];
	id_format(id, text);
	json_out_bytes(o, key, text, ID_TEXT_LEN);
}

void json_out_time(struct json_out *o, const char *key, int64_t unix_ms)
{
	char text[25];
	if (unix_ms == 0) {
		put_null(o, key);
		return;
	}
	time_text_format_ms(unix_ms, text);
	json_out_text(o, key, text);
}

void json_out_ms(struct json_out *o, const char *key, int32_t us)
{
	if (us < 0) {
		put_null(o, key);
		return;
	}
	begin_value(o, key);
	ch_buf_addf(o->buf, "%d.%03d", us / 1000, us % 1000);
}
