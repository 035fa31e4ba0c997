#include "policy/retry.h"

#include <string.h>

#include "base/assert.h"

#define PAUSE_MAX_S 604800

struct retry_schedule retry_schedule_default(void)
{
	return (struct retry_schedule){
			.pause_s = {5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 86400},
			.count = 11,
	};
}

static int unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	default:
		return 0;
	}
}

static int pause_parse(const char *text, size_t len, int32_t *ret)
{
	int64_t n = 0;
	int unit = len < 2 ? 0 : unit_seconds(text[len - 1]);
	if (unit == 0)
		return CH_EINVAL;
	for (size_t i = 0; i < len - 1; i++) {
		if (text[i] < '0' || text[i] > '9')
			return CH_EINVAL;
		if (n <= PAUSE_MAX_S)
			n = n * 10 + (text[i] - '0');
	}
	if (n * unit < 1 || n * unit > PAUSE_MAX_S)
		return CH_ELIMIT;
	*ret = (int32_t)(n * unit);
	return 0;
}

static int pause_failed(int code, const char *text, size_t len, struct ch_err *err)
{
	int shown = len > 40 ? 40 : (int)len;
	if (code == CH_ELIMIT)
		return ch_err_set(err, CH_EINVAL, "retry schedule: \"%.*s\" is not between 1s and 7d", shown,
				text);
	return ch_err_set(err, CH_EINVAL,
			"retry schedule: \"%.*s\" is not a pause: a whole number with s, m, h or d is needed",
			shown, text);
}

int retry_schedule_parse(const char *text, struct retry_schedule *ret, struct ch_err *err)
{
	struct retry_schedule s = {.count = 0};
	for (const char *p = text;; p++) {
		size_t len = strcspn(p, ",");
		if (s.count == RETRY_PAUSES_MAX)
			return ch_err_set(err, CH_EINVAL, "retry schedule: more than %d pauses",
					RETRY_PAUSES_MAX);
		int r = pause_parse(p, len, &s.pause_s[s.count]);
		if (r != 0)
			return pause_failed(r, p, len, err);
		s.count++;
		p += len;
		if (*p == '\0')
			break;
	}
	*ret = s;
	return 0;
}

bool retry_next(const struct retry_schedule *s, int tries, struct ch_wall now, int64_t not_before_ms,
		const struct ch_rand *rand, struct ch_wall *ret_due)
{
	CH_ASSERT(tries >= 1 && s->count >= 0 && s->count <= RETRY_PAUSES_MAX);
	if (tries > s->count)
		return false;
	double factor = 1.0 - RETRY_JITTER + 2.0 * RETRY_JITTER * ch_rand_unit(rand);
	int64_t due_ms = now.ms + (int64_t)((double)s->pause_s[tries - 1] * 1000.0 * factor);
	ret_due->ms = due_ms > not_before_ms ? due_ms : not_before_ms;
	return true;
}
