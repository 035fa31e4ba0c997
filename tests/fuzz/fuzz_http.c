/* A request as a stranger may send it: head and chunked body. Any bytes are refused with a status or read,
 * the same way however they are cut.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/http_chunked.h"
#include "api/http_head.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *data, const struct http_head *h, uint32_t at)
{
	CH_ASSERT(at < h->len && memchr(data + at, '\0', h->len - at));
}

static void check_head(const char *data, const struct http_head *h)
{
	check_text(data, h, h->method);
	check_text(data, h, h->path);
	check_text(data, h, h->query);
	CH_ASSERT(data[h->path] == '/' && !strchr(data + h->path, '?') && http_is_tchar(data[h->method]));
	CH_ASSERT(!(h->is_chunked && h->has_length) && h->field_count <= HTTP_HEAD_FIELDS_MAX);
	for (size_t i = 0; i < h->field_count; i++) {
		check_text(data, h, h->fields[i].name);
		check_text(data, h, h->fields[i].value);
		CH_ASSERT(!strpbrk(data + h->fields[i].value, "\r\n"));
	}
}

/* The end of a head must be found at the same place when the bytes come one by one. */
static int find_end(const char *data, size_t len, size_t *ret_len, struct http_fault *fault)
{
	size_t scanned = 0;
	size_t slow = 0;
	size_t slow_len = 0;
	struct http_fault slow_fault;
	int rc = http_head_end(data, len, &scanned, ret_len, fault);
	int slow_rc = CH_EAGAIN;

	for (size_t n = 1; n <= len && slow_rc == CH_EAGAIN; n++)
		slow_rc = http_head_end(data, n, &slow, &slow_len, &slow_fault);
	CH_ASSERT(rc == slow_rc && (rc != 0 || slow_len == *ret_len));
	return rc;
}

static void run_chunks(const char *data, size_t len)
{
	char *whole = ch_memdup0(data, len);
	char *pieces = ch_memdup0(data, len);
	struct http_chunked w = {0};
	struct http_chunked p = {0};
	size_t w_at = 0;
	size_t w_out = 0;
	size_t p_at = 0;
	size_t p_out = 0;
	int p_rc = CH_EAGAIN;

	CH_ASSERT(whole && pieces);
	int rc = http_chunked_run(&w, whole, len, &w_at, &w_out);
	for (size_t n = 1; n <= len && p_rc == CH_EAGAIN; n++)
		p_rc = http_chunked_run(&p, pieces, n, &p_at, &p_out);
	CH_ASSERT(rc == p_rc && w_at == p_at && w_out == p_out && w_out <= w_at);
	CH_ASSERT(memcmp(whole, pieces, w_out) == 0);
	ch_free(whole);
	ch_free(pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = ch_memdup0(data, size);
	struct http_head head;
	struct http_fault fault = {0};
	size_t len = 0;

	CH_ASSERT(copy);
	int rc = find_end(copy, size, &len, &fault);
	if (rc == 0)
		rc = http_head_parse(copy, len, &head, &fault);
	if (rc == CH_EINVAL)
		CH_ASSERT(fault.status >= 400 && fault.status <= 505 && fault.detail);
	if (rc == 0) {
		check_head(copy, &head);
		if (head.is_chunked)
			run_chunks(copy + len, size - len);
	}
	ch_free(copy);
	return 0;
}
