/* An import's body: whatever the lines are, each that is not blank gets one answer, in order, as JSON; a line
 * that was acknowledged can be read back; and the ledger adds up. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../unit/api/api_rig.h"
#include "base/assert.h"

#define RUNS_A_RIG 500 /* then the store is begun anew, so that it stays small */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct api_rig *rig_now(void)
{
	static struct api_rig *rig;
	static int runs;
	void *state = NULL;

	if (rig && ++runs < RUNS_A_RIG)
		return rig;
	runs = 0;
	if (rig) {
		state = rig;
		api_rig_teardown(&state);
	}
	CH_ASSERT(api_rig_setup(&state) == 0);
	rig = state;
	rig->log.level = CH_LOG_ERROR;
	json_decref(api_json(rig, "POST", "/v1/webhooks", "{\"url\":\"https://example.com/h\"}", 201));
	return rig;
}

static int count_lines(const char *text, size_t len)
{
	int count = 0;
	for (size_t at = 0; at < len;) {
		const char *lf = memchr(text + at, '\n', len - at);
		size_t n = lf ? (size_t)(lf - text) - at : len - at;
		size_t used = n;
		while (used > 0 && strchr(" \t\r", text[at + used - 1]) && text[at + used - 1])
			used--;
		count += used > 0;
		at += n + 1;
	}
	return count;
}

static void check_stored(struct api_rig *rig, const char *id)
{
	char path[80];
	snprintf(path, sizeof(path), "/v1/calls/%s", id);
	json_t *call = api_json(rig, "GET", path, NULL, 200);
	CH_ASSERT(strcmp(json_text(call, "id"), id) == 0);
	json_decref(call);
}

static void check_answer(struct api_rig *rig, const char *text, size_t len, int *lines, json_int_t *last)
{
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	json_int_t line = json_integer_value(json_object_get(json, "line"));
	json_int_t status = json_integer_value(json_object_get(json, "status"));

	CH_ASSERT(json != NULL && line > *last && status >= 200 && status < 500);
	CH_ASSERT(status < 300 || json_is_string(json_object_get(json, "title")));
	if (status < 300)
		check_stored(rig, json_text(json, "id"));
	*last = line;
	++*lines;
	json_decref(json);
}

static void check_ledger(struct api_rig *rig)
{
	struct store_request r;
	store_request_init(&r, STORE_LEDGER, NULL, NULL);
	api_rig_store(rig, &r);
	const struct ledger *l = &r.u.ledger.out.ledger;
	CH_ASSERT(r.result == 0 &&
			l->accepted == l->pending + l->delivered + l->failed + l->parked + l->canceled);
	store_request_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_rig *rig = rig_now();
	struct ch_buf text;
	int lines = 0;
	json_int_t last = 0;

	ch_buf_init(&text, SIZE_MAX);
	ch_buf_addf(&text,
			"POST /v1/calls/import HTTP/1.1\r\nHost: x\r\n" KEY_A
			"Content-Type: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n",
			size);
	ch_buf_add(&text, data, size);
	struct answer a = rig_ask(&rig->rig, text.data, text.len);
	CH_ASSERT(a.status == 200 && a.body);
	for (const char *p = a.body; p < a.body + a.body_len;) {
		const char *lf = memchr(p, '\n', (size_t)(a.body + a.body_len - p));
		CH_ASSERT(lf);
		check_answer(rig, p, (size_t)(lf - p), &lines, &last);
		p = lf + 1;
	}
	CH_ASSERT(lines == count_lines((const char *)data, size));
	check_ledger(rig);
	answer_fini(&a);
	ch_buf_fini(&text);
	return 0;
}
