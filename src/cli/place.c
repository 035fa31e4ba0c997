#include "cli/place.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "policy/sign.h"

#define FILE_MAX_BYTES 4096
#define PATH_BYTES 4200

static int take_text(const json_t *json, const char *key, char *out, size_t size)
{
	const json_t *value = json_object_get(json, key);
	const char *text = value ? json_string_value(value) : "";

	if (!text || strlen(text) >= size)
		return CH_EINVAL;
	snprintf(out, size, "%s", text);
	return 0;
}

static int take_secret(const char *text, struct place *p, struct ch_err *err)
{
	int rc = sign_secret_check(text, strlen(text), err);

	if (rc == 0 && ch_secret_set(&p->secret, text, strlen(text)) != 0)
		rc = ch_err_set(err, CH_ENOMEM, "out of memory");
	return rc;
}

static int parse(const struct ch_buf *text, struct place *p, struct ch_err *err)
{
	json_t *json = json_loadb(ch_buf_text(text), text->len, JSON_REJECT_DUPLICATES, NULL);
	const char *secret = json_string_value(json_object_get(json, "secret"));
	int rc = CH_EINVAL;

	if (json_is_object(json) && secret && take_text(json, "cursor", p->cursor, sizeof(p->cursor)) == 0 &&
			take_text(json, "last", p->last, sizeof(p->last)) == 0)
		rc = take_secret(secret, p, NULL);
	json_decref(json);
	if (rc == CH_EINVAL)
		ch_err_set(err, rc, "%s holds no place: remove it to begin anew", p->path);
	return rc;
}

static int load(struct place *p, struct ch_err *err)
{
	struct ch_buf text;
	int rc;

	ch_buf_init(&text, FILE_MAX_BYTES);
	rc = cli_read_input(p->path, &text, err);
	if (rc == 0)
		rc = parse(&text, p, err);
	if (text.data)
		ch_wipe(text.data, text.cap);
	ch_buf_fini(&text);
	return rc;
}

static int begin(struct place *p, struct ch_err *err)
{
	struct ch_rand rand = ch_rand_system();
	char secret[SIGN_SECRET_TEXT_LEN + 1];
	int rc;

	sign_secret_generate(&rand, secret);
	rc = take_secret(secret, p, err);
	ch_wipe(secret, sizeof(secret));
	return rc;
}

int place_load(const char *path, const struct ch_secret *given, struct place *ret, struct ch_err *err)
{
	bool is_there = access(path, F_OK) == 0;
	int rc;

	*ret = (struct place){.path = path};
	rc = is_there ? load(ret, err) : 0;
	if (rc == 0 && given->text)
		rc = take_secret(given->text, ret, err);
	else if (rc == 0 && !is_there)
		rc = begin(ret, err);
	if (rc == 0)
		rc = place_save(ret, err);
	return rc;
}

static int write_whole(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -1;
	errno = ENOSPC; /* of a write that is cut short */
	bool ok = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	return close(fd) == 0 && ok ? 0 : -1;
}

int place_save(const struct place *p, struct ch_err *err)
{
	char temporary[PATH_BYTES];
	json_t *json = json_pack(
			"{s:s, s:s, s:s}", "cursor", p->cursor, "last", p->last, "secret", p->secret.text);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	int rc = 0;

	json_decref(json);
	if (!text)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	snprintf(temporary, sizeof(temporary), "%.4190s.new", p->path);
	if (write_whole(temporary, text) != 0 || rename(temporary, p->path) != 0)
		rc = ch_err_set(err, CH_EIO, "%s: %s", p->path, strerror(errno));
	ch_wipe(text, strlen(text));
	free(text);
	return rc;
}

void place_fini(struct place *p)
{
	ch_secret_fini(&p->secret);
}
