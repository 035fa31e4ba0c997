#include "cli/opts.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "cli/cli.h"

#define CONFIG_MAX_BYTES (256 * 1024)

static int spec_count(const struct opts_page *page)
{
	int n = 0;

	while (page->specs[n].name)
		n++;
	CH_ASSERT(n <= OPTS_MAX - 2);
	return n;
}

static int spec_find(const struct opts_page *page, const char *name)
{
	for (int i = 0; page->specs[i].name; i++)
		if (!strcmp(page->specs[i].name, name))
			return i;
	return -1;
}

static int spec_must_find(const struct opts *o, const char *name)
{
	int i = spec_find(o->page, name);

	CH_ASSERT(i >= 0);
	return i;
}

static int add_value(struct opts *o, int at, const char *text, const char *origin, struct ch_err *err)
{
	const struct opt_spec *spec = &o->page->specs[at];

	if (o->counts[at] > 0 && !spec->repeats)
		return ch_err_set(err, CH_EINVAL, "%s is given twice", origin);
	if (o->counts[at] == OPTS_VALUES_MAX)
		return ch_err_set(err, CH_EINVAL, "%s is given more than %d times", origin, OPTS_VALUES_MAX);
	o->values[at][o->counts[at]++] = (struct opt_value){.text = text, .origin = origin};
	return 0;
}

/* Takes text even on failure. */
static const char *keep(struct opts *o, char *text)
{
	char **grown;

	if (!text)
		return NULL;
	grown = ch_realloc(o->owned, (o->owned_count + 1) * sizeof(*grown));
	if (!grown) {
		ch_free(text);
		return NULL;
	}
	o->owned = grown;
	o->owned[o->owned_count++] = text;
	return text;
}

static void print_help(const struct opts_page *page)
{
	printf("Usage: callhook %s %s\n\n%s\n", page->command, page->usage, page->about);
	printf("\nOptions:\n");
	for (int i = 0; page->specs[i].name; i++) {
		const struct opt_spec *s = &page->specs[i];
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", s->name, s->arg ? " " : "", s->arg ? s->arg : "");
		printf("  %-28s %s", left, s->help);
		if (s->fallback)
			printf(" [%s]", s->fallback);
		printf("%s\n", s->repeats ? " (repeatable)" : "");
	}
	if (page->uses_config)
		printf("  %-28s %s\n", "--config FILE", "read options from a file: lines of name = value");
	printf("  %-28s %s\n", "--help", "show this");
	printf("\nExample:\n%s\n", page->example);
	printf("\nEach option can be set in the environment too: --some-name as CALLHOOK_SOME_NAME.\n"
	       "A flag wins over the environment%s.\n",
			page->uses_config ? ", the environment over the file" : "");
}

static int add_flag(struct opts *o, int at, const char *value, struct ch_err *err)
{
	char *origin = NULL;
	const char *kept;

	if (asprintf(&origin, "--%s", o->page->specs[at].name) < 0)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	kept = keep(o, ch_strdup(origin));
	free(origin);
	if (!kept)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	return add_value(o, at, value ? value : "true", kept, err);
}

static int parse_flags(struct opts *o, int argc, char **argv, const char **ret_config, struct ch_err *err)
{
	struct option longs[OPTS_MAX + 2] = {{0}};
	int n = spec_count(o->page);
	int at;
	int rc = 0;
	int got;

	for (int i = 0; i < n; i++)
		longs[i] = (struct option){o->page->specs[i].name,
				o->page->specs[i].arg ? required_argument : no_argument, NULL, 0};
	longs[n] = (struct option){"help", no_argument, NULL, 0};
	if (o->page->uses_config)
		longs[n + 1] = (struct option){"config", required_argument, NULL, 0};
	opterr = 0;
	optind = 0;
	while (rc == 0 && (got = getopt_long(argc, argv, ":", longs, &at)) != -1) {
		if (got == '?')
			rc = ch_err_set(err, CH_EINVAL, "unknown option %s (see callhook %s --help)",
					argv[optind - 1], o->page->command);
		else if (got == ':')
			rc = ch_err_set(err, CH_EINVAL, "%s needs a value", argv[optind - 1]);
		else if (at == n) {
			print_help(o->page);
			rc = CH_ECANCELED;
		} else if (at == n + 1)
			*ret_config = optarg;
		else
			rc = add_flag(o, at, optarg, err);
	}
	for (int i = 0; i < n; i++)
		o->is_settled[i] = o->counts[i] > 0;
	o->args = argv + optind;
	o->arg_count = argc - optind;
	if (rc == 0 && o->arg_count > o->page->args_max)
		rc = ch_err_set(err, CH_EINVAL, "unexpected argument \"%s\"", o->args[o->page->args_max]);
	return rc;
}

static bool is_true(const char *text)
{
	return !strcmp(text, "true") || !strcmp(text, "1") || !strcmp(text, "yes") || !strcmp(text, "on");
}

static bool is_false(const char *text)
{
	return !*text || !strcmp(text, "false") || !strcmp(text, "0") || !strcmp(text, "no") ||
	       !strcmp(text, "off");
}

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && strchr(" \t\r", end[-1]))
		*--end = 0;
	return text;
}

