#include "model/json_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "model/call_number.h"
#include "model/json_keys.h"
#include "model/json_pointer.h"
#include "model/json_scan.h"
#include "model/json_utf8.h"

#define SAFE_INTEGER_TEXT "9007199254740991"
#define SAFE_INTEGER_DIGITS 16

/* A container that is open. */
struct frame {
	uint32_t node;
	uint32_t children; /* finished ones */
	uint32_t key, key_len;
	uint8_t type;
	uint8_t height; /* of the highest child */
	uint8_t flags;
	bool may_have_double; /* two keys fell on the same bit of keys_seen */
	uint64_t keys_seen;
	bool has_member; /* between the start of a member and its end: the place is inside it */
};

struct reader {
	struct json_doc *d;
	const char *p;
	const char *end;
	struct problems *problems;
	bool clean;
	int depth;
	struct frame frames[JSON_DEPTH_MAX];
};

static void place_of(const struct reader *r, struct json_pointer *ret)
{
	json_pointer_init(ret);
	for (int i = 0; i < r->depth; i++) {
		const struct frame *f = &r->frames[i];
		if (!f->has_member)
			break;
		if (f->type == JSON_T_OBJECT)
			json_pointer_add_key(ret, json_text(r->d, f->key), f->key_len);
		else
			json_pointer_add_index(ret, f->children);
	}
}

/* A problem at the present place that reading goes past. */
static void note(struct reader *r, const char *fmt, ...) CH_PRINTF(2, 3);

static void note(struct reader *r, const char *fmt, ...)
{
	r->clean = false;
	if (r->problems->truncated || r->problems->count == PROBLEMS_MAX) {
		r->problems->truncated = true;
		return;
	}
	struct json_pointer pointer;
	place_of(r, &pointer);
	char words[160];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	problems_add(r->problems, pointer.text, "%s", words);
}

static int malformed(struct reader *r, const char *at, const char *words)
{
	const char *input = r->d->input;
	size_t line = 1, column = 1;
	for (const char *p = input; p < at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (!json_utf8_is_tail((unsigned char)*p)) {
			column++;
		}
	}
	note(r, "malformed JSON at byte %zu (line %zu, column %zu): %s", (size_t)(at - input), line, column,
			words);
	return CH_EINVAL;
}

static inline void skip_space(struct reader *r)
{
	const uint64_t spaces = 1ull << ' ' | 1ull << '\n' | 1ull << '\r' | 1ull << '\t';
	const char *p = r->p;
	while (p < r->end && (unsigned char)*p <= ' ' && (spaces >> *p & 1))
		p++;
	r->p = p;
}

/* A new node for the value at the present place. The reference holds until the next one. */
static inline struct json_node *add_node(struct reader *r, enum json_type type)
{
	struct json_doc *d = r->d;
	if (d->node_count == d->node_cap && json_doc_grow_nodes(d))
		return NULL;
	struct json_node *n = &d->nodes[d->node_count++];
	*n = (struct json_node){.type = (uint8_t)type, .end = d->node_count};
	if (r->depth > 0) {
		n->key = r->frames[r->depth - 1].key;
		n->key_len = r->frames[r->depth - 1].key_len;
	}
	return n;
}

static inline void value_done(struct reader *r, uint8_t height)
{
	if (r->depth == 0)
		return;
	struct frame *f = &r->frames[r->depth - 1];
	f->children++;
	f->has_member = false;
	if (height > f->height)
		f->height = height;
}

static int open_container(struct reader *r, enum json_type type)
{
	if (r->depth == JSON_DEPTH_MAX)
		return malformed(r, r->p, "nested more than 128 levels deep");
	_Static_assert(JSON_DEPTH_MAX == 128, "the words above");
	if (!add_node(r, type))
		return CH_ENOMEM;
	r->p++;
	r->frames[r->depth++] = (struct frame){.node = r->d->node_count - 1, .type = (uint8_t)type};
	return 0;
}

static void note_double_key(void *ctx, uint32_t node)
{
	struct reader *r = ctx;
	struct frame *f = &r->frames[r->depth - 1];
	f->key = json_node(r->d, node)->key;
	f->key_len = json_node(r->d, node)->key_len;
	f->has_member = true;
	note(r, "this key is there more than once");
	f->has_member = false;
}

