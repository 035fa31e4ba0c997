/* model/call.h - the words of a call record and the facts that others need of one.
 *
 * Role:      enumerations with their spellings, and struct call_facts: what the store indexes and
 *            the delivery rules ask. The record itself lives only as canonical bytes.
 * Units:     times are seconds since the Unix epoch, UTC.
 */
#ifndef CH_MODEL_CALL_H
#define CH_MODEL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/id.h"

enum call_status {
	CALL_IN_PROGRESS,
	CALL_CANCELED,
	CALL_COMPLETED,
	CALL_NO_ANSWER,
	CALL_VOICE_BOX,
	CALL_UNREACHABLE,
	CALL_FAILED,
	CALL_TRANSFERRED,
	CALL_REJECTED,
	CALL_FAILOVER,
	CALL_STATUS_COUNT
};

enum call_type { CALL_INBOUND, CALL_OUTBOUND };

/* "COMPLETED" and the like; never NULL for a value of the enum. */
const char *call_status_name(enum call_status s);
int call_status_parse(const char *text, size_t len, enum call_status *ret) CH_MUST_USE; /* CH_EINVAL */
const char *call_type_name(enum call_type t);
int call_type_parse(const char *text, size_t len, enum call_type *ret) CH_MUST_USE;

static inline bool call_status_is_final(enum call_status s)
{
	return s != CALL_IN_PROGRESS;
}

/* A set of statuses: bit 1 << status. */
typedef uint16_t call_status_set;

struct call_facts {
	struct id id;
	struct id agent_id;
	enum call_status status;
	enum call_type type;
	char phone[17]; /* "+" and up to 15 digits, NUL-terminated; "" when null */
	int64_t created_s;
	bool has_created; /* the input named it; false: created_s is the arrival */
};

#endif
