#include "test_engine.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "delivery/worker.h"
#include "policy/window.h"

#define WORKERS 2
#define HOOKS 6
#define CALLS 10

/* ---- a receiver: one connection at a time, answered and closed ---- */

struct receiver {
	int fd;
	uint16_t port;
	pthread_t thread;
	sem_t received;
	sem_t gate; /* taken before each answer when is_gated */
	atomic_bool is_gated;
};

static bool read_request(int fd)
{
	char buf[8192];
	size_t have = 0;
	for (;;) {
		ssize_t n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
		if (n <= 0)
			return false;
		have += (size_t)n;
		buf[have] = '\0';
		const char *end = strstr(buf, "\r\n\r\n"), *length = strcasestr(buf, "\r\nContent-Length:");
		if (end && length && have >= (size_t)(end + 4 - buf) + strtoul(length + 17, NULL, 10))
			return true;
	}
}

static void *receive(void *ctx)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
	struct receiver *r = ctx;
	for (;;) {
		int fd = accept(r->fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		if (read_request(fd)) {
			sem_post(&r->received);
			if (atomic_load(&r->is_gated))
				sem_wait(&r->gate);
			send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
		}
		close(fd);
	}
}

static void receiver_open(struct receiver *r)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	memset(r, 0, sizeof(*r));
	sem_init(&r->received, 0, 0);
	sem_init(&r->gate, 0, 0);
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(r->fd >= 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(r->fd, 128), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&at, &len), 0);
	r->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&r->thread, NULL, receive, r), 0);
}

static void receiver_close(struct receiver *r)
{
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
	sem_destroy(&r->received);
	sem_destroy(&r->gate);
}

/* ---- the service around it ---- */

struct service {
	struct receiver receiver;
	struct store_client *store;
	struct ch_port port; /* the test's */
	struct workers workers;
	struct worker *items[WORKERS];
	struct network loopback;
	bool is_answered;
};

static struct service service;

static void wait_for(struct service *s, const bool *flag)
{
	while (!*flag) {
		struct ch_list got;
		struct ch_list *n;
		ch_list_init(&got);
		assert_true(ch_queue_take_wait(&s->port.queue, &got, 30000) > 0);
		while ((n = ch_list_pop_front(&got)) != NULL) {
			struct ch_msg *m = CH_CONTAINER_OF(n, struct ch_msg, link);
			m->run(m);
		}
	}
}

struct asked {
	struct store_request request;
	bool is_done;
};

static void on_asked(struct store_request *r)
{
	CH_CONTAINER_OF(r, struct asked, request)->is_done = true;
}

static void ask(struct service *s, struct asked *a)
{
	store_submit(s->store, &a->request);
	wait_for(s, &a->is_done);
	assert_int_equal(a->request.result, 0);
}

static struct id hook_id(int n)
{
	struct id id = {{0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)n}};
	return id;
}

static void make_hook(struct service *s, int n)
{
	struct asked a = {0};
	char url[64];
	store_request_init(&a.request, STORE_WEBHOOK_CREATE, &s->port, on_asked);
	struct webhook *w = &a.request.u.webhook_create.in.webhook;
	webhook_init(w);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/hook", (unsigned)s->receiver.port);
	w->id = hook_id(n);
	w->account = 1;
	w->url = ch_strdup(url);
	w->name = ch_strdup("");
	a.request.u.webhook_create.in.max_webhooks = 100;
	ask(s, &a);
	store_request_fini(&a.request);
}

static void put_call(struct service *s, int n)
{
	static const char body[] = "{\"id\":\"x\",\"created\":\"2024-07-30T14:35:00Z\"}";
	struct asked a = {0};
	store_request_init(&a.request, STORE_CALL_PUT, &s->port, on_asked);
	struct store_call_put *put = &a.request.u.call_put;
	put->in.account = 1;
	put->in.facts.id.b[15] = (uint8_t)n;
	put->in.facts.status = CALL_COMPLETED;
	put->in.body = ch_memdup0(body, sizeof(body) - 1);
	put->in.body_len = sizeof(body) - 1;
	ask(s, &a);
	store_request_fini(&a.request);
}

static struct ledger read_ledger(struct service *s)
{
	struct asked a = {0};
	store_request_init(&a.request, STORE_LEDGER, &s->port, on_asked);
	ask(s, &a);
	struct ledger l = a.request.u.ledger.out.ledger;
	store_request_fini(&a.request);
	return l;
}

static void open_store(struct service *s)
{
	struct store_conf conf = {.clock = ch_clock_system(), .rand = ch_rand_system()};
	struct store *store = NULL;
	struct ch_err err = {0};
	assert_int_equal(store_memory_open(&conf, &store, &err), 0);
	struct store_threads_conf threads = {.clock = conf.clock,
			.readers = 2,
			.batch_max = 64,
			.result_wait_ms = 1,
			.watcher = workers_watcher(&s->workers)};
	assert_int_equal(store_threads_start(&store, &threads, &s->store, &err), 0);
}

