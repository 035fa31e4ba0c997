#include "policy/sign_body.h"

#include <jansson.h>
#include <string.h>

#include "base/err.h"
#include "model/call_codec.h"
#include "model/json_load.h"

#define BODY_MAX_BYTES ((size_t)CALL_MAX_BYTES_DEFAULT)

void sign_body_forms_init(struct sign_body_forms *f)
{
	*f = (struct sign_body_forms){.is_made = false};
	ch_buf_init(&f->compact, 0);
	ch_buf_init(&f->canonical, BODY_MAX_BYTES);
}

void sign_body_forms_fini(struct sign_body_forms *f)
{
	ch_buf_fini(&f->compact);
	ch_buf_fini(&f->canonical);
}

/* By characters and not through a parser, which would print numbers and escapes its own way. */
static void compact_write(struct ch_buf *out, const char *body, size_t len)
{
	bool in_string = false;
	for (size_t i = 0; i < len; i++) {
		char c = body[i];
		if (!in_string && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
			continue;
		ch_buf_addc(out, c);
		if (in_string && c == '\\' && i + 1 < len)
			ch_buf_addc(out, body[++i]);
		else if (c == '"')
			in_string = !in_string;
	}
}

static int dump_to_buf(const char *data, size_t len, void *ctx)
{
	struct ch_buf *out = ctx;
	ch_buf_add(out, data, len);
	return out->err == 0 ? 0 : -1;
}

static int reprint(const char *body, size_t len, struct ch_buf *out)
{
	json_t *root;
	int r = json_load(body, len, 0, &root, NULL);
	if (r != 0)
		return r;
	r = json_dump_callback(root, dump_to_buf, out, JSON_COMPACT) == 0 ? 0 : CH_ENOMEM;
	json_decref(root);
	return r;
}

/* Both printed by one printer that keeps the order: what then differs is more than spelling. */
static int order_compare(struct sign_body_forms *f, const char *body, size_t len)
{
	struct ch_buf a, b;
	ch_buf_init(&a, SIZE_MAX / 2);
	ch_buf_init(&b, SIZE_MAX / 2);
	int r = reprint(body, len, &a);
	if (r == 0)
		r = reprint(f->canonical.data, f->canonical.len, &b);
	if (r == 0)
		f->order_differs = a.len != b.len || memcmp(a.data, b.data, a.len) != 0;
	else if (r == CH_EINVAL)
		f->order_differs = true;
	ch_buf_fini(&a);
	ch_buf_fini(&b);
	return r == CH_ENOMEM ? r : 0;
}

static int canonical_make(struct sign_body_forms *f, const char *body, size_t len)
{
	struct call_facts facts;
	struct problems problems;
	if (len > BODY_MAX_BYTES)
		return 0;
	struct call_codec *codec = call_codec_create(BODY_MAX_BYTES);
	if (codec == NULL)
		return CH_ENOMEM;
	problems_init(&problems);
	int r = call_codec_run(codec, body, len, NULL, 0, &f->canonical, &facts, &problems);
	problems_fini(&problems);
	call_codec_destroy(&codec);
	if (r != 0)
		return r == CH_ENOMEM ? r : 0;
	f->has_canonical = true;
	return order_compare(f, body, len);
}

int sign_body_forms_make(struct sign_body_forms *f, const char *body, size_t len)
{
	if (f->is_made)
		return 0;
	f->compact.limit = len;
	compact_write(&f->compact, body, len);
	if (f->compact.err != 0)
		return f->compact.err;
	int r = canonical_make(f, body, len);
	f->is_made = r == 0;
	return r;
}
