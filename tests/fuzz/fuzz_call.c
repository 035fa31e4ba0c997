/* The call record codec against any bytes.
 *
 * What it accepts must be JSON to jansson as well, without a key twice; so must the body it writes; and the
 * body must be its own canonical form. What jansson takes must not be called malformed.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "model/call_codec.h"

#define MAX_BYTES (64 * 1024)
#define NOW_S 1722350700

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool jansson_takes(const char *json, size_t len)
{
	json_t *value = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	json_decref(value);
	return value != NULL;
}

/* Malformed in our words, but not for being deeper than we go. */
static bool is_called_malformed(const struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		const char *detail = problems->items[i].detail;
		if (strncmp(detail, "malformed JSON", 14) == 0 && !strstr(detail, "levels deep"))
			return true;
	}
	return false;
}

static void check_body(struct call_codec *codec, const struct ch_buf *body)
{
	struct problems problems;
	struct ch_buf again;
	struct call_facts facts;
	CH_ASSERT(jansson_takes(body->data, body->len));
	problems_init(&problems);
	ch_buf_init(&again, MAX_BYTES);
	/* Another arrival time: the body says itself when it was created. */
	int rc = call_codec_run(codec, body->data, body->len, NULL, NOW_S + 1, &again, &facts, &problems);
	CH_ASSERT(rc == 0);
	CH_ASSERT(again.len == body->len && memcmp(again.data, body->data, body->len) == 0);
	CH_ASSERT(call_body_created(body->data, body->len) == facts.created_s);
	struct call_facts read;
	rc = call_body_facts(body->data, body->len, &read);
	CH_ASSERT(rc == 0 && read.status == facts.status && read.type == facts.type);
	CH_ASSERT(id_equal(&read.id, &facts.id) && id_equal(&read.agent_id, &facts.agent_id));
	CH_ASSERT(strcmp(read.phone, facts.phone) == 0 && read.created_s == facts.created_s);
	ch_buf_fini(&again);
	problems_fini(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct call_codec *codec; /* reused, as it is in the service */
	if (!codec)
		codec = call_codec_create(MAX_BYTES);
	CH_ASSERT(codec);
	struct problems problems;
	struct ch_buf out;
	struct call_facts facts;
	problems_init(&problems);
	ch_buf_init(&out, MAX_BYTES);
	const char *json = (const char *)data;
	int rc = call_codec_run(codec, json, size, NULL, NOW_S, &out, &facts, &problems);
	if (rc == 0) {
		CH_ASSERT(problems.count == 0 && jansson_takes(json, size));
		check_body(codec, &out);
	} else {
		CH_ASSERT(rc == CH_EINVAL || rc == CH_ELIMIT);
		CH_ASSERT(problems.count > 0 && out.len == 0);
		/* jansson passes over a NUL byte behind a number. */
		bool has_nul = size > 0 && memchr(json, 0, size);
		CH_ASSERT(!is_called_malformed(&problems) || has_nul || !jansson_takes(json, size));
	}
	for (size_t i = 0; i < problems.count; i++) {
		json_t *text = json_string(problems.items[i].pointer);
		CH_ASSERT(text && strlen(problems.items[i].pointer) <= 256); /* no text: it is not UTF-8 */
		json_decref(text);
	}
	ch_buf_fini(&out);
	problems_fini(&problems);
	return 0;
}