static void open_workers(struct service *s)
{
	struct ch_err err = {0};
	struct worker_conf conf = {
			.engine = {.clock = ch_clock_system(),
					.rand = ch_rand_system(),
					.store = s->store,
					.schedule = retry_schedule_default(),
					.url_rules = {.allow_http = true},
					.user_agent = "callhook/test",
					.max_in_flight = 100,
					.body_budget_bytes = 1 << 20},
			.transport = {.clock = ch_clock_system(),
					.addresses = {&s->loopback, 1},
					.connect_timeout_ms = 5000,
					.idle_ms = 1000},
	};
	assert_int_equal(network_parse("127.0.0.0/8", 11, &s->loopback), 0);
	for (int i = 0; i < WORKERS; i++) {
		if (worker_create(&conf, i, WORKERS, &s->items[i], &err) != 0)
			fail_msg("no worker: %s", err.text);
	}
	s->workers = (struct workers){s->items, WORKERS};
}

static int set_up(void **state)
{
	struct service *s = &service;
	struct ch_err err = {0};
	memset(s, 0, sizeof(*s));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	receiver_open(&s->receiver);
	assert_int_equal(ch_port_init(&s->port, false, &err), 0);
	open_store(s);
	open_workers(s);
	for (int i = 0; i < WORKERS; i++)
		worker_start(s->items[i]);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct service *s = *state;
	workers_stop(&s->workers, 0);
	store_client_destroy(&s->store);
	for (int i = 0; i < WORKERS; i++)
		worker_destroy(&s->items[i]);
	ch_port_fini(&s->port);
	receiver_close(&s->receiver);
	curl_global_cleanup();
	return 0;
}

static void wait_received(struct service *s, int n)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	for (int i = 0; i < n; i++)
		assert_int_equal(sem_timedwait(&s->receiver.received, &until), 0);
}

static void what_is_put_arrives(void **state)
{
	struct service *s = *state;
	for (int i = 0; i < HOOKS; i++)
		make_hook(s, i);
	for (int i = 0; i < CALLS; i++)
		put_call(s, i);
	wait_received(s, HOOKS * CALLS);
	workers_stop(&s->workers, 30000);
	struct ledger l = read_ledger(s);
	assert_int_equal(l.accepted, HOOKS * CALLS);
	assert_int_equal(l.delivered, HOOKS * CALLS);
	unsigned long long attempts = 0;
	for (int i = 0; i < WORKERS; i++) {
		unsigned long long own = atomic_load(&worker_stats(s->items[i])->attempts[ATTEMPT_ANSWERED]);
		assert_true(own > 0);
		attempts += own;
	}
	assert_int_equal(attempts, HOOKS * CALLS);
}

static void on_told(struct worker_question *q)
{
	((struct service *)q->ctx)->is_answered = true;
}

static void the_lanes_of_all_loops_can_be_asked_for(void **state)
{
	struct service *s = *state;
	struct worker_question q = {.reply_to = &s->port, .done = on_told, .ctx = s, .count = HOOKS + 1};
	q.items = ch_calloc(q.count, sizeof(*q.items));
	for (int i = 0; i < HOOKS; i++)
		make_hook(s, i);
	for (int i = 0; i <= HOOKS; i++)
		q.items[i].webhook = hook_id(i);
	workers_ask(&s->workers, &q);
	wait_for(s, &s->is_answered);
	for (int i = 0; i < HOOKS; i++) {
		assert_true(q.items[i].has_lane);
		assert_int_equal(q.items[i].lane.state, LANE_READY);
		assert_int_equal(q.items[i].lane.window, WINDOW_START);
	}
	assert_false(q.items[HOOKS].has_lane);
	ch_free(q.items);
}

/* An attempt that hangs is ended when there is no grace left, and stays pending. */
static void hurrying_ends_what_hangs(void **state)
{
	struct service *s = *state;
	atomic_store(&s->receiver.is_gated, true);
	make_hook(s, 0);
	put_call(s, 0);
	wait_received(s, 1);
	for (int i = 0; i < WORKERS; i++)
		worker_hurry(s->items[i]);
	workers_stop(&s->workers, 3600000);
	struct ledger l = read_ledger(s);
	assert_int_equal(l.pending, 1);
	assert_int_equal(l.delivered, 0);
	sem_post(&s->receiver.gate);
}

int worker_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(what_is_put_arrives, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					the_lanes_of_all_loops_can_be_asked_for, set_up, tear_down),
			cmocka_unit_test_setup_teardown(hurrying_ends_what_hangs, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
