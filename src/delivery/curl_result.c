#include "delivery/curl_result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* The outcome with its words, before they are copied into the attempt. */
struct verdict {
	enum attempt_outcome outcome;
	char words[256];
};

static void say(struct verdict *v, enum attempt_outcome outcome, const char *fmt, ...) CH_PRINTF(3, 4);

static void say(struct verdict *v, enum attempt_outcome outcome, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(v->words, sizeof(v->words), fmt, args);
	va_end(args);
	v->outcome = outcome;
}

static int64_t time_of(struct curl_post *p, CURLINFO info)
{
	curl_off_t us = 0;
	curl_easy_getinfo(p->easy, info, &us);
	return us;
}

static long number_of(struct curl_post *p, CURLINFO info)
{
	long n = 0;
	curl_easy_getinfo(p->easy, info, &n);
	return n;
}

/* libcurl tells the time of the TCP connect only once TLS is through as well. */
static bool is_connected(const struct curl_post *p)
{
	return p->sent > 0 || p->tls.begun_ms >= 0;
}

bool curl_result_is_unconnected(struct curl_post *p, CURLcode code)
{
	if (is_connected(p) || p->sock_error != 0)
		return false;
	/* A proxy that is connected may still wait for the receiver, which looks the same from here. */
	return code == CURLE_COULDNT_CONNECT ||
	       (code == CURLE_OPERATION_TIMEDOUT && p->common->proxy == NULL);
}

bool curl_result_wants_repeat(struct curl_post *p, CURLcode code)
{
	if (p->is_repeated)
		return false;
	if (p->is_repeat_held)
		return true;
	return (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING) &&
	       p->sent == 1 && p->answer.header_read == 0 && curl_post_was_reused(p);
}

/* "203.0.113.7 port 443", or the proxy, whose address is the operator's own business. */
static void peer_name(const struct curl_post *p, char *out, size_t cap)
{
	char text[ADDRESS_TEXT_MAX];
	if (p->common->proxy != NULL) {
		snprintf(out, cap, "the egress proxy");
		return;
	}
	address_format(&p->targets[p->target_at], text);
	snprintf(out, cap, "%s port %u", text, p->job->url->port);
}

static void judge_connect(struct curl_post *p, struct verdict *v)
{
	char peer[80];
	int error = (int)number_of(p, CURLINFO_OS_ERRNO);
	peer_name(p, peer, sizeof(peer));
	if (p->refusal != NULL)
		say(v, ATTEMPT_ADDRESS, "%s is refused: %s", peer, p->refusal);
	else if (p->sock_error != 0)
		say(v, ATTEMPT_LOCAL, "no socket: %s", strerror(-p->sock_error));
	else if (error == EADDRNOTAVAIL || error == ENOBUFS || error == ENOMEM)
		say(v, ATTEMPT_LOCAL, "can't connect to %s: %s", peer, strerror(error));
	else if (p->common->proxy != NULL)
		say(v, ATTEMPT_LOCAL, "can't connect to the egress proxy: %s", strerror(error));
	else if (error == ETIMEDOUT)
		say(v, ATTEMPT_TIMEOUT, "no connection to %s: %s", peer, strerror(error));
	else if (error == ECONNRESET) /* accepted and closed before libcurl looked */
		say(v, ATTEMPT_RESET, "the connection to %s was reset", peer);
	else if (error == ECONNREFUSED)
		say(v, ATTEMPT_REFUSED, "connection to %s refused", peer);
	else
		say(v, ATTEMPT_REFUSED, "no connection to %s: %s", peer,
				error != 0 ? strerror(error) : "unreachable");
}

static void judge_timeout(struct curl_post *p, struct verdict *v)
{
	char peer[80];
	peer_name(p, peer, sizeof(peer));
	if (!is_connected(p))
		say(v, ATTEMPT_TIMEOUT, "no connection %s %s in time",
				p->common->proxy != NULL ? "through" : "to", peer);
	else if (p->sent == 0)
		say(v, ATTEMPT_TIMEOUT, "TLS handshake with %s not finished in time", peer);
	else if (p->answer.header_read == 0)
		say(v, ATTEMPT_TIMEOUT, "no answer within %d ms", p->job->timeout_ms);
	else
		say(v, ATTEMPT_TIMEOUT, "the answer was not finished within %d ms", p->job->timeout_ms);
}

