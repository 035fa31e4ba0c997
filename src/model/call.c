#include "model/call.h"

#include <string.h>

#include "base/assert.h"
#include "base/err.h"

static const char *const STATUS_NAMES[CALL_STATUS_COUNT] = {
		[CALL_IN_PROGRESS] = "IN_PROGRESS",
		[CALL_CANCELED] = "CANCELED",
		[CALL_COMPLETED] = "COMPLETED",
		[CALL_NO_ANSWER] = "NO_ANSWER",
		[CALL_VOICE_BOX] = "VOICE_BOX",
		[CALL_UNREACHABLE] = "UNREACHABLE",
		[CALL_FAILED] = "FAILED",
		[CALL_TRANSFERRED] = "TRANSFERRED",
		[CALL_REJECTED] = "REJECTED",
		[CALL_FAILOVER] = "FAILOVER",
};

static const char *const TYPE_NAMES[] = {[CALL_INBOUND] = "INBOUND", [CALL_OUTBOUND] = "OUTBOUND"};

static bool is_name(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && memcmp(name, text, len) == 0;
}

const char *call_status_name(enum call_status s)
{
	CH_ASSERT((unsigned)s < CALL_STATUS_COUNT);
	return STATUS_NAMES[s];
}

int call_status_parse(const char *text, size_t len, enum call_status *ret)
{
	for (int i = 0; i < CALL_STATUS_COUNT; i++) {
		if (is_name(STATUS_NAMES[i], text, len)) {
			*ret = (enum call_status)i;
			return 0;
		}
	}
	return CH_EINVAL;
}

const char *call_type_name(enum call_type t)
{
	CH_ASSERT(t == CALL_INBOUND || t == CALL_OUTBOUND);
	return TYPE_NAMES[t];
}

int call_type_parse(const char *text, size_t len, enum call_type *ret)
{
	for (int i = CALL_INBOUND; i <= CALL_OUTBOUND; i++) {
		if (is_name(TYPE_NAMES[i], text, len)) {
			*ret = (enum call_type)i;
			return 0;
		}
	}
	return CH_EINVAL;
}
