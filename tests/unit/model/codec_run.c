#include <string.h>

#include "base/alloc.h"
#include "test_model.h"

#define HEAD                                                                                                 \
	"{\"id\":\"3c90c3cc-0d44-4b50-8888-8dd25736052a\",\"agentId\":\"00000000-0000-0000-0000-"            \
	"000000000001\","                                                                                    \
	"\"type\":\"INBOUND\",\"status\":\"COMPLETED\""

void codec_run_init(struct codec_run *r, size_t max_bytes)
{
	r->codec = call_codec_create(max_bytes);
	assert_non_null(r->codec);
	ch_buf_init(&r->out, max_bytes);
	problems_init(&r->problems);
	r->rc = 0;
}

void codec_run_fini(struct codec_run *r)
{
	call_codec_destroy(&r->codec);
	ch_buf_fini(&r->out);
	problems_fini(&r->problems);
}

void codec_run_record(struct codec_run *r, const char *json, size_t len, const struct id *path_id)
{
	problems_fini(&r->problems);
	r->rc = call_codec_run(r->codec, json, len, path_id, TEST_NOW_S, &r->out, &r->facts, &r->problems);
}

void codec_run_text(struct codec_run *r, const char *json)
{
	codec_run_record(r, json, strlen(json), NULL);
}

char *codec_record_with(const char *rest)
{
	struct ch_buf b;
	ch_buf_init(&b, 64u * 1024 * 1024);
	ch_buf_adds(&b, HEAD);
	if (*rest)
		ch_buf_addc(&b, ',');
	ch_buf_adds(&b, rest);
	ch_buf_addc(&b, '}');
	assert_int_equal(b.err, 0);
	return ch_buf_detach(&b);
}

void codec_assert_has(const struct codec_run *r, const char *text)
{
	assert_int_equal(r->rc, 0);
	if (!strstr(ch_buf_text(&r->out), text))
		fail_msg("%s is not in %s", text, ch_buf_text(&r->out));
}
