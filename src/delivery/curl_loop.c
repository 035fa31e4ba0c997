#include "delivery/curl_loop.h"

#include <event2/event.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

/* libcurl counts busy connections too when it looks for one too many, and then closes the oldest idle
 * one: beside a thousand hung requests a bound would end keep-alive for everybody else. Idle ones are
 * bounded by their age and by the transport, which stops keeping them when descriptors run short. */
#define CONNECTIONS_MAX (1L << 20)

static void shard_arm(struct curl_shard *s, int64_t now_ms)
{
	int64_t wait_ms = s->due_ms > now_ms ? s->due_ms - now_ms : 0;
	s->armed_ms = now_ms + wait_ms;
	struct timeval tv = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};
	evtimer_add(&s->timer, &tv);
}

/* The handle leaves the multi before anybody hears of it, so that finished may add it again. */
static void shard_collect(struct curl_shard *s)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left)) != NULL;) {
		if (m->msg != CURLMSG_DONE)
			continue;
		CURL *easy = m->easy_handle;
		CURLcode code = m->data.result;
		curl_loop_remove(s->loop, (int)(s - s->loop->shards), easy);
		s->loop->finished(s->loop->ctx, easy, code);
	}
}

static void shard_turn(struct curl_shard *s, curl_socket_t fd, int what)
{
	int running;
	CURLMcode code = curl_multi_socket_action(s->multi, fd, what, &running);
	CH_ASSERT(code != CURLM_BAD_HANDLE && code != CURLM_RECURSIVE_API_CALL);
	shard_collect(s);
}

/* The timer may ring early: libcurl moves its deadline with each request, and moving ours later each
 * time would cost more than one ring too many. libcurl does not repeat a deadline that it has
 * told, so an early ring must arm the timer again. */
static void shard_rings(evutil_socket_t fd, short what, void *ctx)
{
	struct curl_shard *s = ctx;
	s->armed_ms = INT64_MAX;
	if (s->multi == NULL || s->due_ms == INT64_MAX)
		return;
	int64_t now_ms = ch_clock_mono(&s->loop->clock).ms;
	if (now_ms < s->due_ms) {
		shard_arm(s, now_ms);
		return;
	}
	s->due_ms = INT64_MAX;
	shard_turn(s, CURL_SOCKET_TIMEOUT, 0);
}

static void shard_kicked(evutil_socket_t fd, short what, void *ctx)
{
	struct curl_shard *s = ctx;
	if (s->multi != NULL)
		shard_turn(s, CURL_SOCKET_TIMEOUT, 0);
}

/* A timer and not event_active: the loop looks at the sockets first, and idle connections on which something
 * came are done with before a request would be put on them. */
static int timer_wanted(CURLM *multi, long timeout_ms, void *ctx)
{
	static const struct timeval at_once = {0, 0};
	struct curl_shard *s = ctx;
	s->due_ms = INT64_MAX;
	if (timeout_ms == 0)
		evtimer_add(&s->kick, &at_once);
	if (timeout_ms <= 0)
		return 0;
	int64_t now_ms = ch_clock_mono(&s->loop->clock).ms;
	s->due_ms = now_ms + timeout_ms;
	if (s->armed_ms > s->due_ms)
		shard_arm(s, now_ms);
	return 0;
}

static void sock_is_ready(evutil_socket_t fd, short what, void *ctx);

static void sock_watch(struct curl_sock *k, short what)
{
	struct curl_shard *s = k->shard;
	if (k->watched != 0)
		event_del(&k->event);
	k->watched = what;
	event_assign(&k->event, s->loop->base, k->fd, (short)(what | EV_PERSIST), sock_is_ready, k);
	if (event_add(&k->event, NULL) != 0)
		k->watched = 0; /* the transfer then ends at its deadline */
}

/* Nothing is asked of an idle connection, so what comes is its end, or bytes that libcurl would take for the
 * answer to the next request. */
