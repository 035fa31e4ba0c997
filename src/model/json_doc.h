/* model/json_doc.h - a JSON document as a flat list of nodes.
 *
 * Role:      what model/json_reader makes of an input and the record's code walks. Nodes lie in
 *            document order: a container's first child is the next node, and end is where its
 *            next sibling lies, so that a document needs no pointer and no allocation per node.
 * Units:     text lengths are bytes of canonical text: strings as JSON.stringify writes them, without
 *            the quotes; numbers as ECMAScript prints them. Canonical texts are equal exactly when
 *            the values are, so keys are compared as they lie.
 * Ownership: the doc owns nodes, arena and scratch, and keeps them for the next document; input is
 *            borrowed while the document is in use.
 * Threads:   one.
 * Errors:    CH_ENOMEM.
 * Invariant: a text refers to the input when it was canonical there, else to the arena.
 */
#ifndef CH_MODEL_JSON_DOC_H
#define CH_MODEL_JSON_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define JSON_INPUT_MAX (256u * 1024 * 1024) /* so that offsets into input and arena fit 31 bits */
#define JSON_DEPTH_MAX 128 /* containers inside each other, the root included */
#define JSON_KEEP_BYTES (256u * 1024) /* scratch memory kept from one document to the next */
#define JSON_IN_ARENA 0x80000000u
#define JSON_NONE UINT32_MAX

enum json_type {
	JSON_T_NULL,
	JSON_T_FALSE,
	JSON_T_TRUE,
	JSON_T_NUMBER,
	JSON_T_STRING,
	JSON_T_ARRAY,
	JSON_T_OBJECT
};

enum {
	JSON_F_BAD = 1, /* its text breaks a rule, and the problem is on the list already */
	JSON_F_INDEX_KEYS = 2 /* an object: some key is an array index, so the order must be made */
};

struct json_node {
	uint32_t text; /* number, string: where the canonical text is */
	uint32_t text_len; /* number, string: bytes; array, object: how many children */
	uint32_t key; /* member of an object: its key's text */
	uint32_t key_len;
	uint32_t end; /* the index behind the last node inside */
	uint8_t type; /* enum json_type */
	uint8_t flags; /* JSON_F_… */
	uint8_t height; /* array, object: containers inside each other, this one included; else 0 */
};

struct json_doc {
	const char *input;
	size_t input_len;
	struct json_node *nodes;
	uint32_t node_count, node_cap;
	char *arena;
	uint32_t arena_len, arena_cap;
	uint32_t *scratch; /* a stack: lists being ordered, tables of hashes */
	uint32_t scratch_len, scratch_cap;
	uint64_t seed[2]; /* of the hashes of keys, random */
};

void json_doc_init(struct json_doc *d);
void json_doc_fini(struct json_doc *d);
void json_doc_trim(struct json_doc *d); /* the document is done with: frees what is above JSON_KEEP_BYTES */

int json_doc_grow_nodes(struct json_doc *d) CH_MUST_USE; /* room for one more */
int json_doc_grow_arena(struct json_doc *d, size_t more) CH_MUST_USE; /* room for more bytes */
int json_doc_grow_scratch(struct json_doc *d, uint32_t more) CH_MUST_USE; /* room for more entries */

static inline const char *json_text(const struct json_doc *d, uint32_t ref)
{
	return ref & JSON_IN_ARENA ? d->arena + (ref & ~JSON_IN_ARENA) : d->input + ref;
}

static inline const struct json_node *json_node(const struct json_doc *d, uint32_t at)
{
	return &d->nodes[at];
}

#endif
