#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/remote.h"

/* Smaller than what a request may hold: others get their turn, and what has to be sent again is less. */
#define SLICE_DEFAULT "4194304"
#define SLICE_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define ANSWER_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define TIMEOUT_S 300
/* Lines that the server could not take just now are sent again, each time after twice as long. */
#define TRIES 8
#define PAUSE_FIRST_MS 500

static const struct opt_spec specs[] = {
		REMOTE_SERVER_OPT,
		REMOTE_ACCOUNT_OPTS,
		{.name = "slice",
				.arg = "BYTES",
				.fallback = SLICE_DEFAULT,
				.help = "how much goes in one request, to 16777216"},
		{.name = "quiet", .help = "no progress"},
		{.name = "json", .help = "refused lines and the sums as JSON objects, one a line"},
		{0},
};

static const struct opts_page page = {
		.command = "import",
		.usage = "[options] [FILE|-]",
		.about = "Writes call records to a server: NDJSON, one record a line, from a file or "
			 "standard "
			 "input.\n"
			 "Lines that are refused are named, with the place in the record, and stop no other. "
			 "Importing the\n"
			 "same file again changes nothing, so an import that was cut off is simply done "
			 "again.\n"
			 "Exits 1 when a line was refused.",
		.example = "  callhook import calls.ndjson --server https://callhook.example.com",
		.specs = specs,
		.args_max = 1,
};

/* A line of the slice. */
struct row {
	int64_t number; /* in the file, from 1 */
	size_t at, len; /* in the slice, with its line end */
	bool is_answered;
};

struct import {
	struct remote *remote;
	const char *name; /* of the file, for people */
	struct progress progress;
	bool is_json;
	size_t slice_bytes;
	int64_t line, read_bytes, total_bytes; /* total 0: not known */
	struct ch_buf slice;
	struct row *rows;
	size_t row_count, row_cap;
	int64_t lines, created, known, refused;
};

static void show(struct import *im, bool is_end)
{
	char words[120];

	snprintf(words, sizeof(words),
			"%" PRId64 " lines, %" PRId64 " created, %" PRId64 " known, %" PRId64 " refused",
			im->lines, im->created, im->known, im->refused);
	if (is_end)
		progress_last(&im->progress, im->read_bytes, im->total_bytes, words);
	else
		progress_show(&im->progress, im->read_bytes, im->total_bytes, words);
}

/* ---- what the server says of a line ---- */

static void report(struct import *im, int64_t number, json_t *answer)
{
	const json_t *first = json_array_get(json_object_get(answer, "errors"), 0);
	const char *words = first ? remote_text(first, "detail") : remote_text(answer, "detail");
	const char *pointer = remote_text(first, "pointer");

	im->refused++;
	progress_end(&im->progress);
	json_object_set_new(answer, "line", json_integer(number));
	if (im->is_json)
		remote_print(answer);
	else
		fprintf(stderr, "%s:%" PRId64 ": %" PRId64 ", %s%s%s\n", im->name, number,
				remote_number(answer, "status"), pointer, *pointer ? ": " : "", words);
}

/* Lines are numbered as they were sent: none of them is blank. */
static void take_answer(struct import *im, json_t *answer)
{
	int64_t at = remote_number(answer, "line"), status = remote_number(answer, "status");

	if (at < 1 || at > (int64_t)im->row_count || im->rows[at - 1].is_answered)
		return;
	if (status == 429 || status >= 500)
		return;
	struct row *row = &im->rows[at - 1];
	row->is_answered = true;
	im->lines++;
	im->created += status == 201;
	im->known += status == 200;
	if (status >= 400)
		report(im, row->number, answer);
}

static void take_answers(struct import *im, const struct ch_buf *text)
{
	const char *at = ch_buf_text(text);

	while (*at) {
		size_t len = strcspn(at, "\n");
		json_t *answer = json_loadb(at, len, 0, NULL);

		take_answer(im, answer);
		json_decref(answer);
		at += len + (at[len] == '\n');
	}
}

/* ---- a slice ---- */

/* Only those without an answer stay. */
static void keep_unanswered(struct import *im)
{
	size_t count = 0, len = 0;

	for (size_t i = 0; i < im->row_count; i++) {
		struct row row = im->rows[i];

		if (row.is_answered)
			continue;
		memmove(im->slice.data + len, im->slice.data + row.at, row.len);
		row.at = len;
		len += row.len;
		im->rows[count++] = row;
	}
	im->row_count = count;
	im->slice.len = len;
}

static int send_once(struct import *im, struct ch_err *err)
{
	const struct remote_ask ask = {.method = "POST",
			.path = "/v1/calls/import",
			.raw = im->slice.data,
			.raw_len = im->slice.len,
			.raw_type = "application/x-ndjson",
			.timeout_s = TIMEOUT_S};
	struct ch_buf answer;

	ch_buf_init(&answer, ANSWER_MAX_BYTES);
	int rc = remote_ask_raw(im->remote, &ask, &answer, err);
	if (rc == 0)
		take_answers(im, &answer);
	ch_buf_fini(&answer);
	return rc;
}

