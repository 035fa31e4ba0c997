#include "test_base.h"

#include "base/list.h"

struct item {
	int value;
	struct ch_list link;
};

static void fill(struct ch_list *head, struct item *items, int count)
{
	ch_list_init(head);
	for (int i = 0; i < count; i++) {
		items[i].value = i;
		ch_list_push_back(head, &items[i].link);
	}
}

static int digits_of(struct ch_list *head)
{
	int all = 0;
	CH_LIST_FOREACH (head, it, next)
		all = all * 10 + CH_CONTAINER_OF(it, struct item, link)->value + 1;
	return all;
}

static void test_order(void **state)
{
	struct ch_list head;
	struct item items[3];
	fill(&head, items, 3);
	assert_int_equal(digits_of(&head), 123);
	ch_list_unlink(&items[2].link);
	ch_list_push_front(&head, &items[2].link);
	assert_int_equal(digits_of(&head), 312);
	assert_ptr_equal(ch_list_pop_front(&head), &items[2].link);
	assert_int_equal(digits_of(&head), 12);
}

static void test_unlink_twice_is_harmless(void **state)
{
	struct ch_list head;
	struct item items[2];
	fill(&head, items, 2);
	assert_true(ch_list_is_linked(&items[0].link));
	ch_list_unlink(&items[0].link);
	ch_list_unlink(&items[0].link);
	assert_false(ch_list_is_linked(&items[0].link));
	assert_int_equal(digits_of(&head), 2);
}

static void test_unlink_while_walking(void **state)
{
	struct ch_list head;
	struct item items[5];
	fill(&head, items, 5);
	CH_LIST_FOREACH (&head, it, next)
		if (CH_CONTAINER_OF(it, struct item, link)->value % 2)
			ch_list_unlink(it);
	assert_int_equal(digits_of(&head), 135);
}

static void test_splice(void **state)
{
	struct ch_list a;
	struct ch_list b;
	struct item items[4];
	fill(&a, items, 2);
	fill(&b, items + 2, 2);
	ch_list_splice_back(&a, &b);
	assert_true(ch_list_is_empty(&b));
	assert_int_equal(digits_of(&a), 1212);
	ch_list_splice_back(&a, &b);
	assert_int_equal(digits_of(&a), 1212);
	ch_list_splice_back(&b, &a);
	assert_true(ch_list_is_empty(&a));
	assert_null(ch_list_pop_front(&a));
	assert_int_equal(digits_of(&b), 1212);
}

int run_list(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_order),
			cmocka_unit_test(test_unlink_twice_is_harmless),
			cmocka_unit_test(test_unlink_while_walking),
			cmocka_unit_test(test_splice),
	};
	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
