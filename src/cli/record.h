/* cli/record.h - a call record read by a command: its canonical bytes, or what is wrong with it.
 *
 * Role:      shared by the commands that take a record.
 * Ownership: out is the caller's.
 * Errors:    CH_EINVAL with the first problem and its pointer in err, the count of the others behind it.
 */
#ifndef CH_CLI_RECORD_H
#define CH_CLI_RECORD_H

#include "base/buf.h"
#include "base/err.h"
#include "model/call.h"

int record_canonical(const char *json, size_t len, struct ch_buf *out, struct call_facts *ret,
		struct ch_err *err) CH_MUST_USE;

#endif
