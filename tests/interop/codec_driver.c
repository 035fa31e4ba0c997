/* The codec at the end of a pipe, for tests in other languages.
 *
 *   codec_driver records   one record a line; answers its canonical body or {"problems":[…]} a line
 *   codec_driver numbers   the bits of a double in hex a line; answers the number a line
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/call_codec.h"

#define MAX_BYTES (1024 * 1024)
#define NOW_S 1722350700 /* 2024-07-30T14:45:00Z */

static void answer_problems(const struct problems *problems)
{
	json_t *list = json_array();
	for (size_t i = 0; i < problems->count; i++) {
		const struct problem *p = &problems->items[i];
		json_t *item = json_pack("{s:s,s:s}", "pointer", p->pointer, "detail", p->detail);
		CH_ASSERT(item);
		json_array_append_new(list, item);
	}
	json_t *answer = json_pack("{s:o,s:b}", "problems", list, "truncated", problems->truncated);
	CH_ASSERT(answer);
	json_dumpf(answer, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(answer);
}

static void answer_record(struct call_codec *codec, const char *line, size_t len, struct ch_buf *out)
{
	struct problems problems;
	struct call_facts facts;
	problems_init(&problems);
	int rc = call_codec_run(codec, line, len, NULL, NOW_S, out, &facts, &problems);
	if (rc == 0) {
		fwrite(out->data, 1, out->len, stdout);
		putchar('\n');
	} else {
		answer_problems(&problems);
	}
	problems_fini(&problems);
}

static void answer_number(const char *line, struct ch_buf *out)
{
	uint64_t bits = strtoull(line, NULL, 16);
	double value;
	memcpy(&value, &bits, sizeof value);
	ch_buf_clear(out);
	call_number_write(out, value);
	puts(ch_buf_text(out));
}

int main(int argc, char **argv)
{
	if (argc != 2 || (strcmp(argv[1], "records") != 0 && strcmp(argv[1], "numbers") != 0)) {
		fprintf(stderr, "usage: codec_driver records|numbers\n");
		return 2;
	}
	bool is_records = argv[1][0] == 'r';
	struct call_codec *codec = call_codec_create(MAX_BYTES);
	struct ch_buf out;
	ch_buf_init(&out, MAX_BYTES);
	CH_ASSERT(codec);
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	while ((len = getline(&line, &room, stdin)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		if (is_records)
			answer_record(codec, line, (size_t)len, &out);
		else
			answer_number(line, &out);
	}
	free(line);
	ch_buf_fini(&out);
	call_codec_destroy(&codec);
	return fflush(stdout) == 0 ? 0 : 1;
}
