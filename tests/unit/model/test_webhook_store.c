#include "webhook_text.h"

#include <stdlib.h>
#include <string.h>

#include "../nth_alloc.h"
#include "base/alloc.h"
#include "base/err.h"

static void settings_come_back_from_the_store(void **state)
{
	struct webhook w, back;
	webhook_text_must_create(webhook_text_full, &w);
	webhook_text_must_create("{" URL ",\"headers\":{\"X-Old\":\"1\"}}", &back);
	assert_int_equal(webhook_settings_read(FULL_SETTINGS, strlen(FULL_SETTINGS), &back), 0);
	webhook_text_assert_settings(&back, FULL_SETTINGS);
	assert_true(back.enabled);
	/* A name that later became reserved must not make a stored webhook unreadable. */
	static const char old[] = "{\"headers\":{\"Upgrade\":\"x\"}}";
	assert_int_equal(webhook_settings_read(old, strlen(old), &back), 0);
	assert_string_equal(back.headers[0].name, "Upgrade");
	webhook_fini(&w);
	webhook_fini(&back);
}

static void damaged_settings_are_seen(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "null", "{\"timeout\":0}",
			"{\"rateLimit\":{\"count\":5}}", "{\"url\":\"https://a/\"}",
			"{\"timeout\":1,\"timeout\":2}", "{\"statuses\":[\"X\"]}",
			"{\"headers\":{\"a b\":\"c\"}}"};
	struct webhook w;
	webhook_text_must_create(webhook_text_full, &w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (webhook_settings_read(bad[i], strlen(bad[i]), &w) != CH_EINVAL)
			fail_msg("taken: %s", bad[i]);
		webhook_text_assert_settings(&w, FULL_SETTINGS);
	}
	webhook_fini(&w);
}

static void settings_write_respects_the_limit(void **state)
{
	struct webhook w;
	struct ch_buf b;
	webhook_text_must_create(webhook_text_full, &w);
	ch_buf_init(&b, 10);
	assert_int_equal(webhook_settings_write(&w, &b), CH_ELIMIT);
	ch_buf_fini(&b);
	webhook_fini(&w);
}

static void wants_asks_status_and_agent(void **state)
{
	struct webhook w;
	struct id a, b, c;
	assert_int_equal(id_parse(AGENT_A, 36, &a), 0);
	assert_int_equal(id_parse(AGENT_B, 36, &b), 0);
	assert_int_equal(id_parse("00000000-0000-4000-8000-00000000000c", 36, &c), 0);
	webhook_text_must_create(webhook_text_full, &w);
	assert_true(webhook_wants(&w, CALL_COMPLETED, &a));
	assert_true(webhook_wants(&w, CALL_NO_ANSWER, &b));
	assert_false(webhook_wants(&w, CALL_COMPLETED, &c));
	assert_false(webhook_wants(&w, CALL_FAILED, &a));
	assert_false(webhook_wants(&w, CALL_IN_PROGRESS, &a));
	webhook_text_must_merge("{\"agentIds\":[]}", &w);
	assert_true(webhook_wants(&w, CALL_COMPLETED, &c));
	webhook_fini(&w);
}

static void aad_is_account_and_id(void **state)
{
	static const uint8_t want[24] = {
			0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x0a};
	struct webhook w;
	uint8_t out[24];
	webhook_init(&w);
	w.account = 258;
	assert_int_equal(id_parse(AGENT_A, 36, &w.id), 0);
	webhook_seal_aad(&w, out);
	assert_memory_equal(out, want, 24);
}

static void copy_is_deep(void **state)
{
	struct webhook w, copy;
	webhook_text_must_create(webhook_text_full, &w);
	w.disabled_reason = ch_strdup("why");
	w.secret_sealed = (uint8_t *)ch_memdup0("\0\1\2", 3);
	w.secret_sealed_len = 3;
	assert_int_equal(webhook_copy(&w, &copy), 0);
	char *before = webhook_text_of(&w);
	webhook_fini(&w);
	char *after = webhook_text_of(&copy);
	assert_string_equal(after, before);
	assert_string_equal(copy.disabled_reason, "why");
	assert_memory_equal(copy.secret_sealed, "\0\1\2", 3);
	free(before);
	free(after);
	webhook_fini(&copy);
}

enum torture { TORTURE_CREATE, TORTURE_MERGE, TORTURE_COPY, TORTURE_TO_JSON, TORTURE_WRITE, TORTURE_READ };

static int torture_run(enum torture what, const json_t *json, struct webhook *w, struct problems *p)
{
	struct webhook copy;
	struct ch_buf b;
	int r;
	switch (what) {
	case TORTURE_CREATE:
		return webhook_from_json(json, &webhook_text_rules, w, p);
	case TORTURE_MERGE:
		return webhook_merge_json(json, &webhook_text_rules, w, p);
	case TORTURE_COPY:
		r = webhook_copy(w, &copy);
		if (r == 0)
			webhook_fini(&copy);
		return r;
	case TORTURE_TO_JSON: {
		json_t *j = webhook_to_json(w);
		json_decref(j);
		return j == NULL ? CH_ENOMEM : 0;
	}
	case TORTURE_WRITE:
		ch_buf_init(&b, 1 << 20);
		r = webhook_settings_write(w, &b);
		ch_buf_fini(&b);
		return r;
	case TORTURE_READ:
		return webhook_settings_read(FULL_SETTINGS, strlen(FULL_SETTINGS), w);
	}
	return 0;
}

static void every_allocation_may_fail(void **state)
{
	json_set_alloc_funcs(ch_alloc, ch_free);
	for (int what = TORTURE_CREATE; what <= TORTURE_READ; what++) {
		json_t *json = webhook_text_load(webhook_text_full);
		bool failed = true;
		for (struct nth_alloc n = {.fail_at = 1}; failed; n.fail_at++) {
			struct webhook w;
			struct problems p;
			webhook_text_must_create(webhook_text_full, &w);
			problems_init(&p);
			nth_alloc_begin(&n);
			int r = torture_run((enum torture)what, json, &w, &p);
			failed = nth_alloc_end(&n);
			assert_int_equal(r, failed ? CH_ENOMEM : 0);
			webhook_text_assert_settings(&w, FULL_SETTINGS);
			problems_fini(&p);
			webhook_fini(&w);
			assert_true(n.fail_at < 1000);
		}
		json_decref(json);
	}
	json_set_alloc_funcs(malloc, free);
}

int webhook_store_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(settings_come_back_from_the_store),
			cmocka_unit_test(damaged_settings_are_seen),
			cmocka_unit_test(settings_write_respects_the_limit),
			cmocka_unit_test(wants_asks_status_and_agent),
			cmocka_unit_test(aad_is_account_and_id),
			cmocka_unit_test(copy_is_deep),
			cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("webhook_store", tests, NULL, NULL);
}
