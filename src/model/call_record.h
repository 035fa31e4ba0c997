/* model/call_record.h - a call record between being read and being written.
 *
 * Role:      the inside of the codec, shared by call_parse (fills it), call_lists (checks the two
 *            lists), call_derive and call_write (write it).
 * Units:     seconds since the epoch; uint32_t places are nodes of doc, JSON_NONE: none.
 * Ownership: borrows the doc. An extractor's or classifier's node gets its name as key (so
 *            that model/json_keys can order and thin out the list as the object it is made into), and
 *            the place of its value as text.
 */
#ifndef CH_MODEL_CALL_RECORD_H
#define CH_MODEL_CALL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "model/call.h"
#include "model/call_codec.h"
#include "model/json_doc.h"
#include "model/problems.h"

#define CALL_F_PRIMARY 4 /* flag of a classifier's node, beside JSON_F_… */

enum call_field {
	CALL_ID,
	CALL_AGENT_ID,
	CALL_PHONE,
	CALL_TYPE,
	CALL_DURATION,
	CALL_START_TIME,
	CALL_END_TIME,
	CALL_ANONYMOUS,
	CALL_STATUS,
	CALL_EXTRACTORS,
	CALL_EXTRACTOR_DATA,
	CALL_CLASSIFIERS,
	CALL_CLASSIFIER_DATA,
	CALL_CONTEXT,
	CALL_RECORDED,
	CALL_SUMMARY,
	CALL_CREATED,
	CALL_FIELD_COUNT
};

struct call_record {
	struct json_doc *doc;
	struct problems *problems;
	bool is_bad;
	/* A nullable field that is null is JSON_NONE, like an absent one. */
	uint32_t fields[CALL_FIELD_COUNT];
	struct call_facts facts;
	bool has_start, has_end;
	int64_t start_s, end_s;
};

/* A problem at a node. */
void call_record_problem(struct call_record *r, uint32_t node, const char *fmt, ...) CH_PRINTF(3, 4);

/* "a string", "null" and the like: what a node is, in words. */
const char *call_record_kind(const struct call_record *r, uint32_t node);
/* Is it a string? If not, that is a problem. False also for a string with a problem of its own. */
bool call_record_is_string(struct call_record *r, uint32_t node);

/* Everything but the lists; expects a doc without problems of its own, or reports on top of them. */
void call_record_parse(struct call_record *r, const struct id *path_id, int64_t now_s);
void call_record_check_extractors(struct call_record *r, uint32_t list);
void call_record_check_classifiers(struct call_record *r, uint32_t list);

/* The canonical body of a record without problems. CH_ENOMEM, CH_ELIMIT (longer than max_bytes). */
int call_record_write(const struct call_record *r, size_t max_bytes, struct ch_buf *out) CH_MUST_USE;

#endif