static void sock_idle_is_ready(struct curl_sock *k, short what)
{
	if ((what & EV_READ) == 0) {
		sock_watch(k, EV_READ);
		return;
	}
	event_del(&k->event);
	k->watched = 0;
	shutdown(k->fd, SHUT_RDWR);
}

static void sock_is_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct curl_sock *k = ctx;
	if (k->wanted == 0) {
		sock_idle_is_ready(k, what);
		return;
	}
	int flags = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
		    ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
	shard_turn(k->shard, fd, flags);
}

/* A socket that turns idle stays on the loop: the next request most often waits for the same thing, so
 * a connection kept alive costs no system call to watch. */
static int sock_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *sock_ctx)
{
	struct curl_shard *s = ctx;
	struct curl_sock *k = curl_sock_find(&s->loop->socks, fd);
	if (k == NULL)
		return 0;
	if (what == CURL_POLL_REMOVE) {
		curl_sock_idle(k);
		return 0;
	}
	k->wanted = (short)(((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
			    ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
	k->shard = s;
	if (k->wanted != k->watched)
		sock_watch(k, k->wanted);
	return 0;
}

static int shard_open(struct curl_shard *s)
{
	s->multi = curl_multi_init();
	if (s->multi == NULL)
		return CH_ENOMEM;
	s->due_ms = s->armed_ms = INT64_MAX;
	curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, sock_wanted);
	curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
	curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
	curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
	curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	curl_multi_setopt(s->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return 0;
}

static void shard_close(struct curl_shard *s)
{
	CH_ASSERT(s->running == 0);
	if (s->multi != NULL)
		curl_multi_cleanup(s->multi);
	s->multi = NULL;
	event_del(&s->timer);
	event_del(&s->kick);
}

int curl_loop_add(struct curl_loop *l, int shard, CURL *easy)
{
	struct curl_shard *s = &l->shards[shard];
	CH_ASSERT(shard >= 0 && shard < l->shard_count);
	if (s->multi == NULL && shard_open(s) != 0)
		return CH_ENOMEM;
	if (curl_multi_add_handle(s->multi, easy) != CURLM_OK)
		return CH_ENOMEM;
	s->running++;
	return 0;
}

void curl_loop_remove(struct curl_loop *l, int shard, CURL *easy)
{
	struct curl_shard *s = &l->shards[shard];
	CH_ASSERT(shard >= 0 && shard < l->shard_count && s->running > 0);
	CURLMcode code = curl_multi_remove_handle(s->multi, easy);
	CH_ASSERT(code == CURLM_OK);
	s->running--;
	s->is_used = true;
}

void curl_loop_sweep(struct curl_loop *l)
{
	int64_t now_ms = ch_clock_mono(&l->clock).ms;
	for (int i = 0; i < l->shard_count; i++) {
		struct curl_shard *s = &l->shards[i];
		if (s->is_used || s->running > 0)
			s->used_ms = now_ms;
		s->is_used = false;
		if (s->multi != NULL && now_ms - s->used_ms >= l->idle_ms)
			shard_close(s);
	}
}

int curl_loop_init(struct curl_loop *l, int shard_count)
{
	CH_ASSERT(shard_count > 0 && l->base != NULL && l->finished != NULL);
	l->shards = ch_calloc((size_t)shard_count, sizeof(struct curl_shard));
	if (l->shards == NULL)
		return CH_ENOMEM;
	l->shard_count = shard_count;
	for (int i = 0; i < shard_count; i++) {
		struct curl_shard *s = &l->shards[i];
		s->loop = l;
		evtimer_assign(&s->timer, l->base, shard_rings, s);
		evtimer_assign(&s->kick, l->base, shard_kicked, s);
	}
	return 0;
}

void curl_loop_fini(struct curl_loop *l)
{
	for (int i = 0; i < l->shard_count; i++)
		shard_close(&l->shards[i]);
	ch_free(l->shards);
	l->shards = NULL;
	l->shard_count = 0;
	curl_socks_fini(&l->socks);
}