/* What OpenSSL says is like "error:0A000102:SSL routines::unsupported protocol"; people need its end. */
static const char *handshake_words(const struct curl_post *p)
{
	const char *last = strrchr(p->error, ':');
	while (last != NULL && (*last == ':' || *last == ' '))
		last++;
	if (last != NULL && *last != '\0')
		return last;
	return p->error[0] != '\0' ? p->error : "the connection was closed";
}

static void judge_tls(struct curl_post *p, CURLcode code, struct verdict *v)
{
	if (p->tls.verify_error != X509_V_OK)
		say(v, ATTEMPT_TLS, "%s", curl_tls_verify_words(p->tls.verify_error));
	else if (code == CURLE_PEER_FAILED_VERIFICATION)
		say(v, ATTEMPT_TLS, "the certificate is for another name than %.180s", p->job->url->host);
	else
		say(v, ATTEMPT_TLS, "TLS handshake failed: %.180s", handshake_words(p));
}

/* The proxy answered to CONNECT with something but 2xx. */
static void judge_tunnel(long status, struct verdict *v)
{
	if (status == 403)
		say(v, ATTEMPT_ADDRESS, "the egress proxy refuses this address (403)");
	else if (status == 407)
		say(v, ATTEMPT_LOCAL, "the egress proxy asks for other credentials (407)");
	else
		say(v, ATTEMPT_REFUSED, "the egress proxy found no way (%ld)", status);
}

static void judge_socks(struct curl_post *p, struct verdict *v)
{
	switch (number_of(p, CURLINFO_PROXY_ERROR)) {
	case CURLPX_REPLY_NOT_ALLOWED:
		say(v, ATTEMPT_ADDRESS, "the egress proxy refuses this address");
		return;
	case CURLPX_REPLY_CONNECTION_REFUSED:
		say(v, ATTEMPT_REFUSED, "connection refused, says the egress proxy");
		return;
	case CURLPX_REPLY_HOST_UNREACHABLE:
	case CURLPX_REPLY_NETWORK_UNREACHABLE:
	case CURLPX_REPLY_GENERAL_SERVER_FAILURE:
	case CURLPX_REPLY_TTL_EXPIRED:
		say(v, ATTEMPT_REFUSED, "no way to the host, says the egress proxy");
		return;
	default:
		say(v, ATTEMPT_LOCAL, "the egress proxy failed");
	}
}

/* libcurl says RECV_ERROR for a broken connection as for broken chunks; only its words differ. */
static void judge_receive(struct curl_post *p, struct verdict *v)
{
	long tunnel = number_of(p, CURLINFO_HTTP_CONNECTCODE);
	if (p->common->proxy != NULL && p->sent == 0 && tunnel != 0)
		judge_tunnel(tunnel, v);
	else if (strstr(p->error, "chunk") != NULL)
		say(v, ATTEMPT_MALFORMED, "the answer's chunks are malformed");
	else if (p->answer.header_read > 0)
		say(v, ATTEMPT_RESET, "the connection ended in the middle of the answer");
	else
		say(v, ATTEMPT_RESET, "the connection ended before an answer came");
}

static void judge_answer(struct curl_post *p, struct verdict *v)
{
	long status = number_of(p, CURLINFO_RESPONSE_CODE);
	if (status >= 200 && status <= 999)
		v->outcome = ATTEMPT_ANSWERED;
	else
		say(v, ATTEMPT_MALFORMED, "the answer has no final status (%ld)", status);
}

static void judge_code(struct curl_post *p, CURLcode code, struct verdict *v)
{
	switch (code) {
	case CURLE_OK:
		judge_answer(p, v);
		return;
	case CURLE_COULDNT_CONNECT:
		judge_connect(p, v);
		return;
	case CURLE_OPERATION_TIMEDOUT:
		judge_timeout(p, v);
		return;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_USE_SSL_FAILED:
		judge_tls(p, code, v);
		return;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_ABORTED_BY_CALLBACK:
		judge_receive(p, v);
		return;
	case CURLE_PROXY:
		judge_socks(p, v);
		return;
	case CURLE_UNSUPPORTED_PROTOCOL:
		say(v, ATTEMPT_MALFORMED, "the answer is not HTTP/1.1");
		return;
	case CURLE_WEIRD_SERVER_REPLY:
		say(v, ATTEMPT_MALFORMED, "the answer is malformed");
		return;
	case CURLE_OUT_OF_MEMORY:
		/* Also libcurl's word for a header line beyond its own bound (100 kB). */
		if (time_of(p, CURLINFO_STARTTRANSFER_TIME_T) > 0 && !p->answer.is_header_done)
			say(v, ATTEMPT_MALFORMED, "the answer's header is too long");
		else
			say(v, ATTEMPT_LOCAL, "no memory for the request");
		return;
	case CURLE_FAILED_INIT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		say(v, ATTEMPT_LOCAL, "the request could not be made: %s", curl_easy_strerror(code));
		return;
	default:
		say(v, ATTEMPT_MALFORMED, "the answer is malformed: %s", curl_easy_strerror(code));
	}
}

