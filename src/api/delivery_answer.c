#include "api/delivery_answer.h"

#include <string.h>

#include "base/crypto.h"
#include "base/time_text.h"
#include "model/json_utf8.h"

/* Why a delivery that waits is not being sent at this moment. */
static void put_waits_for(struct json_out *o, const struct delivery *d, const struct delivery_live *live)
{
	char words[80] = "the next try is due at ";
	const char *waits_for = words;

	if (d->due_ms > live->now_ms)
		time_text_format_ms(d->due_ms, words + strlen(words));
	else if (!live->lane)
		waits_for = "no delivery loop has taken it up yet";
	else if (live->lane->waits_for[0])
		waits_for = live->lane->waits_for;
	else
		waits_for = "its turn: it goes next";
	json_out_text(o, "waitsFor", waits_for);
}

void delivery_members(struct json_out *o, const struct delivery *d, const struct delivery_live *live)
{
	bool is_pending = d->state == DELIVERY_PENDING;
	bool is_in_flight = is_pending && live->is_in_flight;

	json_out_id(o, "id", &d->id);
	json_out_id(o, "webhookId", &d->webhook_id);
	json_out_id(o, "callId", &d->call_id);
	json_out_int(o, "callVersion", d->version);
	json_out_text(o, "callStatus", call_status_name(d->call_status));
	json_out_text(o, "state", delivery_state_name(is_in_flight ? DELIVERY_DELIVERING : d->state));
	json_out_int(o, "round", d->round);
	json_out_bool(o, "everDelivered", d->was_delivered);
	json_out_int(o, "tries", d->tries);
	json_out_int(o, "attemptCount", d->attempts);
	json_out_time(o, "created", d->created_ms);
	json_out_time(o, "due", is_pending ? d->due_ms : 0);
	if (is_pending && !is_in_flight)
		put_waits_for(o, d, live);
	else
		json_out_text(o, "waitsFor", NULL);
	json_out_time(o, "finished", d->finished_ms);
	json_out_text(o, "reason", d->reason);
}

static void put_timings(struct json_out *o, const struct attempt *a)
{
	json_out_open(o, "timings", '{');
	json_out_ms(o, "dns", a->dns_us);
	json_out_ms(o, "connect", a->connect_us);
	json_out_ms(o, "tls", a->tls_us);
	json_out_ms(o, "firstByte", a->first_byte_us);
	json_out_ms(o, "total", a->total_us);
	json_out_close(o, '}');
}

void delivery_connection(struct json_out *o, const struct attempt *a)
{
	char address[ADDRESS_TEXT_MAX];
	char end[TIME_TEXT_LEN];

	if (a->address.len)
		address_format(&a->address, address);
	json_out_text(o, "address", a->address.len ? address : NULL);
	json_out_text(o, "tlsVersion", a->tls_version[0] ? a->tls_version : NULL);
	if (a->cert_end_s == 0) {
		json_out_text(o, "certificateEnd", NULL);
		return;
	}
	time_text_format(a->cert_end_s, end);
	json_out_bytes(o, "certificateEnd", end, sizeof(end));
}

/* "Name: value\n" lines. */
static void put_headers(struct json_out *o, const char *lines)
{
	json_out_open(o, "requestHeaders", '[');
	while (lines && *lines) {
		size_t len = strcspn(lines, "\n");
		const char *colon = memchr(lines, ':', len);
		if (colon) {
			const char *value = colon + 1;
			if (value < lines + len && *value == ' ')
				value++;
			json_out_open(o, NULL, '{');
			json_out_bytes(o, "name", lines, (size_t)(colon - lines));
			json_out_bytes(o, "value", value, (size_t)(lines + len - value));
			json_out_close(o, '}');
		}
		lines += len + (lines[len] == '\n');
	}
	json_out_close(o, ']');
}

/* How much of an answer is UTF-8 text: all of it, or all but a character that was cut at the limit; 0: it is
 * no text. */
static size_t text_len(const char *answer, size_t len)
{
	const char *end = answer + len;
	const char *p = answer;

	while (p < end) {
		size_t n = *p ? json_utf8_len(p, end) : 0;
		if (n == 0)
			break;
		p += n;
	}
	bool is_cut = len == ATTEMPT_ANSWER_KEPT_MAX && end - p < 4 && (unsigned char)*p >= 0xc2;
	return p == end || is_cut ? (size_t)(p - answer) : 0;
}

static void put_answer(struct json_out *o, const struct attempt *a)
{
	char base64[(ATTEMPT_ANSWER_KEPT_MAX + 2) / 3 * 4];

	if (!a->answer) {
		json_out_text(o, "answer", NULL);
		return;
	}
	size_t text = text_len(a->answer, a->answer_len);
	if (text > 0 || a->answer_len == 0 || a->answer_len > ATTEMPT_ANSWER_KEPT_MAX) {
		json_out_bytes(o, "answer", a->answer, text);
		return;
	}
	ch_base64(a->answer, a->answer_len, base64);
	json_out_bytes(o, "answer", base64, ch_base64_len(a->answer_len));
	json_out_text(o, "answerEncoding", "base64");
}

void delivery_attempt(struct json_out *o, const char *key, const struct attempt *a)
{
	json_out_open(o, key, '{');
	json_out_id(o, "id", &a->id);
	json_out_time(o, "time", a->started_ms);
	json_out_text(o, "outcome", attempt_outcome_name(a->outcome));
	if (a->status)
		json_out_int(o, "status", a->status);
	else
		json_out_text(o, "status", NULL);
	json_out_text(o, "detail", a->detail);
	put_timings(o, a);
	delivery_connection(o, a);
	put_headers(o, a->request_headers);
	json_out_text(o, "location", a->location);
	put_answer(o, a);
	json_out_close(o, '}');
}
