#include "policy/outcome.h"

#include "base/assert.h"
#include "base/time_text.h"

#define SUSPEND_FIRST_S 30

static int64_t clamp_s(int64_t s)
{
	if (s < RETRY_AFTER_MIN_S)
		return RETRY_AFTER_MIN_S;
	return s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : s;
}

static struct outcome failure(void)
{
	return (struct outcome){OUTCOME_RETRY, OUTCOME_FAILURE, 0};
}

static struct outcome suspended(int64_t s)
{
	return (struct outcome){OUTCOME_RETRY, OUTCOME_SUSPENDED, clamp_s(s)};
}

/* 30 s, 60 s, … up to a day. */
static int64_t doubled(int suspensions)
{
	int64_t s = SUSPEND_FIRST_S;
	for (int i = 0; i < suspensions && s < RETRY_AFTER_MAX_S; i++)
		s *= 2;
	return s;
}

static struct outcome answered_4xx(const struct attempt *a, int suspensions)
{
	switch (a->status) {
	case 408: /* it gave up reading in time: as good as a timeout of ours */
	case 425: /* it will not take early data, and there was none to take */
		return failure();
	case 410:
		return (struct outcome){OUTCOME_PARK, OUTCOME_GONE, 0};
	case 429:
		return suspended(a->retry_after_s > 0 ? a->retry_after_s : doubled(suspensions));
	default:
		return (struct outcome){OUTCOME_RETRY, OUTCOME_HEALTHY, 0};
	}
}

static struct outcome answered(const struct attempt *a, int suspensions)
{
	switch (a->status / 100) {
	case 2:
		return (struct outcome){OUTCOME_DELIVERED, OUTCOME_HEALTHY, 0};
	case 3:
		return (struct outcome){OUTCOME_RETRY, OUTCOME_HEALTHY, 0};
	case 4:
		return answered_4xx(a, suspensions);
	case 5:
		if (a->status == 503 && a->retry_after_s > 0)
			return suspended(a->retry_after_s);
		return failure();
	default:
		/* 1xx is never a final answer, and RFC 9110 knows no class above 5. */
		return failure();
	}
}

struct outcome outcome_of(const struct attempt *a, int suspensions)
{
	CH_ASSERT(suspensions >= 0);
	switch (a->outcome) {
	case ATTEMPT_ANSWERED:
		return answered(a, suspensions);
	case ATTEMPT_TIMEOUT:
	case ATTEMPT_REFUSED:
	case ATTEMPT_RESET:
	case ATTEMPT_DNS:
	case ATTEMPT_TLS:
	case ATTEMPT_ADDRESS:
	case ATTEMPT_MALFORMED:
		return failure();
	case ATTEMPT_LOCAL:
		return (struct outcome){OUTCOME_AGAIN, OUTCOME_UNTOUCHED, 0};
	case ATTEMPT_OUTCOME_COUNT:
		break;
	}
	CH_UNREACHABLE();
}

/* False when there is anything but digits; more seconds than a day stay more than a day. */
static bool seconds_parse(const char *value, size_t len, int64_t *ret)
{
	int64_t s = 0;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return false;
		if (s <= RETRY_AFTER_MAX_S)
			s = s * 10 + (value[i] - '0');
	}
	*ret = s;
	return len > 0;
}

int64_t retry_after_parse(const char *value, size_t len, const char *date, size_t date_len, int64_t now_s)
{
	int64_t s, then_s, base_s;
	if (seconds_parse(value, len, &s))
		return clamp_s(s);
	if (len == 0 || time_text_parse_http(value, len, &then_s) != 0)
		return -1;
	/* Both dates come from one clock, so its being wrong cancels out. */
	if (date == NULL || date_len == 0 || time_text_parse_http(date, date_len, &base_s) != 0)
		base_s = now_s;
	return clamp_s(then_s - base_s);
}
