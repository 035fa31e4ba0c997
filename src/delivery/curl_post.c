#include "delivery/curl_post.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

/* libcurl allocates its receive buffer per running transfer: this is memory of each hung request. An
 * ordinary answer fits. The upload buffer is used for TLS and big bodies only; 16 KiB is the least. */
#define RECEIVE_BYTES 1024L
#define UPLOAD_BYTES 16384L
#define KEEPALIVE_S 60L

static size_t header_came(char *line, size_t one, size_t len, void *ctx)
{
	struct curl_post *p = ctx;
	if (p->answer.header_read == 0 && p->job->url->is_tls)
		curl_tls_look(p->easy, &p->tls);
	return curl_answer_header(&p->answer, line, len) ? len : CURL_WRITEFUNC_ERROR;
}

static size_t body_came(char *data, size_t one, size_t len, void *ctx)
{
	struct curl_post *p = ctx;
	return curl_answer_body(&p->answer, data, len) ? len : CURL_WRITEFUNC_ERROR;
}

/* The last look at where the bytes really go: whatever libcurl made of host and port, it connects to
 * nothing that the policy refuses. */
static curl_socket_t sock_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct curl_post *p = ctx;
	struct address a;
	if (purpose != CURLSOCKTYPE_IPCXN || address_from_sockaddr(&to->addr, &a) != 0) {
		p->refusal = "not an IP address";
		return CURL_SOCKET_BAD;
	}
	p->refusal = p->common->proxy == NULL ? address_refusal(&a, &p->common->addresses) : NULL;
	if (p->refusal != NULL)
		return CURL_SOCKET_BAD;
	int fd = curl_sock_open(p->common->socks, &to->addr, to->socktype, to->protocol, p->sock_owner);
	if (fd < 0) {
		p->sock_error = fd;
		return CURL_SOCKET_BAD;
	}
	p->opened_fd = fd;
	return fd;
}

static int sock_close(void *ctx, curl_socket_t fd)
{
	return curl_sock_close(ctx, fd);
}

/* What the receiver sent behind its last answer is already decrypted, so no socket tells of it, and libcurl
 * would read it as the answer to the next request. */
static bool has_stale_bytes(struct curl_post *p)
{
	return p->job->url->is_tls && curl_post_was_reused(p) && curl_tls_has_rest(p->easy);
}

/* Connection and TLS are there, and what comes next is the request. */
static int stop_checked(struct curl_post *p)
{
	p->sent++;
	p->is_checked = true;
	if (p->job->url->is_tls)
		curl_tls_look(p->easy, &p->tls);
	return CURL_PREREQFUNC_ABORT;
}

/* Runs before each request goes onto a connection. libcurl sends again by itself when a kept connection
 * turns out dead, up to five times and on other kept ones; a POST gets one repetition, on a
 * connection of its own. */
static int before_send(void *ctx, char *remote, char *local, int remote_port, int local_port)
{
	struct curl_post *p = ctx;
	if (p->job->check != NULL)
		return stop_checked(p);
	if (!has_stale_bytes(p)) {
		p->sent++;
		if (p->sent == 1 || (p->sent == 2 && !p->is_repeated && !curl_post_was_reused(p)))
			return CURL_PREREQFUNC_OK;
	}
	p->is_repeat_held = true;
	return CURL_PREREQFUNC_ABORT;
}

static void http_options(struct curl_post *p)
{
	CURL *e = p->easy;
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, header_came);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, p);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, body_came);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_send);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, p);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
}

static void connection_options(struct curl_post *p)
{
	CURL *e = p->easy;
	long idle_s = p->common->idle_ms / 1000;
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, idle_s > 0 ? idle_s : 1L);
	/* Addresses are literals by now. libcurl walks its name cache at the end of each transfer. */
	curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, sock_open);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, p);
	/* Called when the connection closes, perhaps long after this handle is gone. */
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, sock_close);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, p->common->socks);
	/* Empty texts, not NULL: NULL lets http_proxy and no_proxy of the environment in. */
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	if (p->common->proxy != NULL) {
		curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
		curl_easy_setopt(e, CURLOPT_PROXYUSERNAME, p->common->proxy->user);
		curl_easy_setopt(e, CURLOPT_PROXYPASSWORD, p->common->proxy->password);
	}
}

