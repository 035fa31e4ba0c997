#include "model/call_codec.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/time_text.h"
#include "model/call_record.h"
#include "model/json_reader.h"

#define CREATED_KEY "\"created\":\""
#define CREATED_TAIL "\"}"

struct call_codec {
	size_t max_bytes;
	struct json_doc doc;
};

struct call_codec *call_codec_create(size_t max_bytes)
{
	CH_ASSERT(max_bytes > 0 && max_bytes <= JSON_INPUT_MAX);
	struct call_codec *c = ch_alloc(sizeof *c);
	if (!c)
		return NULL;
	c->max_bytes = max_bytes;
	json_doc_init(&c->doc);
	return c;
}

void call_codec_destroy(struct call_codec **c)
{
	if (!*c)
		return;
	json_doc_fini(&(*c)->doc);
	ch_free(*c);
	*c = NULL;
}

static int too_long(const struct call_codec *c, struct problems *problems, const char *what)
{
	problems_add(problems, "", "the record is too large: %s may have at most %zu bytes", what,
			c->max_bytes);
	return CH_ELIMIT;
}

static int run(struct call_codec *c, const char *json, size_t len, const struct id *path_id, int64_t now_s,
		struct ch_buf *out, struct call_facts *ret_facts, struct problems *problems)
{
	if (len > c->max_bytes)
		return too_long(c, problems, "it");
	bool is_clean = false;
	int rc = json_read(&c->doc, json, len, problems, &is_clean);
	if (rc)
		return rc;
	struct call_record r = {.doc = &c->doc, .problems = problems, .is_bad = !is_clean};
	call_record_parse(&r, path_id, now_s);
	if (r.is_bad)
		return CH_EINVAL;
	rc = call_record_write(&r, c->max_bytes, out);
	if (rc == CH_ELIMIT)
		return too_long(c, problems, "its canonical form");
	if (rc)
		return rc;
	*ret_facts = r.facts;
	return 0;
}

int call_codec_run(struct call_codec *c, const char *json, size_t len, const struct id *path_id,
		int64_t now_s, struct ch_buf *out, struct call_facts *ret_facts, struct problems *problems)
{
	ch_buf_clear(out);
	int rc = run(c, json, len, path_id, now_s, out, ret_facts, problems);
	if (rc)
		ch_buf_clear(out);
	json_doc_trim(&c->doc);
	return rc;
}

/* Where the time stands in a canonical body. */
static size_t created_at(const char *body, size_t len)
{
	const size_t tail = sizeof CREATED_TAIL - 1, key = sizeof CREATED_KEY - 1;
	CH_ASSERT(len > tail + TIME_TEXT_LEN + key);
	size_t at = len - tail - TIME_TEXT_LEN;
	CH_ASSERT(memcmp(body + at - key, CREATED_KEY, key) == 0);
	CH_ASSERT(memcmp(body + len - tail, CREATED_TAIL, tail) == 0);
	return at;
}

void call_body_set_created(char *body, size_t len, int64_t created_s)
{
	time_text_format(created_s, body + created_at(body, len));
}

int64_t call_body_created(const char *body, size_t len)
{
	int64_t created_s = 0;
	int rc = time_text_parse(body + created_at(body, len), TIME_TEXT_LEN, &created_s);
	CH_ASSERT(rc == 0);
	return created_s;
}