/* A value from the environment or the file: switches may say false, lists are separated by commas. */
static int add_text(struct opts *o, int at, const char *text, const char *origin, struct ch_err *err)
{
	const struct opt_spec *spec = &o->page->specs[at];
	int rc = 0;

	if (!spec->arg) {
		if (is_false(text))
			return 0;
		if (!is_true(text))
			return ch_err_set(
					err, CH_EINVAL, "%s: \"%s\" is neither true nor false", origin, text);
		return add_value(o, at, "true", origin, err);
	}
	if (!spec->repeats)
		return add_value(o, at, text, origin, err);
	while (rc == 0 && *text) {
		size_t len = strcspn(text, ",");
		char *part = ch_memdup0(text, len);

		if (!keep(o, part))
			return ch_err_set(err, CH_ENOMEM, "out of memory");
		part = trim(part);
		if (*part)
			rc = add_value(o, at, part, origin, err);
		text += len + (text[len] == ',');
	}
	return rc;
}

static int parse_environment(struct opts *o, struct ch_err *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && o->page->specs[i].name; i++) {
		char name[80];
		const char *text;
		const char *origin;

		snprintf(name, sizeof(name), "CALLHOOK_%s", o->page->specs[i].name);
		for (char *p = name; *p; p++)
			*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
		text = getenv(name);
		if (!text || !*text || o->counts[i] > 0)
			continue;
		o->is_settled[i] = true;
		origin = keep(o, ch_strdup(name));
		if (!origin)
			return ch_err_set(err, CH_ENOMEM, "out of memory");
		rc = add_text(o, i, text, origin, err);
	}
	return rc;
}

/* One line "name = value"; value may be in double quotes. */
static int parse_config_line(struct opts *o, char *line, const char *origin, struct ch_err *err)
{
	char *text = trim(line);
	char *value = strchr(text, '=');
	size_t len;
	int at;

	if (!*text || *text == '#')
		return 0;
	if (!value)
		return ch_err_set(err, CH_EINVAL, "%s: expected name = value", origin);
	*value++ = 0;
	text = trim(text);
	value = trim(value);
	len = strlen(value);
	if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
		value[len - 1] = 0;
		value++;
	}
	at = spec_find(o->page, text);
	if (at < 0)
		return ch_err_set(err, CH_EINVAL, "%s: unknown option \"%s\"", origin, text);
	if (o->is_settled[at])
		return 0;
	return add_text(o, at, value, origin, err);
}

static int parse_config(struct opts *o, const char *path, struct ch_err *err)
{
	struct ch_buf text;
	char *body;
	char *next;
	int line_number = 0;
	int rc;

	ch_buf_init(&text, CONFIG_MAX_BYTES);
	rc = cli_read_input(path, &text, err);
	body = rc == 0 ? ch_memdup0(ch_buf_text(&text), text.len) : NULL;
	ch_buf_fini(&text);
	if (rc != 0)
		return rc;
	if (!keep(o, body))
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	for (char *line = body; rc == 0 && line; line = next) {
		char origin[300];
		const char *kept;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		snprintf(origin, sizeof(origin), "%.250s:%d", path, ++line_number);
		kept = keep(o, ch_strdup(origin));
		rc = kept ? parse_config_line(o, line, kept, err)
			  : ch_err_set(err, CH_ENOMEM, "out of memory");
	}
	return rc;
}

int opts_parse(const struct opts_page *page, int argc, char **argv, struct opts *ret, struct ch_err *err)
{
	const char *config = NULL;
	int rc;

	*ret = (struct opts){.page = page};
	rc = parse_flags(ret, argc, argv, &config, err);
	if (rc == 0)
		rc = parse_environment(ret, err);
	if (!config && page->uses_config)
		config = getenv("CALLHOOK_CONFIG");
	if (rc == 0 && config && *config)
		rc = parse_config(ret, config, err);
	if (rc != 0)
		opts_fini(ret);
	return rc;
}

void opts_fini(struct opts *o)
{
	for (size_t i = 0; i < o->owned_count; i++)
		ch_free(o->owned[i]);
	ch_free(o->owned);
	o->owned = NULL;
	o->owned_count = 0;
}

bool opts_has(const struct opts *o, const char *name)
{
	return o->counts[spec_must_find(o, name)] > 0;
}

const char *opts_get(const struct opts *o, const char *name)
{
	int at = spec_must_find(o, name);

	return o->counts[at] > 0 ? o->values[at][0].text : o->page->specs[at].fallback;
}

int opts_count(const struct opts *o, const char *name)
{
	return o->counts[spec_must_find(o, name)];
}

const char *opts_at(const struct opts *o, const char *name, int i)
{
	int at = spec_must_find(o, name);

	CH_ASSERT(i >= 0 && i < o->counts[at]);
	return o->values[at][i].text;
}

const char *opts_origin(const struct opts *o, const char *name, int i)
{
	int at = spec_must_find(o, name);

	return i >= 0 && i < o->counts[at] ? o->values[at][i].origin : name;
}

int opts_int(const struct opts *o, const char *name, int64_t min, int64_t max, int64_t *ret,
		struct ch_err *err)
{
	const char *text = opts_get(o, name);
	char *end = NULL;
	long long value;

	CH_ASSERT(text);
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max)
		return ch_err_set(err, CH_EINVAL, "%s: \"%s\" is not a whole number from %lld to %lld",
				opts_origin(o, name, 0), text, (long long)min, (long long)max);
	*ret = value;
	return 0;
}