static int post_open(struct curl_post *p, struct ch_err *err)
{
	p->easy = curl_easy_init();
	if (p->easy == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for a request");
	curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
	curl_easy_setopt(p->easy, CURLOPT_ERRORBUFFER, p->error);
	http_options(p);
	connection_options(p);
	return curl_tls_setup(p->easy, &p->tls, err);
}

int curl_post_create(const struct curl_common *common, struct ch_list *sock_owner, struct curl_post **ret,
		struct ch_err *err)
{
	struct curl_post *p = ch_calloc(1, sizeof(*p));
	if (p == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for a request");
	ch_list_init(&p->link);
	p->common = common;
	p->sock_owner = sock_owner;
	p->shard = -1;
	p->tls.store = common->authorities;
	p->tls.clock = &common->clock;
	curl_answer_init(&p->answer);
	int code = post_open(p, err);
	if (code != 0) {
		curl_post_destroy(&p);
		return code;
	}
	*ret = p;
	return 0;
}

void curl_post_destroy(struct curl_post **pp)
{
	struct curl_post *p = *pp;
	if (p == NULL)
		return;
	CH_ASSERT(p->shard < 0 && p->job == NULL);
	*pp = NULL;
	ch_list_unlink(&p->link);
	if (p->easy != NULL)
		curl_easy_cleanup(p->easy);
	curl_answer_fini(&p->answer);
	ch_free(p->headers);
	ch_free(p->url_text);
	ch_free(p);
}

static int url_load(struct curl_post *p, const struct url *url)
{
	if (p->url_text != NULL && strcmp(p->url_text, url->text) == 0)
		return 0;
	ch_free(p->url_text);
	p->url_text = ch_strdup(url->text);
	if (p->url_text == NULL)
		return CH_ENOMEM;
	if (curl_easy_setopt(p->easy, CURLOPT_URL, url->text) != CURLE_OK) {
		ch_free(p->url_text);
		p->url_text = NULL;
		return CH_ENOMEM;
	}
	return 0;
}

/* libcurl only reads the list, which points into the job; "Expect:" keeps it from asking permission
 * before a big body, which costs a round trip and is answered by few. */
static int headers_load(struct curl_post *p, const struct transport_job *job)
{
	static char no_expect[] = "Expect:";
	size_t count = job->header_count + 1;
	if (count > p->header_cap) {
		struct curl_slist *list = ch_realloc(p->headers, count * sizeof(*list));
		if (list == NULL)
			return CH_ENOMEM;
		p->headers = list;
		p->header_cap = count;
	}
	for (size_t i = 0; i < job->header_count; i++) {
		memcpy(&p->headers[i].data, &job->headers[i], sizeof(char *));
		p->headers[i].next = &p->headers[i + 1];
	}
	p->headers[count - 1] = (struct curl_slist){.data = no_expect};
	curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->headers);
	return 0;
}

int curl_post_load(struct curl_post *p, struct transport_job *job)
{
	int code = url_load(p, job->url);
	if (code == 0)
		code = headers_load(p, job);
	if (code != 0)
		return code;
	const char *body = job->body != NULL ? job->body->data : "";
	size_t len = job->body != NULL ? job->body->len : 0;
	curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	return 0;
}

static void target_format(const struct curl_post *p, const struct address *to, char out[CURL_PROXY_TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];
	if (p->common->proxy != NULL) {
		curl_proxy_format(p->common->proxy, to, out);
		return;
	}
	address_format(to, text);
	snprintf(out, CURL_PROXY_TEXT_MAX, to->len == 16 ? "::[%s]:%u" : "::%s:%u", text, p->job->url->port);
}

static int target_load(struct curl_post *p)
{
	char text[CURL_PROXY_TEXT_MAX];
	target_format(p, &p->targets[p->target_at], text);
	if (strcmp(text, p->target_text) == 0)
		return 0;
	memcpy(p->target_text, text, sizeof(text));
	CURLcode code;
	if (p->common->proxy != NULL) {
		code = curl_easy_setopt(p->easy, CURLOPT_PROXY, p->target_text);
	} else {
		p->connect_to.data = p->target_text;
		code = curl_easy_setopt(p->easy, CURLOPT_CONNECT_TO, &p->connect_to);
	}
	if (code != CURLE_OK)
		p->target_text[0] = '\0';
	return code == CURLE_OK ? 0 : CH_ENOMEM;
}

static void flag_set(CURL *easy, CURLoption option, bool *is, bool should)
{
	if (*is != should)
		curl_easy_setopt(easy, option, should ? 1L : 0L);
	*is = should;
}

/* The time for connecting is one for the whole attempt. Each address gets its share of what is left, the last
 * one all of it: a first one that swallows everything is not to keep the others from being tried. */
static int64_t connect_share_ms(const struct curl_post *p, int connect_timeout_ms)
{
	int64_t left_ms = connect_timeout_ms - p->connect_spent_ms;
	int64_t share_ms = left_ms / (p->target_count - p->target_at);
	return share_ms < 1 ? 1 : share_ms;
}

int curl_post_aim(struct curl_post *p, int64_t now_ms, int connect_timeout_ms)
{
	int64_t left_ms = p->deadline_ms - now_ms, connect_ms = connect_share_ms(p, connect_timeout_ms);
	CH_ASSERT(left_ms > 0 && p->target_at < p->target_count);
	if (target_load(p) != 0)
		return CH_ENOMEM;
	curl_easy_setopt(p->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
	curl_easy_setopt(p->easy, CURLOPT_CONNECTTIMEOUT_MS,
			(long)(left_ms < connect_ms ? left_ms : connect_ms));
	bool is_check = p->job->check != NULL;
	flag_set(p->easy, CURLOPT_FRESH_CONNECT, &p->is_fresh, p->is_repeated || is_check);
	flag_set(p->easy, CURLOPT_FORBID_REUSE, &p->is_unkept,
			is_check || p->common->socks->open > p->common->socks_max);
	p->try_ms = now_ms;
	p->sent = 0;
	p->opened_fd = -1;
	p->is_repeat_held = p->is_checked = false;
	p->sock_error = 0;
	p->refusal = NULL;
	p->error[0] = '\0';
	curl_tls_seen_reset(&p->tls);
	return 0;
}

void curl_post_unload(struct curl_post *p)
{
	p->job = NULL;
	p->is_repeated = false;
	p->target_count = p->target_at = 0;
	p->connect_spent_ms = 0;
	curl_answer_fini(&p->answer);
	curl_answer_init(&p->answer);
}

void curl_post_settle(struct curl_post *p)
{
	if (p->opened_fd >= 0)
		curl_sock_check(p->common->socks, p->opened_fd);
	p->opened_fd = -1;
}

bool curl_post_was_reused(struct curl_post *p)
{
	long made = 0;
	curl_easy_getinfo(p->easy, CURLINFO_NUM_CONNECTS, &made);
	return made == 0;
}