static void judge(struct curl_post *p, CURLcode code, struct verdict *v)
{
	if (p->is_checked) {
		v->outcome = ATTEMPT_ANSWERED;
		return;
	}
	switch (p->answer.fault) {
	case ANSWER_NO_MEMORY:
		say(v, ATTEMPT_LOCAL, "no memory for the answer");
		return;
	case ANSWER_HEADERS_TOO_LONG:
		say(v, ATTEMPT_MALFORMED, "the answer's header is longer than %d bytes", ANSWER_HEADERS_MAX);
		return;
	case ANSWER_TOO_MANY_INTERIM:
		say(v, ATTEMPT_MALFORMED, "more than %d informational answers", ANSWER_INTERIM_MAX);
		return;
	case ANSWER_SWITCHES:
		say(v, ATTEMPT_MALFORMED, "the answer has no final status (101)");
		return;
	case ANSWER_BAD_LENGTH:
		say(v, ATTEMPT_MALFORMED, "the answer is malformed: its Content-Length is no length");
		return;
	case ANSWER_FINE:
		break;
	}
	if (p->answer.is_cut || curl_answer_is_whole(&p->answer))
		judge_answer(p, v);
	else
		judge_code(p, code, v);
}

static int32_t since_start(const struct curl_post *p, int64_t us)
{
	int64_t sum = (p->try_ms - p->started_ms) * 1000 + us;
	return sum < INT32_MAX ? (int32_t)sum : INT32_MAX;
}

/* Phases that did not take place stay -1: on a kept connection nothing connects. */
static void times_fill(struct curl_post *p, struct attempt *a)
{
	int64_t connect = time_of(p, CURLINFO_CONNECT_TIME_T), tls = time_of(p, CURLINFO_APPCONNECT_TIME_T);
	int64_t first = time_of(p, CURLINFO_STARTTRANSFER_TIME_T);
	if (!p->job->reused_connection) {
		if (connect > 0)
			a->connect_us = since_start(p, connect);
		else if (p->tls.begun_ms >= 0)
			a->connect_us = since_start(p, (p->tls.begun_ms - p->try_ms) * 1000);
		a->tls_us = tls > 0 && p->job->url->is_tls ? since_start(p, tls) : -1;
	}
	a->first_byte_us = first > 0 && p->answer.header_read > 0 ? since_start(p, first) : -1;
	a->total_us = since_start(p, time_of(p, CURLINFO_TOTAL_TIME_T));
}

static void facts_fill(struct curl_post *p, struct attempt *a)
{
	p->job->reused_connection = p->sent > 0 && curl_post_was_reused(p);
	times_fill(p, a);
	if (is_connected(p) && p->common->proxy == NULL)
		a->address = p->targets[p->target_at];
	memcpy(a->tls_version, p->tls.version, sizeof(a->tls_version));
	a->cert_end_s = p->tls.cert_end_s;
}

/* Before it is connected libcurl's times are still those of the handle's last attempt. */
void curl_result_fill_facts(struct curl_post *p)
{
	if (is_connected(p))
		facts_fill(p, &p->job->attempt);
}

/* An HTTP proxy makes a tunnel for TLS only. */
static void check_fill(const struct curl_post *p, struct transport_check *check)
{
	const struct curl_proxy *proxy = p->common->proxy;
	check->is_ready = true;
	check->is_unseen = proxy != NULL && !p->job->url->is_tls && strcmp(proxy->scheme, "http") == 0;
}

void curl_result_fill(struct curl_post *p, CURLcode code, const struct ch_clock *clock)
{
	struct attempt *a = &p->job->attempt;
	struct verdict v = {.words = ""};
	judge(p, code, &v);
	a->outcome = v.outcome;
	a->detail = v.words[0] != '\0' ? ch_strdup(v.words) : NULL;
	a->status = p->is_checked ? 0 : (int)number_of(p, CURLINFO_RESPONSE_CODE);
	facts_fill(p, a);
	if (p->is_checked)
		check_fill(p, p->job->check);
	curl_answer_take(&p->answer, a, ch_clock_wall(clock).ms / 1000);
}
