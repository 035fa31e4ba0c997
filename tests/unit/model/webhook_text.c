#include "webhook_text.h"

#include <stdlib.h>
#include <string.h>

static const struct address_policy strict = {NULL, 0};
const struct url_rules webhook_text_rules = {false, &strict};

const char webhook_text_full[] =
		"{" URL ",\"name\":\"Caf\xc3\xa9\",\"enabled\":false,\"agentIds\":[\"" AGENT_B "\",\"" AGENT_A
		"\",\"" AGENT_B "\"],\"statuses\":[\"NO_ANSWER\",\"COMPLETED\"],\"headers\":{\"X-B\":\"two "
		"words\",\"Authorization\":\"Bearer x\"},\"timeout\":60,\"concurrency\":512,\"rateLimit\":"
		"{\"count\":10,\"seconds\":1}}";

json_t *webhook_text_load(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, &e);
	if (j == NULL)
		fail_msg("test JSON: %s in %s", e.text, text);
	return j;
}

int webhook_text_create(const char *text, struct webhook *w, struct problems *p)
{
	json_t *j = webhook_text_load(text);
	problems_init(p);
	webhook_init(w);
	int r = webhook_from_json(j, &webhook_text_rules, w, p);
	json_decref(j);
	return r;
}

int webhook_text_merge(const char *text, struct webhook *w, struct problems *p)
{
	json_t *j = webhook_text_load(text);
	problems_init(p);
	int r = webhook_merge_json(j, &webhook_text_rules, w, p);
	json_decref(j);
	return r;
}

void webhook_text_must_create(const char *text, struct webhook *w)
{
	struct problems p;
	int r = webhook_text_create(text, w, &p);
	if (r != 0)
		fail_msg("refused: %s: %s %s", text, p.count ? p.items[0].pointer : "",
				p.count ? p.items[0].detail : "");
	problems_fini(&p);
}

void webhook_text_must_merge(const char *text, struct webhook *w)
{
	struct problems p;
	int r = webhook_text_merge(text, w, &p);
	if (r != 0)
		fail_msg("refused: %s: %s %s", text, p.count ? p.items[0].pointer : "",
				p.count ? p.items[0].detail : "");
	problems_fini(&p);
}

char *webhook_text_of(const struct webhook *w)
{
	json_t *j = webhook_to_json(w);
	assert_non_null(j);
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

void webhook_text_assert_settings(const struct webhook *w, const char *want)
{
	struct ch_buf b;
	ch_buf_init(&b, 1 << 20);
	assert_int_equal(webhook_settings_write(w, &b), 0);
	assert_string_equal(ch_buf_text(&b), want);
	ch_buf_fini(&b);
}
