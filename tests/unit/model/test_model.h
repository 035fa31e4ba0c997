/* tests/unit/model/test_model.h - what the tests of model/ share.
 *
 * Role:      one entry for each file's group of tests (each returns how many failed), and a codec
 *            with all that a call of it needs.
 */
#ifndef CH_TEST_MODEL_H
#define CH_TEST_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/call_codec.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TEST_NOW_S 1722350700 /* 2024-07-30T14:45:00Z */

int address_tests(void);
int call_tests(void);
int call_codec_tests(void);
int call_limits_tests(void);
int call_number_tests(void);
int call_order_tests(void);
int call_refused_tests(void);
int delivery_tests(void);
int id_tests(void);
int ops_event_tests(void);
int problems_tests(void);
int url_tests(void);
int webhook_store_tests(void);
int webhook_tests(void);

/* One use of the codec and what came of it. */
struct codec_run {
	struct call_codec *codec;
	struct ch_buf out;
	struct call_facts facts;
	struct problems problems;
	int rc;
};

void codec_run_init(struct codec_run *r, size_t max_bytes);
void codec_run_fini(struct codec_run *r);
/* Forgets the problems of the last record and runs this one; r->rc says how it went. */
void codec_run_record(struct codec_run *r, const char *json, size_t len, const struct id *path_id);
/* The same for text, without a path id. */
void codec_run_text(struct codec_run *r, const char *json);
/* {"id":…,"agentId":…,"type":"INBOUND","status":"COMPLETED" and, when rest is not empty, a comma and
 * rest, and a brace. The caller frees it with ch_free. */
char *codec_record_with(const char *rest);
/* The canonical body's member of that key, up to the next key: checks that it is there. */
void codec_assert_has(const struct codec_run *r, const char *text);

#endif
