/* The header lines and the body of a receiver's answer, as libcurl hands them over: whatever comes, what is
 * kept stays within its bounds, and only the last status line's headers count. The body begins behind the
 * first empty line. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "delivery/curl_answer.h"
#include "policy/outcome.h"

#define NOW_S 1722350100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kept(const struct curl_answer *a)
{
	CH_ASSERT(a->body.len <= ATTEMPT_ANSWER_KEPT_MAX && a->body_read >= a->body.len);
	CH_ASSERT(a->status >= 0 && a->status <= 999 && a->length >= -1 &&
			a->interim <= ANSWER_INTERIM_MAX + 1);
	CH_ASSERT(memchr(a->retry_after, '\0', sizeof(a->retry_after)) &&
			memchr(a->date, '\0', sizeof(a->date)));
	CH_ASSERT(!strchr(a->retry_after, '\n') && !strchr(a->date, '\n'));
	CH_ASSERT(!a->location || a->status / 100 == 3);
	for (const char *p = a->location; p && *p; p++)
		CH_ASSERT(*p >= ' ' && *p <= '~' && p - a->location < ANSWER_LOCATION_MAX);
}

static void check_taken(struct curl_answer *a)
{
	struct attempt t = {.outcome = ATTEMPT_ANSWERED, .status = 503, .retry_after_s = -1};
	struct outcome o;

	curl_answer_take(a, &t, NOW_S);
	CH_ASSERT(t.retry_after_s == -1 ||
			(t.retry_after_s >= RETRY_AFTER_MIN_S && t.retry_after_s <= RETRY_AFTER_MAX_S));
	CH_ASSERT((t.answer == NULL) == (t.answer_len == 0) && t.answer_len <= ATTEMPT_ANSWER_KEPT_MAX);
	CH_ASSERT(a->location == NULL && a->body.len == 0);
	o = outcome_of(&t, 0);
	CH_ASSERT(o.endpoint == (t.retry_after_s > 0 ? OUTCOME_SUSPENDED : OUTCOME_FAILURE));
	attempt_fini(&t);
}

/* In pieces of different sizes the body must be kept as in one. */
static bool feed_body(struct curl_answer *a, const char *data, size_t len)
{
	for (size_t at = 0, n = 1; at < len; at += n, n = n * 3 + 1) {
		if (n > len - at)
			n = len - at;
		if (!curl_answer_body(a, data + at, n))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data;
	const char *end = at + size;
	struct curl_answer a;
	bool is_on = true;

	curl_answer_init(&a);
	while (is_on && at < end && !a.is_header_done) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t len = lf ? (size_t)(lf - at) + 1 : (size_t)(end - at);

		is_on = curl_answer_header(&a, at, len);
		CH_ASSERT(is_on == (a.fault == ANSWER_FINE));
		check_kept(&a);
		at += len;
	}
	if (is_on && at < end) {
		size_t len = (size_t)(end - at);
		size_t kept = len < ATTEMPT_ANSWER_KEPT_MAX ? len : ATTEMPT_ANSWER_KEPT_MAX;
		char before[sizeof(a.retry_after)];

		memcpy(before, a.retry_after, sizeof(before));
		is_on = feed_body(&a, at, len);
		CH_ASSERT(is_on != a.is_cut && a.body.len == kept && memcmp(a.body.data, at, kept) == 0);
		/* A trailer changes nothing. */
		(void)curl_answer_header(&a, "Retry-After: 77\r\n", 17);
		CH_ASSERT(!a.is_header_done || strcmp(a.retry_after, before) == 0);
		check_kept(&a);
	}
	check_taken(&a);
	curl_answer_fini(&a);
	return 0;
}