static int send_slice(struct import *im, struct ch_err *err)
{
	for (int try = 0; im->row_count > 0; try++) {
		if (try == TRIES)
			return ch_err_set(err, CH_EIO,
					"the server does not take line %" PRId64
					" and %zu more: try again later",
					im->rows[0].number, im->row_count - 1);
		if (try > 0 && !interrupt_wait((int64_t)PAUSE_FIRST_MS << (try - 1)))
			return ch_err_set(err, CH_ECANCELED, "stopped");
		int rc = send_once(im, err);
		if (rc != 0)
			return rc;
		keep_unanswered(im);
		show(im, false);
	}
	im->slice.len = 0;
	return 0;
}

/* ---- the file ---- */

static bool is_blank(const char *line, size_t len)
{
	return strspn(line, " \t\r\n") >= len;
}

static int add_row(struct import *im, const char *line, size_t len, struct ch_err *err)
{
	bool has_end = line[len - 1] == '\n';

	if (im->row_count == im->row_cap) {
		size_t cap = im->row_cap ? im->row_cap * 2 : 1024;
		struct row *grown = ch_realloc(im->rows, cap * sizeof(*grown));

		if (!grown)
			return ch_err_set(err, CH_ENOMEM, "out of memory");
		im->rows = grown;
		im->row_cap = cap;
	}
	im->rows[im->row_count++] =
			(struct row){.number = im->line, .at = im->slice.len, .len = len + !has_end};
	ch_buf_add(&im->slice, line, len);
	if (!has_end)
		ch_buf_addc(&im->slice, '\n');
	if (im->slice.err == CH_ELIMIT)
		return ch_err_set(err, CH_ELIMIT, "%s:%" PRId64 ": the line is larger than a request may be",
				im->name, im->line);
	return im->slice.err ? ch_err_set(err, CH_ENOMEM, "out of memory") : 0;
}

static int take_line(struct import *im, const char *line, size_t len, struct ch_err *err)
{
	int rc = 0;

	im->line++;
	im->read_bytes += (int64_t)len;
	if (is_blank(line, len))
		return 0;
	if (im->row_count > 0 && im->slice.len + len + 1 > im->slice_bytes)
		rc = send_slice(im, err);
	return rc == 0 ? add_row(im, line, len, err) : rc;
}

static int read_lines(struct import *im, FILE *in, struct ch_err *err)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len = 0;
	int rc = 0;

	while (rc == 0 && !interrupt_is_asked() && (len = getline(&line, &cap, in)) > 0)
		rc = take_line(im, line, (size_t)len, err);
	if (rc == 0 && ferror(in))
		rc = ch_err_set(err, CH_EIO, "%s: %s", im->name, strerror(errno));
	if (rc == 0 && interrupt_is_asked())
		rc = ch_err_set(err, CH_ECANCELED, "stopped");
	free(line);
	return rc == 0 ? send_slice(im, err) : rc;
}

static FILE *open_input(struct import *im, const char *path, struct ch_err *err)
{
	bool is_standard = !path || strcmp(path, "-") == 0;
	FILE *in = is_standard ? stdin : fopen(path, "rbe");
	struct stat st;

	im->name = is_standard ? "standard input" : path;
	if (!in)
		ch_err_set(err, CH_EIO, "%s: %s", path, strerror(errno));
	else if (fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode))
		im->total_bytes = st.st_size;
	return in;
}

static void print_sums(const struct import *im)
{
	if (im->is_json)
		printf("{\"lines\":%" PRId64 ",\"created\":%" PRId64 ",\"known\":%" PRId64
		       ",\"refused\":%" PRId64 "}\n",
				im->lines, im->created, im->known, im->refused);
	else
		printf("%" PRId64 " lines: %" PRId64 " created, %" PRId64 " known before, %" PRId64
		       " refused\n",
				im->lines, im->created, im->known, im->refused);
}

static int run(const struct opts *o, struct remote *r, struct ch_err *err)
{
	struct import im = {.remote = r, .is_json = opts_has(o, "json")};
	int64_t slice_bytes = 0;
	int rc = opts_int(o, "slice", 1024, (int64_t)SLICE_MAX_BYTES, &slice_bytes, err);

	if (rc != 0)
		return rc;
	FILE *in = open_input(&im, o->arg_count > 0 ? o->args[0] : NULL, err);
	if (!in)
		return CH_EIO;
	interrupt_catch();
	r->is_patient = true;
	im.slice_bytes = (size_t)slice_bytes;
	progress_begin(&im.progress, "import", ch_clock_system());
	im.progress.is_quiet = opts_has(o, "quiet");
	ch_buf_init(&im.slice, SLICE_MAX_BYTES + 1);
	rc = read_lines(&im, in, err);
	if (im.lines > 0 || rc == 0)
		show(&im, true);
	print_sums(&im);
	if (in != stdin)
		fclose(in);
	ch_buf_fini(&im.slice);
	ch_free(im.rows);
	return rc != 0 ? rc : im.refused > 0 ? CH_ECONFLICT : 0;
}

int cli_import(int argc, char **argv)
{
	return remote_command(&page, argc, argv, run);
}
