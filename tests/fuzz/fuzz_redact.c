/* No phone number and no secret survives the log, whatever stands around it, and what is written is one line
 * that strangers' JSON readers take. */
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"

#define PHONE "+33612345678"
#define SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HIDDEN "whsec_\xe2\x80\xa6"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Looked at by eyes other than the redactor's: "+" with four digits behind it, or whsec_ with anything but
 * the ellipsis. */
static void check_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t digits = 0;
		if (text[i] == '+')
			while (i + 1 + digits < len && is_digit(text[i + 1 + digits]))
				digits++;
		CH_ASSERT(digits < 4);
		if (len - i >= 6 && strncasecmp(text + i, "whsec_", 6) == 0)
			CH_ASSERT(len - i >= sizeof(HIDDEN) - 1 &&
					memcmp(text + i, HIDDEN, sizeof(HIDDEN) - 1) == 0);
	}
}

/* What is put into the middle of the text must not come out. */
static void check_planted(const char *plant, const char *telling, const char *text, size_t len)
{
	struct ch_buf whole;
	struct ch_buf out;
	if (memmem(text, len, telling, strlen(telling)))
		return; /* it stands there already, in clear and maybe rightly so */
	ch_buf_init(&whole, SIZE_MAX);
	ch_buf_init(&out, SIZE_MAX);
	ch_buf_add(&whole, text, len / 2);
	ch_buf_adds(&whole, plant);
	ch_buf_add(&whole, text + len / 2, len - len / 2);
	ch_log_redact(&out, whole.data, whole.len);
	CH_ASSERT(out.err == 0 && !memmem(out.data, out.len, telling, strlen(telling)));
	check_clean(out.data, out.len);
	ch_buf_fini(&whole);
	ch_buf_fini(&out);
}

struct seen {
	enum ch_log_format format;
	int lines;
};

static void on_line(void *ctx, const char *line, size_t len)
{
	struct seen *s = ctx;
	s->lines++;
	CH_ASSERT(len > 1 && line[len - 1] == '\n' && !memchr(line, '\n', len - 1) &&
			!memchr(line, '\0', len));
	check_clean(line, len);
	if (s->format == CH_LOG_JSON) {
		json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
		CH_ASSERT(json_is_string(json_object_get(json, "value")));
		json_decref(json);
	}
}

static void check_line(enum ch_log_format format, const char *text)
{
	struct ch_clock_virtual time = {{1722350100000}, {1000}};
	struct seen seen = {.format = format};
	struct ch_log log = {.fd = -1,
			.format = format,
			.clock = ch_clock_virtual_of(&time),
			.sink = on_line,
			.sink_ctx = &seen};
	CH_LOG(&log, CH_LOG_INFO, "fuzzed", CH_S("value", text), CH_I("number", 5));
	CH_ASSERT(seen.lines == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char *copy = ch_memdup0(data, size);
	struct ch_buf out;

	CH_ASSERT(copy);
	ch_buf_init(&out, SIZE_MAX);
	ch_log_redact(&out, text, size);
	CH_ASSERT(out.err == 0);
	check_clean(out.data, out.len);
	check_planted(PHONE, "612345", text, size);
	check_planted(SECRET, "AgMEBQYHCAkKCwwNDg8QERITFBUW", text, size);
	check_planted(SECRET, "GBkaGxwd", text, size);
	check_line(CH_LOG_TEXT, copy);
	check_line(CH_LOG_JSON, copy);
	ch_buf_fini(&out);
	ch_free(copy);
	return 0;
}
