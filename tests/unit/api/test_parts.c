#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth.h"
#include "api/cursor.h"
#include "api/etag.h"
#include "api/media_type.h"
#include "api/problem.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/crypto.h"
#include "groups.h"
#include "rig.h"

/* ---- query ---- */

static const char *const NAMES[] = {"from", "size", "q", NULL};

static void good_queries_are_read(void **state)
{
	static const struct {
		const char *raw, *from, *size, *q;
	} cases[] = {
			{"", NULL, NULL, NULL},
			{"from=a", "a", NULL, NULL},
			{"size=1&from=%41%2b+b", "A+ b", "1", NULL},
			{"q=", NULL, NULL, ""},
			{"q=a=b", NULL, NULL, "a=b"},
			{"%71=%C3%A9", NULL, NULL, "\xc3\xa9"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problems problems;
		struct query q;
		const char *want[] = {cases[i].from, cases[i].size, cases[i].q};
		problems_init(&problems);
		assert_int_equal(query_parse(cases[i].raw, NAMES, &q, &problems), 0);
		for (int k = 0; k < 3; k++) {
			const char *got = query_get(&q, NAMES[k]);
			if (want[k])
				assert_string_equal(got, want[k]);
			else
				assert_null(got);
		}
		query_fini(&q);
	}
}

static void bad_queries_are_named(void **state)
{
	static const struct {
		const char *raw;
		size_t problems;
		const char *words;
	} cases[] = {
			{"x=1", 1, "\"x\" is not known"},
			{"From=1", 1, "\"From\""},
			{"from=1&from=1", 1, "\"from\" is there more than once"},
			{"from", 1, "\"from\" has no value"},
			{"from=%", 1, "malformed"},
			{"from=%4", 1, "malformed"},
			{"from=%zz", 1, "malformed"},
			{"from=%00", 1, "malformed"},
			{"from=%0a", 1, "malformed"},
			{"from=%ff", 1, "malformed"},
			{"from=%c3", 1, "malformed"},
			{"from=%ed%a0%80", 1, "malformed"},
			{"&", 2, "malformed"},
			{"=1", 1, "malformed"},
			{"from=1&", 1, "malformed"},
			{"a=1&b=2&size=%", 3, "\"a\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problems problems;
		struct query q;
		problems_init(&problems);
		assert_int_equal(query_parse(cases[i].raw, NAMES, &q, &problems), CH_EINVAL);
		assert_int_equal(problems.count, cases[i].problems);
		if (!strstr(problems.items[0].detail, cases[i].words))
			fail_msg("%s: %s", cases[i].raw, problems.items[0].detail);
		assert_null(q.buf);
		problems_fini(&problems);
	}
}

/* ---- problem ---- */

static void problems_are_written_as_rfc_9457(void **state)
{
	struct problems problems;
	struct ch_buf out;

	problems_init(&problems);
	problems_add(&problems, "/a\"b", "must be \\ or \x01");
	problems_add(&problems, "", "second");
	ch_buf_init(&out, 10000);
	problem_write(&out, 400, "because \xff of\n", &problems);
	assert_string_equal(out.data,
			"{\"type\":\"about:blank\",\"status\":400,\"title\":\"Bad "
			"Request\",\"detail\":\"because "
			"\xef\xbf\xbd of\\n\",\"errors\":[{\"pointer\":\"/a\\\"b\",\"detail\":\"must be \\\\ "
			"or \\u0001\"},"
			"{\"pointer\":\"\",\"detail\":\"second\"}]}");
	ch_buf_clear(&out);
	problem_write(&out, 404, NULL, NULL);
	assert_string_equal(out.data, "{\"type\":\"about:blank\",\"status\":404,\"title\":\"Not Found\"}");
	problems_fini(&problems);
	ch_buf_fini(&out);
}

/* ---- etag ---- */

static const uint8_t seal_key[CH_SEAL_KEY_BYTES] = {1};

#define TAG "0123456789abcdef0123456789abcdef"

static void entity_tags_are_read(void **state)
{
	static const struct {
		const char *text;
		bool weak;
		int rc;
		bool any, has;
		size_t seen, count;
	} cases[] = {
			{"*", false, 0, true, true, 0, 0},
			{"\"" TAG "\"", false, 0, false, true, 1, 1},
			{"\"a\" , \"" TAG "\",", false, 0, false, true, 2, 1},
			{"\"\"", false, 0, false, false, 1, 0},
			{"W/\"" TAG "\"", false, 0, false, false, 1, 0},
			{"W/\"" TAG "\"", true, 0, false, true, 1, 1},
			{"\"0123456789ABCDEF0123456789abcdef\"", false, 0, false, false, 1, 0},
			{"\"a,b\"", false, 0, false, false, 1, 0},
			{"", false, CH_EINVAL, false, false, 0, 0},
			{",", false, CH_EINVAL, false, false, 0, 0},
			{TAG, false, CH_EINVAL, false, false, 0, 0},
			{"\"" TAG, false, CH_EINVAL, false, false, 0, 0},
			{"\"a b\"", false, CH_EINVAL, false, false, 0, 0},
			{"w/\"a\"", false, CH_EINVAL, false, false, 0, 0},
			{"\"a\" \"b\"", false, CH_EINVAL, false, false, 0, 0},
			{"*, \"a\"", false, CH_EINVAL, false, false, 0, 0},
	};
	uint8_t sha256[CH_SHA256_BYTES] = {0};
	assert_int_equal(ch_unhex(TAG, 32, sha256), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct etag_list l = {0};
		int rc = etag_parse(cases[i].text, cases[i].weak, &l);
		if (rc != cases[i].rc || l.is_any != cases[i].any || l.seen != cases[i].seen ||
				l.count != cases[i].count || etag_has(&l, sha256) != cases[i].has)
			fail_msg("%s: rc %d, seen %zu, count %zu", cases[i].text, rc, l.seen, l.count);
	}
	char text[ETAG_TEXT_MAX];
	etag_format(sha256, text);
	assert_string_equal(text, "\"" TAG "\"");
}

static void too_many_entity_tags_are_refused(void **state)
{
	char text[40 * (STORE_IF_MATCH_MAX + 1)] = "";
	struct etag_list l;
	for (int i = 0; i < STORE_IF_MATCH_MAX; i++)
		memcpy(text + strlen(text), "\"" TAG "\",", 36);
	assert_int_equal(etag_parse(text, false, &l), 0);
	memcpy(text + strlen(text), "\"" TAG "\",", 36);
	assert_int_equal(etag_parse(text, false, &l), CH_ELIMIT);
}

/* ---- media type ---- */

static void content_types_are_compared(void **state)
{
	static const struct {
		const char *value;
		bool is;
	} cases[] = {
			{"application/json", true},
			{"Application/JSON; charset=UTF-8", true},
			{"application/json;charset=\"utf-8\"", true},
			{"application/json ; charset=utf-8 ", true},
			{NULL, false},
			{"", false},
			{"application/jsonx", false},
			{"application/json; charset=latin1", false},
			{"application/json; charset=utf-8x", false},
			{"application/json; charset=\"utf-8", false},
			{"application/json;", false},
			{"text/json", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(media_type_is(cases[i].value, "application/json"), cases[i].is);
}

/* ---- cursor ---- */

static void cursors_come_back(void **state)
{
	struct ch_rand_seeded seed;
	struct ch_rand rand = ch_rand_seeded_of(&seed);
	ch_rand_seeded_init(&seed, 7);
	for (int i = 0; i < 200; i++) {
		struct id id;
		struct id back;
		char text[CURSOR_TEXT_LEN + 1];
		ch_rand_fill(&rand, &id, sizeof(id));
		cursor_format(&id, text);
		assert_null(strpbrk(text, "+/=%&"));
		assert_int_equal(cursor_parse(text, &back), 0);
		assert_true(id_equal(&id, &back));
	}
}

static void foreign_cursors_are_refused(void **state)
{
	static const char *const cases[] = {"", "a", "AAAAAAAAAAAAAAAAAAAAAB",
			"AAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAA+A", "AAAAAAAAAAAAAAAAAAAAAAA",
			"AAAAAAAAAAA AAAAAAAAAA"};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct id id;
		assert_int_equal(cursor_parse(cases[i], &id), CH_EINVAL);
	}
}

/* ---- routes ---- */

static void routes_are_found(void **state)
{
	static const struct {
		const char *method, *path, *pattern;
		bool has_path;
		const char *allow;
	} cases[] = {
			{"PUT", "/v1/calls/abc", "/v1/calls/{id}", true, "PUT, GET, HEAD, DELETE"},
			{"GET", "/v1/calls/abc", "/v1/calls/{id}", true, "PUT, GET, HEAD, DELETE"},
			{"POST", "/v1/calls/import", "/v1/calls/import", true, "POST"},
			{"GET", "/v1/calls/import", NULL, true, "POST"},
			{"POST", "/v1/calls/abc", NULL, true, "PUT, GET, HEAD, DELETE"},
			{"GET", "/v1/calls/", NULL, false, ""},
			{"GET", "/v1/calls/a/b", NULL, false, ""},
			{"GET", "/v1/calls//", NULL, false, ""},
			{"POST", "/v1/webhooks/x/secret", "/v1/webhooks/{id}/secret", true, "POST, DELETE"},
			{"POST", "/v1/webhooks//secret", NULL, false, ""},
			{"GET", "/healthz", "/healthz", true, "GET, HEAD"},
			{"GET", "/healthz/", NULL, false, ""},
			{"GET", "/", "/", true, "GET, HEAD"},
			{"GET", "/assets/", NULL, false, ""},
			{"get", "/healthz", NULL, true, "GET, HEAD"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct route_match m = route_find(cases[i].method, cases[i].path);
		struct ch_buf allow;
		ch_buf_init(&allow, 1000);
		route_allow(cases[i].path, &allow);
		assert_int_equal(m.has_path, cases[i].has_path);
		assert_string_equal(ch_buf_text(&allow), cases[i].allow);
		if (cases[i].pattern)
			assert_string_equal(m.route->pattern, cases[i].pattern);
		else
			assert_null(m.route);
		ch_buf_fini(&allow);
	}
}

static void every_route_of_an_account_asks_for_a_scope(void **state)
{
	for (size_t i = 0; i < api_route_count; i++) {
		const struct route *r = &api_routes[i];
		bool is_v1 = strncmp(r->pattern, "/v1/", 4) == 0;
		assert_int_equal(r->caller != ROUTE_OPEN, is_v1);
		assert_true(r->scope != SCOPE_NONE || r->caller != ROUTE_ACCOUNT);
		assert_true(r->scope == SCOPE_NONE || r->caller == ROUTE_ACCOUNT || r->caller == ROUTE_OWNER);
		assert_non_null(r->handle);
		assert_int_equal(r->body == ROUTE_NO_BODY, r->limit == ROUTE_LIMIT_NONE);
		assert_ptr_equal(route_find(r->method, r->pattern).route, r);
	}
}

/* ---- auth ---- */

static struct accounts_registry *registry_of(const struct account *accounts, size_t count)
{
	struct ch_rand rand = ch_rand_system();
	struct accounts_registry *all;

	assert_int_equal(accounts_create(&rand, &all), 0);
	for (size_t i = 0; i < count; i++) {
		const struct account *made;
		assert_int_equal(accounts_prepare(&accounts[i], &made), 0);
		assert_int_equal(accounts_add(all, made, accounts[i].number), 0);
		accounts_unref(&made);
	}
	return all;
}

static void callers_are_told_apart(void **state)
{
	struct account accounts[2] = {{.number = 1, .id = "default"}, {.number = 2, .id = "b"}};
	struct auth auth;
	ch_sha256("a1", 2, accounts[0].key_sha256[0]);
	ch_sha256("a2", 2, accounts[0].key_sha256[1]);
	ch_sha256("b1", 2, accounts[1].key_sha256[0]);
	static const struct {
		const char *key, *authorization, *account;
		bool twice;
		int status;
		int64_t number;
		bool is_operator;
	} cases[] = {
			{NULL, NULL, NULL, false, 401, 0, false},
			{"a1", NULL, NULL, false, 0, 1, false},
			{"a2", NULL, NULL, false, 0, 1, false},
			{"b1", NULL, NULL, false, 0, 2, false},
			{"", NULL, NULL, false, 401, 0, false},
			{"b2", NULL, NULL, false, 401, 0, false},
			{"a1", NULL, "default", false, 0, 1, false},
			{"a1", NULL, "b", false, 400, 0, false},
			{"a1", NULL, "nobody", false, 400, 0, false},
			{NULL, NULL, "b", false, 401, 0, false},
			{NULL, "Bearer op", NULL, false, 0, 1, true},
			{NULL, "bearer  op", "b", false, 0, 2, true},
			{NULL, "Bearer op", "nobody", false, 404, 0, false},
			{NULL, "Bearer op ", NULL, false, 401, 0, false},
			{NULL, "Bearer ", NULL, false, 401, 0, false},
			{NULL, "Bearer a1", NULL, false, 401, 0, false},
			{NULL, "Basic op", NULL, false, 401, 0, false},
			{NULL, "op", NULL, false, 401, 0, false},
			{"a1", "Bearer op", NULL, false, 0, 1, true},
			{"b1", "Bearer op", "default", false, 400, 0, false},
			{"a1", "Bearer no", NULL, false, 401, 0, false},
			{"no", "Bearer op", NULL, false, 401, 0, false},
			{"a1", NULL, NULL, true, 400, 0, false},
	};
	struct accounts_registry *all = registry_of(accounts, 2);
	assert_int_equal(auth_init(&auth, &(struct auth_conf){all, ch_clock_system(), "op", seal_key, NULL}),
			0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct auth_credentials c = {.api_key = cases[i].key,
				.authorization = cases[i].authorization,
				.account_id = cases[i].account,
				.has_duplicates = cases[i].twice};
		struct auth_caller caller = {0};
		const char *detail = NULL;
		int status = auth_check(&auth, &c, &caller, &detail);
		if (status != cases[i].status)
			fail_msg("case %zu: %d", i, status);
		assert_int_equal(status == 0, detail == NULL);
		if (status == 0) {
			assert_int_equal(caller.account->number, cases[i].number);
			assert_int_equal(caller.is_operator, cases[i].is_operator);
			assert_int_equal(caller.scopes, SCOPE_ALL);
		}
		auth_caller_fini(&caller);
	}
	accounts_destroy(&all);
}

static void without_an_operator_token_none_is_accepted(void **state)
{
	struct account account = {.number = 1, .id = "default"};
	struct accounts_registry *all = registry_of(&account, 1);
	static const char *const tokens[] = {NULL, ""};
	for (int i = 0; i < 2; i++) {
		struct auth auth;
		struct auth_caller caller;
		const char *detail;
		assert_int_equal(auth_init(&auth, &(struct auth_conf){all, ch_clock_system(), tokens[i],
								  seal_key, NULL}),
				0);
		assert_int_equal(auth_check(&auth, &(struct auth_credentials){.authorization = "Bearer "},
						 &caller, &detail),
				401);
	}
	accounts_destroy(&all);
}

int group_parts(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(good_queries_are_read),
			cmocka_unit_test(bad_queries_are_named),
			cmocka_unit_test(problems_are_written_as_rfc_9457),
			cmocka_unit_test(entity_tags_are_read),
			cmocka_unit_test(too_many_entity_tags_are_refused),
			cmocka_unit_test(content_types_are_compared),
			cmocka_unit_test(cursors_come_back),
			cmocka_unit_test(foreign_cursors_are_refused),
			cmocka_unit_test(routes_are_found),
			cmocka_unit_test(every_route_of_an_account_asks_for_a_scope),
			cmocka_unit_test(callers_are_told_apart),
			cmocka_unit_test(without_an_operator_token_none_is_accepted),
	};
	return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
