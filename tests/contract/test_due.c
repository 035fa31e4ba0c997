#include "contract.h"
#include "store/due.h"

#define NODES 500

struct node {
	struct due_node due;
	bool is_in;
};

static int compare(const struct due_node *a, const struct due_node *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms ? -1 : 1;
	return id_compare(&a->id, &b->id);
}

static size_t count_in(const struct node *nodes)
{
	size_t count = 0;

	for (int i = 0; i < NODES; i++)
		count += nodes[i].is_in;
	return count;
}

/* All that are in come by, ascending. */
static void assert_ordered(const struct due_set *s, const struct node *nodes)
{
	const struct due_node *before = NULL;
	size_t count = 0;

	for (struct due_node *n = due_first(s); n != NULL; n = due_after(s, n)) {
		assert_true(CH_CONTAINER_OF(n, struct node, due)->is_in);
		if (before != NULL)
			assert_true(compare(before, n) < 0);
		before = n;
		count++;
	}
	assert_int_equal(count, s->len);
	assert_int_equal(count, count_in(nodes));
}

static int depth(const struct due_node *n)
{
	int left, right;

	if (n == NULL)
		return 0;
	left = depth(n->left);
	right = depth(n->right);
	return 1 + (left > right ? left : right);
}

static void order_holds_through_changes(void **state)
{
	struct node *nodes = calloc(NODES, sizeof(*nodes));
	struct due_set set = {0};
	struct ch_rand_seeded seeded;
	struct ch_rand rand;

	ch_rand_seeded_init(&seeded, 3);
	rand = ch_rand_seeded_of(&seeded);
	for (int step = 0; step < 4000; step++) {
		unsigned at = (unsigned)ch_rand_below(&rand, NODES);
		struct id id = id_of('d', at);

		if (nodes[at].is_in)
			due_remove(&set, &nodes[at].due);
		else
			due_insert(&set, &nodes[at].due, (int64_t)ch_rand_below(&rand, 40), &id);
		nodes[at].is_in = !nodes[at].is_in;
		if (step % 50 == 0)
			assert_ordered(&set, nodes);
	}
	assert_ordered(&set, nodes);
	free(nodes);
}

/* Ids that count up and one due time: the worst order there is for a plain tree. */
static void a_tree_of_many_stays_flat(void **state)
{
	enum { MANY = 100000 };
	struct due_node *nodes = calloc(MANY, sizeof(*nodes));
	struct due_set set = {0};

	for (unsigned i = 0; i < MANY; i++) {
		struct id id = id_of('d', i);

		due_insert(&set, &nodes[i], 5, &id);
	}
	assert_int_equal(set.len, MANY);
	assert_true(depth(set.root) < 60);
	assert_ptr_equal(due_first(&set), &nodes[0]);
	assert_ptr_equal(due_after(&set, &nodes[77]), &nodes[78]);
	assert_null(due_after(&set, &nodes[MANY - 1]));
	free(nodes);
}

int test_due(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test(order_holds_through_changes),
			cmocka_unit_test(a_tree_of_many_stays_flat),
	};

	return cmocka_run_group_tests_name("due", tests, NULL, NULL);
}
