/* A webhook's settings as JSON: made from, merged with, and read back from the store. What is refused changes
 * nothing and has a reason; what is taken is written as JSON that makes the same webhook. The first byte
 * chooses. */
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "model/webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct address_policy strict = {NULL, 0};
static const struct url_rules rules = {true, &strict};
static const char start[] = "{\"url\":\"https://example.com/hook\",\"name\":\"n\",\"timeout\":7,"
			    "\"headers\":{\"X-A\":\"1\"},\"rateLimit\":{\"count\":5,\"seconds\":10}}";

static char *text_of(const struct webhook *w)
{
	json_t *json = webhook_to_json(w);
	CH_ASSERT(json != NULL);
	char *text = json_dumps(json, JSON_COMPACT);
	CH_ASSERT(text != NULL);
	json_decref(json);
	return text;
}

static void must_make(const char *text, size_t len, struct webhook *w)
{
	struct problems problems;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	CH_ASSERT(json != NULL);
	/* What the answer adds is not taken back. */
	json_object_del(json, "id");
	json_object_del(json, "created");
	json_object_del(json, "secured");
	problems_init(&problems);
	webhook_init(w);
	CH_ASSERT(webhook_from_json(json, &rules, w, &problems) == 0);
	problems_fini(&problems);
	json_decref(json);
}

/* Out and in again by both doors. */
static void check_taken(const struct webhook *w)
{
	char *text = text_of(w);
	struct webhook again;
	struct ch_buf settings;
	must_make(text, strlen(text), &again);
	again.created_ms = w->created_ms;
	char *second = text_of(&again);
	CH_ASSERT(strcmp(text, second) == 0);
	ch_buf_init(&settings, 1 << 20);
	CH_ASSERT(webhook_settings_write(w, &settings) == 0);
	CH_ASSERT(webhook_settings_read(settings.data, settings.len, &again) == 0);
	char *third = text_of(&again);
	CH_ASSERT(strcmp(text, third) == 0);
	CH_ASSERT(w->statuses != 0 && w->timeout_s >= 1 && w->timeout_s <= 60 && w->concurrency >= 1 &&
			w->concurrency <= 512 && w->header_count <= WEBHOOK_HEADERS_MAX);
	CH_ASSERT(!webhook_wants(w, CALL_IN_PROGRESS, &w->id));
	for (size_t i = 1; i < w->agent_count; i++)
		CH_ASSERT(id_compare(&w->agent_ids[i - 1], &w->agent_ids[i]) < 0);
	ch_buf_fini(&settings);
	webhook_fini(&again);
	free(third);
	free(second);
	free(text);
}

static void run_json(bool is_merge, const char *text, size_t len)
{
	struct webhook w;
	struct problems problems;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (json == NULL)
		return;
	must_make(start, sizeof(start) - 1, &w);
	char *before = text_of(&w);
	problems_init(&problems);
	int rc = is_merge ? webhook_merge_json(json, &rules, &w, &problems)
			  : webhook_from_json(json, &rules, &w, &problems);
	char *after = text_of(&w);
	CH_ASSERT(rc == 0 || (rc == CH_EINVAL && problems.count > 0 && strcmp(before, after) == 0));
	CH_ASSERT(rc != 0 || problems.count == 0);
	for (size_t i = 0; i < problems.count; i++) {
		json_t *shown = json_string(problems.items[i].detail);
		CH_ASSERT(shown != NULL && problems.items[i].detail[0] != '\0');
		json_decref(shown);
	}
	if (rc == 0)
		check_taken(&w);
	problems_fini(&problems);
	free(before);
	free(after);
	webhook_fini(&w);
	json_decref(json);
}

static void run_settings(const char *text, size_t len)
{
	struct webhook w;
	must_make(start, sizeof(start) - 1, &w);
	char *before = text_of(&w);
	int rc = webhook_settings_read(text, len, &w);
	char *after = text_of(&w);
	CH_ASSERT(rc == 0 || (rc == CH_EINVAL && strcmp(before, after) == 0));
	/* Header names of old may be reserved by now: those alone are not to be made anew. */
	if (rc == 0) {
		struct ch_buf settings;
		ch_buf_init(&settings, 1 << 20);
		CH_ASSERT(webhook_settings_write(&w, &settings) == 0);
		CH_ASSERT(webhook_settings_read(settings.data, settings.len, &w) == 0);
		char *again = text_of(&w);
		CH_ASSERT(strcmp(after, again) == 0);
		free(again);
		ch_buf_fini(&settings);
	}
	free(before);
	free(after);
	webhook_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *text = (const char *)data + 1;
	if (data[0] % 3 == 2)
		run_settings(text, size - 1);
	else
		run_json(data[0] % 3 == 1, text, size - 1);
	return 0;
}
