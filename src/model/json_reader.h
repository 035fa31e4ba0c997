/* model/json_reader.h - a strict JSON reader.
 *
 * Role:      one pass over the input, which it checks and turns into a json_doc with canonical texts.
 *            Malformed JSON ends the reading with one problem that says where. What is well-formed
 *            but not taken (a key twice, a surrogate by itself, NUL, bytes that are not UTF-8, a
 *            number too large) is named and reading goes on, so that all are named at once.
 * Units:     bytes; lines and columns count from 1, columns in characters.
 * Ownership: the doc borrows the input.
 * Errors:    CH_EINVAL: problems says why; CH_ENOMEM.
 * Source:    RFC 8259, RFC 3629, RFC 6901 (the pointers).
 */
#ifndef CH_MODEL_JSON_READER_H
#define CH_MODEL_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "model/json_doc.h"
#include "model/problems.h"

/* 0 also when there were problems that reading could go past: *ret_clean is false then. */
int json_read(struct json_doc *d, const char *input, size_t len, struct problems *problems,
		bool *ret_clean) CH_MUST_USE;

#endif