static int close_container(struct reader *r)
{
	struct frame *f = &r->frames[r->depth - 1];
	struct json_node *n = &r->d->nodes[f->node];
	r->p++;
	n->end = r->d->node_count;
	n->text_len = f->children;
	n->flags = f->flags;
	n->height = (uint8_t)(f->height + 1);
	uint8_t height = n->height;
	if (f->may_have_double) {
		int rc = json_keys_find_double(r->d, f->node, note_double_key, r);
		if (rc)
			return rc;
	}
	r->depth--;
	value_done(r, height);
	return 0;
}

/* At the opening quote. */
static inline int read_text(struct reader *r, struct json_scan *s)
{
	int rc = json_scan_string(r->d, r->p + 1, s);
	if (rc == CH_EINVAL)
		return malformed(r, s->at, s->fatal);
	if (rc)
		return rc;
	r->p = s->at;
	return 0;
}

static void note_bad_text(struct reader *r, const struct json_scan *s, const char *what)
{
	note(r, "%s %s (byte %zu)", what, s->bad, (size_t)(s->bad_at - r->d->input));
}

static int read_string(struct reader *r)
{
	struct json_scan s;
	int rc = read_text(r, &s);
	if (rc)
		return rc;
	struct json_node *n = add_node(r, JSON_T_STRING);
	if (!n)
		return CH_ENOMEM;
	n->text = s.text;
	n->text_len = s.text_len;
	if (s.bad) {
		n->flags = JSON_F_BAD;
		note_bad_text(r, &s, "the text");
	}
	value_done(r, 0);
	return 0;
}

/* Most objects are small, and no two of their keys fall on the same of 64 bits: then none is there twice,
 * and no pair has to be compared. The factor keeps the record's own fields apart. */
static inline void see_key(struct frame *f, const char *key, uint32_t len)
{
	unsigned at = len == 0 ? 0 : (len + 3u * (unsigned char)key[0] + (unsigned char)key[len - 1]) & 63;
	uint64_t bit = UINT64_C(1) << at;
	f->may_have_double |= (f->keys_seen & bit) != 0;
	f->keys_seen |= bit;
}

static int read_key(struct reader *r)
{
	if (r->p == r->end || *r->p != '"')
		return malformed(r, r->p, "expected a key in double quotes");
	struct json_scan s;
	int rc = read_text(r, &s);
	if (rc)
		return rc;
	struct frame *f = &r->frames[r->depth - 1];
	f->key = s.text;
	f->key_len = s.text_len;
	f->has_member = true;
	const char *key = json_text(r->d, s.text);
	see_key(f, key, s.text_len);
	if (json_key_is_index(key, s.text_len))
		f->flags |= JSON_F_INDEX_KEYS;
	if (s.bad)
		note_bad_text(r, &s, "the key");
	skip_space(r);
	if (r->p == r->end || *r->p != ':')
		return malformed(r, r->p, "expected a colon behind the key");
	r->p++;
	skip_space(r);
	return 0;
}

static inline bool is_digit(const struct reader *r, const char *p)
{
	return p < r->end && *p >= '0' && *p <= '9';
}

/* Past the digits at p; NULL when there are none. */
static inline const char *skip_digits(const struct reader *r, const char *p)
{
	if (!is_digit(r, p))
		return NULL;
	while (is_digit(r, p))
		p++;
	return p;
}

/* Past the fraction and the exponent at p, if there are; NULL: malformed, and named. */
static const char *skip_fraction(struct reader *r, const char *p)
{
	const char *at = p;
	if (p < r->end && *p == '.')
		at = p = skip_digits(r, p + 1);
	if (at && p < r->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < r->end && (*p == '+' || *p == '-'))
			p++;
		at = p = skip_digits(r, p);
	}
	if (!at)
		(void)malformed(r, r->p, "a number that is not finished");
	return p;
}

static int number_node(struct reader *r, uint32_t text, uint32_t len, bool is_bad)
{
	struct json_node *n = add_node(r, JSON_T_NUMBER);
	if (!n)
		return CH_ENOMEM;
	n->text = text;
	n->text_len = len;
	n->flags = is_bad ? JSON_F_BAD : 0;
	value_done(r, 0);
	return 0;
}

