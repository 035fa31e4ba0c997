#include "test_engine.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/rotation.h"
#include "policy/sign.h"
#include "test_engine_rig.h"

#define NEXT_SECRET "whsec_TmV4dCBzZWNyZXQgd2l0aCAzMiBieXRlcyBoZXJlISE="
#define BODY "{\"pad\":\"xxxxxxx\",\"created\":\"2024-07-30T14:35:00Z\"}"

static int setup(void **state)
{
	struct rig *r = ch_calloc(1, sizeof(*r));
	rig_open(r);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;
	rig_close(r);
	ch_free(r);
	return 0;
}

/* Webhook 0 with both secrets; the overlap began just now. */
static void rotating(struct rig *r, int64_t overlap_s)
{
	struct webhook w;
	rig_hook_init(r, &w, 0);
	rig_seal(r, &w, NEXT_SECRET);
	w.next_sealed = w.secret_sealed;
	w.next_sealed_len = w.secret_sealed_len;
	w.secret_sealed = NULL;
	rig_seal(r, &w, RIG_SECRET);
	rotation_begin(&w, RIG_NOW_MS, overlap_s);
	rig_hook_create(r, &w);
	rig_start(r);
}

struct signatures {
	char hex[SIGN_HEX_LEN + 1], standard[SIGN_STD_LEN + 1];
};

static struct signatures sign(const struct rig_send *s, const char *secret)
{
	struct signatures out;
	struct sign_key key;
	char id[ID_TEXT_LEN + 1];
	long long timestamp = 0;
	assert_int_equal(sscanf(rig_header(s, "webhook-timestamp: "), "webhook-timestamp: %lld", &timestamp),
			1);
	id_format(&s->delivery, id);
	assert_int_equal(sign_key_init(&key, secret, strlen(secret), NULL), 0);
	sign_body_hex(&key, BODY, strlen(BODY), out.hex);
	sign_body_standard(&key, id, timestamp, BODY, strlen(BODY), out.standard);
	sign_key_fini(&key);
	return out;
}

static void assert_line(const struct rig_send *s, const char *line)
{
	const char *at = rig_header(s, line);
	if (!at || at[strlen(line)] != '\n')
		fail_msg("no line '%s' in:\n%s", line, s->headers);
}

static void assert_both(const struct rig_send *s)
{
	char line[300];
	struct signatures old = sign(s, RIG_SECRET), next = sign(s, NEXT_SECRET);
	snprintf(line, sizeof(line), "X-Webhook-Signature: %s", old.hex);
	assert_line(s, line);
	snprintf(line, sizeof(line), "X-Webhook-Signature-Next: %s", next.hex);
	assert_line(s, line);
	snprintf(line, sizeof(line), "webhook-signature: %s %s", old.standard, next.standard);
	assert_line(s, line);
}

static void assert_next_only(const struct rig_send *s)
{
	char line[300];
	struct signatures next = sign(s, NEXT_SECRET);
	snprintf(line, sizeof(line), "X-Webhook-Signature: %s", next.hex);
	assert_line(s, line);
	snprintf(line, sizeof(line), "webhook-signature: %s", next.standard);
	assert_line(s, line);
	assert_null(rig_header(s, "X-Webhook-Signature-Next"));
}

static void assert_stored(struct rig *r, bool is_rotating)
{
	struct store_request q;
	store_request_init(&q, STORE_WEBHOOK_GET, NULL, NULL);
	q.u.webhook_get.in.account = 1;
	q.u.webhook_get.in.id = rig_hook_id(0);
	r->fault->ops->read(r->reader, &q);
	assert_int_equal(q.result, 0);
	assert_int_equal(q.u.webhook_get.out.row.webhook.next_sealed != NULL, is_rotating);
	assert_non_null(q.u.webhook_get.out.row.webhook.secret_sealed);
	store_request_fini(&q);
}

static void both_secrets_sign_until_the_very_end(void **state)
{
	struct rig *r = *state;
	rotating(r, 10);
	rig_put(r, 0, 1);
	rig_run(r);
	assert_both(&r->sends[0]);
	rig_advance(r, 9999 - (ch_clock_wall(&r->conf.clock).ms - RIG_NOW_MS));
	rig_put(r, 0, 1);
	rig_run(r);
	assert_int_equal(r->send_count, 2);
	assert_both(&r->sends[1]);
	assert_stored(r, true);
	rig_advance(r, 10000 - (ch_clock_wall(&r->conf.clock).ms - RIG_NOW_MS));
	rig_put(r, 0, 1);
	rig_run(r);
	assert_int_equal(r->send_count, 3);
	assert_next_only(&r->sends[2]);
	assert_stored(r, false);
}

static void after_a_restart_the_new_one_signs_alone(void **state)
{
	struct rig *r = *state;
	rotating(r, 10);
	rig_stop(r);
	ch_clock_virtual_advance(&r->clock, 20000);
	assert_stored(r, true);
	rig_start(r);
	rig_put(r, 0, 1);
	rig_run(r);
	assert_next_only(&r->sends[0]);
	assert_stored(r, false);
}

int engine_rotation_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					both_secrets_sign_until_the_very_end, setup, teardown),
			cmocka_unit_test_setup_teardown(
					after_a_restart_the_new_one_signs_alone, setup, teardown),
	};
	return cmocka_run_group_tests_name("engine_rotation", tests, NULL, NULL);
}
