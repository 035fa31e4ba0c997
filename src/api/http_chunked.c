#include "api/http_chunked.h"

#include <string.h>

#include "base/assert.h"
#include "base/crypto.h"
#include "base/err.h"

static int extra(struct http_chunked *d, char c, enum http_chunked_state on_cr)
{
	if (c == '\r') {
		d->state = on_cr;
		return 0;
	}
	if (c == '\n' || ++d->extra > HTTP_CHUNKED_EXTRA_MAX)
		return CH_EINVAL;
	return 0;
}

static int size_char(struct http_chunked *d, char c)
{
	int digit = ch_hex_value(c);
	if (digit >= 0) {
		if (d->left >> 56)
			return CH_EINVAL;
		d->left = d->left << 4 | (uint64_t)digit;
		d->state = CHUNKED_SIZE;
		return 0;
	}
	if (d->state == CHUNKED_SIZE_FIRST)
		return CH_EINVAL;
	if (c == ';' || c == ' ' || c == '\t') {
		d->state = CHUNKED_EXTENSION;
		return 0;
	}
	if (c != '\r')
		return CH_EINVAL;
	d->state = CHUNKED_SIZE_LF;
	return 0;
}

static int expect(struct http_chunked *d, char c, char wanted, enum http_chunked_state next)
{
	if (c != wanted)
		return CH_EINVAL;
	d->state = next;
	return 0;
}

/* One character of the coding around the payload. */
static int frame_char(struct http_chunked *d, char c)
{
	switch (d->state) {
	case CHUNKED_SIZE_FIRST:
	case CHUNKED_SIZE:
		return size_char(d, c);
	case CHUNKED_EXTENSION:
		return extra(d, c, CHUNKED_SIZE_LF);
	case CHUNKED_SIZE_LF:
		return expect(d, c, '\n', d->left ? CHUNKED_DATA : CHUNKED_TRAILER_FIRST);
	case CHUNKED_DATA_CR:
		return expect(d, c, '\r', CHUNKED_DATA_LF);
	case CHUNKED_DATA_LF:
		return expect(d, c, '\n', CHUNKED_SIZE_FIRST);
	case CHUNKED_TRAILER_FIRST:
		if (c == '\r') {
			d->state = CHUNKED_END_LF;
			return 0;
		}
		d->state = CHUNKED_TRAILER;
		return extra(d, c, CHUNKED_TRAILER_LF);
	case CHUNKED_TRAILER:
		return extra(d, c, CHUNKED_TRAILER_LF);
	case CHUNKED_TRAILER_LF:
		return expect(d, c, '\n', CHUNKED_TRAILER_FIRST);
	case CHUNKED_END_LF:
		return expect(d, c, '\n', CHUNKED_DONE);
	case CHUNKED_DATA:
	case CHUNKED_DONE:
		break;
	}
	CH_UNREACHABLE();
}

static void take_data(struct http_chunked *d, char *data, size_t len, size_t *at, size_t *out)
{
	size_t n = len - *at;
	if (n > d->left)
		n = (size_t)d->left;
	memmove(data + *out, data + *at, n);
	*at += n;
	*out += n;
	d->left -= n;
	if (d->left == 0)
		d->state = CHUNKED_DATA_CR;
}

int http_chunked_run(struct http_chunked *d, char *data, size_t len, size_t *at, size_t *out)
{
	CH_ASSERT(*out <= *at && *at <= len);
	while (d->state != CHUNKED_DONE && *at < len) {
		if (d->state == CHUNKED_DATA) {
			take_data(d, data, len, at, out);
			continue;
		}
		int rc = frame_char(d, data[*at]);
		if (rc)
			return rc;
		(*at)++;
	}
	return d->state == CHUNKED_DONE ? 0 : CH_EAGAIN;
}
