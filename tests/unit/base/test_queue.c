#include "test_base.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/queue.h"

#define PRODUCERS 4
#define EACH 5000

struct message {
	struct ch_list link;
	int from;
	int number;
};

static bool is_readable(const struct ch_queue *q)
{
	struct pollfd p = {.fd = ch_queue_fd(q), .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

static void test_readable_while_items_wait(void **state)
{
	struct ch_queue q;
	struct ch_list got;
	struct ch_list nodes[3];
	ch_list_init(&got);
	assert_int_equal(ch_queue_init(&q, true, NULL), 0);
	int flags = fcntl(ch_queue_fd(&q), F_GETFL);
	assert_true(flags & O_NONBLOCK);
	assert_int_equal(fcntl(ch_queue_fd(&q), F_GETFD), FD_CLOEXEC);
	assert_false(is_readable(&q));
	for (int i = 0; i < 3; i++) {
		ch_queue_push(&q, &nodes[i]);
		assert_true(is_readable(&q));
	}
	assert_int_equal(ch_queue_take(&q, &got), 3);
	assert_false(is_readable(&q));
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(ch_list_pop_front(&got), &nodes[i]);
	assert_int_equal(ch_queue_take(&q, &got), 0);
	ch_queue_push(&q, &nodes[0]);
	assert_true(is_readable(&q));
	assert_int_equal(ch_queue_take_wait(&q, &got, -1), 1);
	assert_false(is_readable(&q));
	ch_queue_fini(&q);
}

static void test_push_all_is_one_wake_up(void **state)
{
	struct ch_queue q;
	struct ch_list batch;
	struct ch_list got;
	struct ch_list nodes[4];
	ch_list_init(&batch);
	ch_list_init(&got);
	assert_int_equal(ch_queue_init(&q, true, NULL), 0);
	ch_queue_push_all(&q, &batch);
	assert_false(is_readable(&q));
	for (int i = 1; i < 4; i++)
		ch_list_push_back(&batch, &nodes[i]);
	ch_queue_push(&q, &nodes[0]);
	ch_queue_push_all(&q, &batch);
	assert_true(ch_list_is_empty(&batch));
	uint64_t wake_ups = 0;
	assert_int_equal(read(ch_queue_fd(&q), &wake_ups, sizeof(wake_ups)), sizeof(wake_ups));
	assert_int_equal(wake_ups, 1);
	assert_int_equal(write(ch_queue_fd(&q), &wake_ups, sizeof(wake_ups)), sizeof(wake_ups));
	assert_int_equal(ch_queue_take(&q, &got), 4);
	assert_false(is_readable(&q));
	for (int i = 0; i < 4; i++)
		assert_ptr_equal(ch_list_pop_front(&got), &nodes[i]);
	ch_queue_fini(&q);
}

static void test_take_appends(void **state)
{
	struct ch_queue q;
	struct ch_list got;
	struct ch_list nodes[2];
	ch_list_init(&got);
	ch_list_push_back(&got, &nodes[0]);
	assert_int_equal(ch_queue_init(&q, false, NULL), 0);
	assert_int_equal(ch_queue_fd(&q), -1);
	ch_queue_push(&q, &nodes[1]);
	assert_int_equal(ch_queue_take(&q, &got), 1);
	assert_ptr_equal(ch_list_pop_front(&got), &nodes[0]);
	assert_ptr_equal(ch_list_pop_front(&got), &nodes[1]);
	ch_queue_fini(&q);
}

static void test_wait_gives_up(void **state)
{
	struct ch_queue q;
	struct ch_list got;
	ch_list_init(&got);
	assert_int_equal(ch_queue_init(&q, false, NULL), 0);
	assert_int_equal(ch_queue_take_wait(&q, &got, 0), 0);
	assert_int_equal(ch_queue_take_wait(&q, &got, 1), 0);
	assert_true(ch_list_is_empty(&got));
	ch_queue_fini(&q);
}

struct producer {
	struct ch_queue *q;
	pthread_barrier_t *start;
	struct message *messages; /* EACH */
};

/* Singly and in batches of three, in turn. */
static void *produce(void *arg)
{
	struct producer *p = arg;
	pthread_barrier_wait(p->start);
	for (int i = 0; i < EACH;) {
		if (i % 4 == 0) {
			ch_queue_push(p->q, &p->messages[i++].link);
			continue;
		}
		struct ch_list batch;
		ch_list_init(&batch);
		do
			ch_list_push_back(&batch, &p->messages[i++].link);
		while (i % 4 != 0 && i < EACH);
		ch_queue_push_all(p->q, &batch);
	}
	return NULL;
}

static size_t take_by_poll(struct ch_queue *q, struct ch_list *into)
{
	struct pollfd p = {.fd = ch_queue_fd(q), .events = POLLIN};
	assert_int_equal(poll(&p, 1, -1), 1);
	size_t count = ch_queue_take(q, into);
	assert_true(count > 0);
	return count;
}

/* The taker sees each producer's messages in order, and gets them all with nothing but the wake-ups. */
static void run_threads(bool with_fd)
{
	static struct message messages[PRODUCERS][EACH];
	struct ch_queue q;
	pthread_barrier_t start;
	pthread_t threads[PRODUCERS];
	struct producer producers[PRODUCERS];
	assert_int_equal(ch_queue_init(&q, with_fd, NULL), 0);
	pthread_barrier_init(&start, NULL, PRODUCERS + 1);
	for (int i = 0; i < PRODUCERS; i++) {
		for (int n = 0; n < EACH; n++)
			messages[i][n] = (struct message){.from = i, .number = n};
		producers[i] = (struct producer){.q = &q, .start = &start, .messages = messages[i]};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	pthread_barrier_wait(&start);
	int next[PRODUCERS] = {0};
	for (size_t total = 0; total < PRODUCERS * EACH;) {
		struct ch_list got;
		ch_list_init(&got);
		size_t count = with_fd ? take_by_poll(&q, &got) : ch_queue_take_wait(&q, &got, -1);
		total += count;
		for (struct ch_list *n = ch_list_pop_front(&got); n; n = ch_list_pop_front(&got), count--) {
			const struct message *m = CH_CONTAINER_OF(n, struct message, link);
			assert_int_equal(m->number, next[m->from]++);
		}
		assert_int_equal(count, 0);
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	if (with_fd)
		assert_false(is_readable(&q));
	pthread_barrier_destroy(&start);
	ch_queue_fini(&q);
}

static void test_threads_with_fd(void **state)
{
	run_threads(true);
}

static void test_threads_with_condition(void **state)
{
	run_threads(false);
}

static void fini_while_items_wait(void *arg)
{
	struct ch_queue q;
	struct ch_list node;
	(void)!ch_queue_init(&q, false, NULL);
	ch_queue_push(&q, &node);
	ch_queue_fini(&q);
}

static void test_fini_must_find_it_empty(void **state)
{
	assert_true(aborts(fini_while_items_wait, NULL));
}

static void test_out_of_descriptors(void **state)
{
	struct ch_queue q;
	struct ch_err err = {0};
	struct rlimit old;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int rc = ch_queue_init(&q, true, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(rc, CH_EIO);
	assert_int_equal(err.code, CH_EIO);
	assert_string_equal(err.text, "queue: no eventfd: Too many open files");
}

static void test_the_patient_wait_for_company(void **state)
{
	struct ch_queue q;
	struct ch_list got;
	struct ch_list nodes[3];
	ch_list_init(&got);
	assert_int_equal(ch_queue_init(&q, true, NULL), 0);
	ch_queue_push_patient(&q, &nodes[0]);
	assert_true(is_readable(&q));
	assert_int_equal(ch_queue_take_many(&q, &got, 2, 1), 1); /* the time was over */
	ch_queue_push_patient(&q, &nodes[0]);
	ch_queue_push_patient(&q, &nodes[1]);
	assert_int_equal(ch_queue_take_many(&q, &got, 2, -1), 2); /* enough */
	ch_queue_push(&q, &nodes[0]);
	ch_queue_push_patient(&q, &nodes[1]);
	assert_int_equal(ch_queue_take_many(&q, &got, 3, -1), 2); /* one that can't wait */
	ch_queue_push_patient(&q, &nodes[2]);
	assert_int_equal(ch_queue_take_many(&q, &got, 2, 0), 1); /* and it is forgotten with its take */
	assert_false(is_readable(&q));
	ch_queue_fini(&q);
}

int run_queue(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_readable_while_items_wait),
			cmocka_unit_test(test_push_all_is_one_wake_up),
			cmocka_unit_test(test_take_appends),
			cmocka_unit_test(test_wait_gives_up),
			cmocka_unit_test(test_the_patient_wait_for_company),
			cmocka_unit_test(test_threads_with_fd),
			cmocka_unit_test(test_threads_with_condition),
			cmocka_unit_test(test_fini_must_find_it_empty),
			cmocka_unit_test(test_out_of_descriptors),
	};
	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
