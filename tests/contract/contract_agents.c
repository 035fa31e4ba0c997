#include "contract.h"

static void name_agent(const struct bed *b, unsigned agent, const char *name)
{
	struct store_request r;

	store_request_init(&r, STORE_AGENT_NAME, NULL, NULL);
	r.u.agent_name.in.account = ACCOUNT;
	r.u.agent_name.in.id = id_of('a', agent);
	r.u.agent_name.in.name = name;
	assert_int_equal(serve_drop(b, &r), 0);
}

static void put(const struct bed *b, int64_t account, unsigned call, unsigned agent)
{
	struct call_spec spec = {.account = account, .call = call, .agent = agent, .status = CALL_COMPLETED};
	struct store_request r;

	ask_put(b, &r, &spec);
	assert_int_equal(serve_drop(b, &r), 0);
}

static void list(const struct bed *b, int64_t account, int64_t skip, size_t limit, struct store_request *r)
{
	store_request_init(r, STORE_AGENT_LIST, NULL, NULL);
	r->u.agent_list.in.account = account;
	r->u.agent_list.in.skip = skip;
	r->u.agent_list.in.limit = limit;
	assert_int_equal(serve(b, r), 0);
}

struct named {
	unsigned agent;
	const char *name; /* NULL: its id */
};

static void assert_agents(const struct bed *b, int64_t account, const struct named *wanted, size_t n)
{
	struct store_request r;

	list(b, account, 0, 100, &r);
	assert_int_equal(r.u.agent_list.out.total, n);
	assert_int_equal(r.u.agent_list.out.count, n);
	for (size_t i = 0; i < n; i++) {
		struct id id = id_of('a', wanted[i].agent);
		char text[ID_TEXT_LEN + 1];

		id_format(&id, text);
		assert_id_equal(&r.u.agent_list.out.rows[i].id, &id);
		assert_string_equal(r.u.agent_list.out.rows[i].name,
				wanted[i].name != NULL ? wanted[i].name : text);
	}
	store_request_fini(&r);
}

static void agents_are_those_of_the_calls(void **state)
{
	struct bed *b = *state;

	assert_agents(b, ACCOUNT, NULL, 0);
	put(b, ACCOUNT, 1, 2);
	put(b, ACCOUNT, 2, 1);
	put(b, ACCOUNT, 3, 2);
	put(b, OTHER_ACCOUNT, 4, 3);
	assert_agents(b, ACCOUNT, (struct named[]){{1, NULL}, {2, NULL}}, 2);
	assert_agents(b, OTHER_ACCOUNT, (struct named[]){{3, NULL}}, 1);
	put(b, ACCOUNT, 3, 4); /* a call that moves on leaves its agent known */
	assert_agents(b, ACCOUNT, (struct named[]){{1, NULL}, {2, NULL}, {4, NULL}}, 3);
}

static void names_are_set_and_taken_away(void **state)
{
	struct bed *b = *state;

	put(b, ACCOUNT, 1, 1);
	put(b, ACCOUNT, 2, 2);
	name_agent(b, 1, "zoe");
	name_agent(b, 3, "Anna");
	assert_agents(b, ACCOUNT, (struct named[]){{2, NULL}, {3, "Anna"}, {1, "zoe"}}, 3);
	name_agent(b, 1, "Bea");
	put(b, ACCOUNT, 3, 3);
	put(b, ACCOUNT, 4, 1);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	assert_agents(b, ACCOUNT, (struct named[]){{2, NULL}, {3, "Anna"}, {1, "Bea"}}, 3);
	name_agent(b, 3, NULL);
	assert_agents(b, ACCOUNT, (struct named[]){{2, NULL}, {3, NULL}, {1, "Bea"}}, 3);
	assert_agents(b, OTHER_ACCOUNT, NULL, 0);
}

static void a_name_alone_is_forgotten_with_it(void **state)
{
	struct bed *b = *state;

	name_agent(b, 9, NULL);
	assert_agents(b, ACCOUNT, NULL, 0);
	name_agent(b, 9, "Soon");
	assert_agents(b, ACCOUNT, (struct named[]){{9, "Soon"}}, 1);
	name_agent(b, 9, NULL);
	assert_agents(b, ACCOUNT, NULL, 0);
}

static void agents_come_in_pages(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	unsigned seen = 0;

	for (unsigned i = 0; i < 7; i++)
		put(b, ACCOUNT, i, i);
	for (int64_t skip = 0; skip < 9; skip += 3) {
		list(b, ACCOUNT, skip, 3, &r);
		assert_int_equal(r.u.agent_list.out.total, 7);
		for (size_t i = 0; i < r.u.agent_list.out.count; i++) {
			struct id id = id_of('a', seen++);

			assert_id_equal(&r.u.agent_list.out.rows[i].id, &id);
		}
		store_request_fini(&r);
	}
	assert_int_equal(seen, 7);
}

int contract_agents(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					agents_are_those_of_the_calls, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					names_are_set_and_taken_away, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_name_alone_is_forgotten_with_it, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(agents_come_in_pages, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("agents", tests, NULL, NULL);
}
