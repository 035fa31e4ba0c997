#include "model/delivery.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

static const char *const state_names[DELIVERY_STATE_COUNT] = {
		[DELIVERY_PENDING] = "PENDING",
		[DELIVERY_DELIVERING] = "DELIVERING",
		[DELIVERY_DELIVERED] = "DELIVERED",
		[DELIVERY_FAILED] = "FAILED",
		[DELIVERY_PARKED] = "PARKED",
		[DELIVERY_CANCELED] = "CANCELED",
};

static const char *const outcome_names[ATTEMPT_OUTCOME_COUNT] = {
		[ATTEMPT_ANSWERED] = "answered",
		[ATTEMPT_TIMEOUT] = "timeout",
		[ATTEMPT_REFUSED] = "refused",
		[ATTEMPT_RESET] = "reset",
		[ATTEMPT_DNS] = "dns",
		[ATTEMPT_TLS] = "tls",
		[ATTEMPT_ADDRESS] = "address",
		[ATTEMPT_MALFORMED] = "malformed",
		[ATTEMPT_LOCAL] = "local",
};

static int name_find(const char *const *names, int count, const char *text, size_t len)
{
	for (int i = 0; i < count; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
			return i;
	}
	return -1;
}

const char *delivery_state_name(enum delivery_state s)
{
	CH_ASSERT((unsigned)s < DELIVERY_STATE_COUNT);
	return state_names[s];
}

int delivery_state_parse(const char *text, size_t len, enum delivery_state *ret)
{
	int i = name_find(state_names, DELIVERY_STATE_COUNT, text, len);
	if (i < 0)
		return CH_EINVAL;
	*ret = (enum delivery_state)i;
	return 0;
}

const char *attempt_outcome_name(enum attempt_outcome o)
{
	CH_ASSERT((unsigned)o < ATTEMPT_OUTCOME_COUNT);
	return outcome_names[o];
}

int attempt_outcome_parse(const char *text, size_t len, enum attempt_outcome *ret)
{
	int i = name_find(outcome_names, ATTEMPT_OUTCOME_COUNT, text, len);
	if (i < 0)
		return CH_EINVAL;
	*ret = (enum attempt_outcome)i;
	return 0;
}

void attempt_fini(struct attempt *a)
{
	ch_free(a->detail);
	ch_free(a->request_headers);
	ch_free(a->location);
	ch_free(a->answer);
	a->detail = a->request_headers = a->location = a->answer = NULL;
	a->answer_len = 0;
}

void delivery_fini(struct delivery *d)
{
	ch_free(d->reason);
	d->reason = NULL;
	ch_bytes_unref(&d->body);
}