/* A number whose spelling may not be the canonical one. */
static int read_other_number(struct reader *r, const char *token)
{
	struct json_doc *d = r->d;
	if (json_doc_grow_arena(d, CALL_NUMBER_TEXT_MAX))
		return CH_ENOMEM;
	size_t len = 0;
	int rc = call_number_canonical(token, (size_t)(r->p - token), d->arena + d->arena_len, &len);
	if (rc == CH_EINVAL)
		note(r, "an integer beyond " SAFE_INTEGER_TEXT
			" (2^53-1) can't be kept exactly by every receiver");
	else if (rc)
		note(r, "the number is too large");
	uint32_t text = d->arena_len | JSON_IN_ARENA;
	d->arena_len += (uint32_t)len;
	return number_node(r, text, (uint32_t)len, rc != 0);
}

static int read_number(struct reader *r)
{
	const char *token = r->p, *p = token;
	bool is_negative = *p == '-';
	p += is_negative;
	const char *digits = p;
	p = skip_digits(r, p);
	if (!p)
		return malformed(r, token, "a minus sign without a number");
	if (*digits == '0' && p > digits + 1)
		return malformed(r, token, "a number must not begin with 0");
	bool is_integer = p == r->end || (*p != '.' && *p != 'e' && *p != 'E');
	if (!is_integer) {
		p = skip_fraction(r, p);
		if (!p)
			return CH_EINVAL;
	}
	r->p = p;
	bool is_minus_zero = is_negative && *digits == '0';
	if (!is_integer || is_minus_zero || p - digits >= SAFE_INTEGER_DIGITS)
		return read_other_number(r, token);
	return number_node(r, (uint32_t)(token - r->d->input), (uint32_t)(p - token), false);
}

static int read_word(struct reader *r, const char *word, size_t len, enum json_type type)
{
	if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
		return malformed(r, r->p, "expected a value");
	r->p += len;
	if (!add_node(r, type))
		return CH_ENOMEM;
	value_done(r, 0);
	return 0;
}

static int read_value(struct reader *r)
{
	if (r->p == r->end)
		return malformed(r, r->p,
				r->d->input_len == 0 ? "the input is empty" : "the input ends too early");
	switch (*r->p) {
	case '"':
		return read_string(r);
	case '{':
		return open_container(r, JSON_T_OBJECT);
	case '[':
		return open_container(r, JSON_T_ARRAY);
	case 't':
		return read_word(r, "true", 4, JSON_T_TRUE);
	case 'f':
		return read_word(r, "false", 5, JSON_T_FALSE);
	case 'n':
		return read_word(r, "null", 4, JSON_T_NULL);
	default:
		if (*r->p == '-' || is_digit(r, r->p))
			return read_number(r);
		return malformed(r, r->p, "expected a value");
	}
}

/* Inside the innermost open container: its next member, or its end. */
static int step(struct reader *r)
{
	struct frame *f = &r->frames[r->depth - 1];
	bool is_object = f->type == JSON_T_OBJECT;
	skip_space(r);
	if (r->p == r->end)
		return malformed(r, r->p, "the input ends too early");
	if (*r->p == (is_object ? '}' : ']'))
		return close_container(r);
	if (f->children > 0) {
		if (*r->p != ',')
			return malformed(r, r->p,
					is_object ? "expected a comma or a closing brace"
						  : "expected a comma or a closing bracket");
		r->p++;
		skip_space(r);
	}
	if (is_object) {
		int rc = read_key(r);
		if (rc)
			return rc;
	}
	f->has_member = true;
	return read_value(r);
}

int json_read(struct json_doc *d, const char *input, size_t len, struct problems *problems, bool *ret_clean)
{
	CH_ASSERT(len <= JSON_INPUT_MAX);
	struct reader r;
	d->input = input ? input : "";
	d->input_len = len;
	d->node_count = d->arena_len = d->scratch_len = 0;
	r.d = d;
	r.p = d->input;
	r.end = d->input + len;
	r.problems = problems;
	r.clean = true;
	r.depth = 0;
	if (len >= 3 && memcmp(d->input, "\xef\xbb\xbf", 3) == 0)
		return malformed(&r, d->input, "a byte order mark is not taken");
	skip_space(&r);
	int rc = read_value(&r);
	while (rc == 0 && r.depth > 0)
		rc = step(&r);
	if (rc)
		return rc;
	skip_space(&r);
	if (r.p < r.end)
		return malformed(&r, r.p, "there is more behind the end of the document");
	*ret_clean = r.clean;
	return 0;
}
