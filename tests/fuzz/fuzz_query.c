/* What a stranger may put into a query string and into the headers that the api reads itself, one a line:
 * query, If-Match, Content-Type, and a cursor, an id or a word. Any bytes are refused with a problem or read
 * into what can be shown.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/cursor.h"
#include "api/etag.h"
#include "api/media_type.h"
#include "api/query.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "model/account.h"
#include "model/delivery.h"
#include "model/json_utf8.h"
#include "policy/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	const char *end = text + strlen(text);
	for (const char *p = text; p < end;) {
		size_t n = json_utf8_len(p, end);
		CH_ASSERT(n > 0 && (unsigned char)*p >= 0x20);
		p += n;
	}
}

static void run_query(const char *raw)
{
	static const char *const known[] = {"from", "to", "state", "size", "after", NULL};
	struct problems problems;
	struct query q;

	problems_init(&problems);
	int rc = query_parse(raw, known, &q, &problems);
	CH_ASSERT((rc == 0) == (problems.count == 0));
	for (size_t i = 0; i < q.count; i++) {
		check_text(q.params[i].value);
		CH_ASSERT(query_get(&q, q.params[i].name) == q.params[i].value);
	}
	for (size_t i = 0; i < problems.count; i++)
		check_text(problems.items[i].detail);
	query_fini(&q);
	problems_fini(&problems);
}

static void run_etag(const char *header)
{
	struct etag_list strong;
	struct etag_list weak;
	int rc = etag_parse(header, false, &strong);

	CH_ASSERT(rc == 0 || rc == CH_EINVAL || rc == CH_ELIMIT);
	if (rc == 0 && etag_parse(header, true, &weak) == 0)
		CH_ASSERT(strong.count <= weak.count && strong.seen == weak.seen &&
				strong.is_any == weak.is_any);
}

static void run_cursor(const char *text)
{
	char back[CURSOR_TEXT_LEN + 1];
	char id_text[ID_TEXT_LEN + 1];
	struct id id;
	struct id again;

	if (cursor_parse(text, &id) == 0) {
		cursor_format(&id, back);
		CH_ASSERT(strcmp(text, back) == 0);
	}
	if (id_parse(text, strlen(text), &id) == 0) {
		id_format(&id, id_text);
		CH_ASSERT(strcmp(text, id_text) == 0);
		cursor_format(&id, back);
		CH_ASSERT(cursor_parse(back, &again) == 0 && id_equal(&id, &again));
	}
}

/* A word of one of our enumerations is that word when it is written again. */
static void run_words(const char *text)
{
	enum delivery_state state;
	enum attempt_outcome outcome;
	enum call_status status;
	enum scope scope;
	size_t len = strlen(text);

	if (delivery_state_parse(text, len, &state) == 0)
		CH_ASSERT(strcmp(delivery_state_name(state), text) == 0);
	if (attempt_outcome_parse(text, len, &outcome) == 0)
		CH_ASSERT(strcmp(attempt_outcome_name(outcome), text) == 0);
	if (call_status_parse(text, len, &status) == 0)
		CH_ASSERT(strcmp(call_status_name(status), text) == 0);
	if (scope_parse(text, len, &scope) == 0)
		CH_ASSERT(strcmp(scope_name(scope), text) == 0);
	if (account_id_check(text, len) == 0)
		CH_ASSERT(len <= ACCOUNT_ID_MAX && !strpbrk(text, "/ \\\"'") && strcmp(text, "..") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = ch_memdup0(data, size);
	char *lines[4] = {copy, NULL, NULL, NULL};

	CH_ASSERT(copy);
	for (int i = 1; i < 4 && lines[i - 1]; i++) {
		lines[i] = strchr(lines[i - 1], '\n');
		if (lines[i])
			*lines[i]++ = '\0';
	}
	run_query(lines[0]);
	if (lines[1])
		run_etag(lines[1]);
	if (lines[2])
		(void)media_type_is(lines[2], "application/json");
	if (lines[3]) {
		run_cursor(lines[3]);
		run_words(lines[3]);
	}
	ch_free(copy);
	return 0;
}
