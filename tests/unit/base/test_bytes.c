#include "test_base.h"

#include <pthread.h>
#include <string.h>

#include "base/bytes.h"

#define THREADS 4
#define ROUNDS 20000

static void test_create_copies(void **state)
{
	char text[] = "a\0b";
	struct ch_bytes *b = ch_bytes_create(text, 3);
	assert_non_null(b);
	memset(text, 'x', sizeof(text));
	assert_int_equal(b->len, 3);
	assert_memory_equal(b->data, "a\0b", 4);
	ch_bytes_unref(&b);
	assert_null(b);
	ch_bytes_unref(&b);
	assert_null(ch_bytes_ref(NULL));
}

static void test_empty(void **state)
{
	struct ch_bytes *b = ch_bytes_create(NULL, 0);
	assert_int_equal(b->len, 0);
	assert_string_equal(b->data, "");
	ch_bytes_unref(&b);
}

static void test_last_reference_frees(void **state)
{
	struct ch_bytes *b = ch_bytes_create("x", 1);
	struct ch_bytes *c = ch_bytes_ref(b);
	assert_ptr_equal(b, c);
	ch_bytes_unref(&b);
	assert_int_equal(atomic_load(&c->refs), 1);
	assert_string_equal(c->data, "x");
	ch_bytes_unref(&c);
}

static void test_size_overflow(void **state)
{
	assert_null(ch_bytes_create("", SIZE_MAX));
	assert_null(ch_bytes_create("", SIZE_MAX - sizeof(struct ch_bytes)));
}

struct sharer {
	pthread_barrier_t *start;
	struct ch_bytes *mine;
	size_t sum;
};

static void *share(void *arg)
{
	struct sharer *s = arg;
	pthread_barrier_wait(s->start);
	for (int i = 0; i < ROUNDS; i++) {
		struct ch_bytes *again = ch_bytes_ref(s->mine);
		s->sum += (size_t)again->data[i % again->len];
		ch_bytes_unref(&again);
	}
	ch_bytes_unref(&s->mine);
	return NULL;
}

/* The creator lets go first: one of the threads frees, whichever is last. */
static void test_threads_share(void **state)
{
	pthread_barrier_t start;
	pthread_t threads[THREADS];
	struct sharer sharers[THREADS];
	struct ch_bytes *b = ch_bytes_create("0123456789", 10);
	pthread_barrier_init(&start, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		sharers[i] = (struct sharer){.start = &start, .mine = ch_bytes_ref(b)};
		assert_int_equal(pthread_create(&threads[i], NULL, share, &sharers[i]), 0);
	}
	pthread_barrier_wait(&start);
	ch_bytes_unref(&b);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_null(sharers[i].mine);
		assert_int_equal(sharers[i].sum, ROUNDS / 10 * ('0' * 10 + 45));
	}
	pthread_barrier_destroy(&start);
}

static void create_one(struct torture *t)
{
	struct ch_bytes *b = ch_bytes_create("x", 1);
	assert_true((b == NULL) == t->failed);
	ch_bytes_unref(&b);
}

static void test_torture(void **state)
{
	assert_int_equal(torture_run(create_one), 1);
}

int run_bytes(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_create_copies),
			cmocka_unit_test(test_empty),
			cmocka_unit_test(test_last_reference_frees),
			cmocka_unit_test(test_size_overflow),
			cmocka_unit_test(test_threads_share),
			cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
