#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define SECRET_FILE_MAX_BYTES 4096

int cli_fail(int code, const char *command, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "callhook %s: ", command);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

static int read_all(int fd, const char *name, struct ch_buf *out, struct ch_err *err)
{
	for (;;) {
		char chunk[16384];
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ch_err_set(err, CH_EIO, "%s: %s", name, strerror(errno));
		if (got == 0)
			return 0;
		ch_buf_add(out, chunk, (size_t)got);
		if (out->err == CH_ELIMIT)
			return ch_err_set(err, CH_ELIMIT, "%s is larger than %zu bytes", name, out->limit);
		if (out->err)
			return ch_err_set(err, out->err, "%s: out of memory", name);
	}
}

int cli_read_input(const char *path, struct ch_buf *out, struct ch_err *err)
{
	int fd;
	int rc;

	if (!path || !strcmp(path, "-"))
		return read_all(STDIN_FILENO, "standard input", out, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ch_err_set(err, CH_EIO, "%s: %s", path, strerror(errno));
	rc = read_all(fd, path, out, err);
	close(fd);
	return rc;
}

static int secret_from_file(const char *path, const char *what, struct ch_secret *ret, struct ch_err *err)
{
	struct ch_buf text;
	size_t len;
	int rc;

	ch_buf_init(&text, SECRET_FILE_MAX_BYTES);
	rc = cli_read_input(path, &text, err);
	len = strcspn(ch_buf_text(&text), "\r\n");
	if (rc == 0 && len == 0)
		rc = ch_err_set(err, CH_EINVAL, "%s: the first line is empty; it should be the %s", path,
				what);
	if (rc == 0 && ch_secret_set(ret, ch_buf_text(&text), len) != 0)
		rc = ch_err_set(err, CH_ENOMEM, "out of memory");
	if (text.data)
		ch_wipe(text.data, text.len);
	ch_buf_fini(&text);
	return rc;
}

int cli_text_or_file(const struct opts *o, const char *name, const char *file_name, struct ch_secret *ret,
		struct ch_err *err)
{
	const char *text = opts_get(o, name);
	const char *path = opts_get(o, file_name);

	*ret = (struct ch_secret){0};
	if (text && path)
		return ch_err_set(err, CH_EINVAL, "%s and %s are both given", opts_origin(o, name, 0),
				opts_origin(o, file_name, 0));
	if (path)
		return secret_from_file(path, name, ret, err);
	if (text && ch_secret_set(ret, text, strlen(text)) != 0)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	return 0;
}

int cli_secret(const struct opts *o, struct ch_secret *ret, struct ch_err *err)
{
	return cli_text_or_file(o, "secret", "secret-file", ret, err);
}

int cli_check_id(const char *id, struct ch_err *err)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < len; i++)
		if (id[i] <= ' ' || id[i] > '~')
			return ch_err_set(err, CH_EINVAL, "--id: only visible ASCII characters, no spaces");
	if (len == 0 || len > 200)
		return ch_err_set(err, CH_EINVAL, "--id: 1 to 200 characters");
	return 0;
}

int cli_listen_address(const struct opts *o, const char *option, char *host, size_t host_cap,
		uint16_t *ret_port, struct ch_err *err)
{
	const char *text = opts_get(o, option);
	const char *origin = opts_origin(o, option, 0);
	const char *colon = strrchr(text, ':');
	const char *from = text;
	size_t len = colon ? (size_t)(colon - text) : 0;
	char *end = NULL;
	unsigned long port;

	if (!colon || colon[1] < '0' || colon[1] > '9')
		return ch_err_set(err, CH_EINVAL,
				"%s: \"%s\" is no address to listen on; write HOST:PORT, as 127.0.0.1:8080",
				origin, text);
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > 65535)
		return ch_err_set(err, CH_EINVAL, "%s: \"%s\": the port is not a number from 0 to 65535",
				origin, text);
	if (len >= 2 && from[0] == '[' && from[len - 1] == ']') {
		from++;
		len -= 2;
	}
	if (len >= host_cap)
		return ch_err_set(err, CH_EINVAL, "%s: \"%s\": the host is too long", origin, text);
	snprintf(host, host_cap, "%.*s", (int)len, from);
	if (len == 0)
		snprintf(host, host_cap, "0.0.0.0");
	*ret_port = (uint16_t)port;
	return 0;
}
