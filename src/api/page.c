#include "api/page.h"

#include <string.h>
#include <strings.h>

#include "api/api_core.h"
#include "api/etag.h"
#include "api/handlers.h"
#include "base/assert.h"

/* Files of its own origin and requests to it; nothing inline, nothing of others, no frame around it. data: is
 * for the pictures that style sheets hold. */
#define POLICY                                                                                               \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "        \
	"'self'; "                                                                                           \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#define HEADERS_MAX 8

static const struct page_file *file_of(const char *path)
{
	for (size_t i = 0; i < page_file_count; i++)
		if (strcmp(page_files[i].path, path) == 0)
			return &page_files[i];
	return NULL;
}

/* Does a list like "gzip;q=1.0, br" allow gzip? q=0 says no. */
static bool accepts_gzip(const char *list)
{
	while (list && *list) {
		size_t len = strcspn(list, ",");
		size_t lead = strspn(list, " \t");
		size_t name = strcspn(list + lead, " \t;,");
		if (name == 4 && strncasecmp(list + lead, "gzip", 4) == 0) {
			const char *q = memchr(list, '=', len);
			return !q || strspn(q + 1, "0.") < strcspn(q + 1, " \t,");
		}
		list += len + (list[len] == ',');
	}
	return false;
}

void page_reply(struct api_request *r, const struct page_file *file, const char *cache_control,
		const char *policy)
{
	bool is_known = etag_names(http_header_get(r->x, "If-None-Match"), file->etag);
	bool is_small = accepts_gzip(http_header_get(r->x, "Accept-Encoding"));
	struct http_header headers[HEADERS_MAX] = {{"ETag", file->etag}, {"Cache-Control", cache_control},
			{"Vary", "Accept-Encoding"}, {"X-Content-Type-Options", "nosniff"},
			{"Content-Security-Policy", policy}, {"Referrer-Policy", "same-origin"}};
	size_t count = 6;

	if (is_small && !is_known)
		headers[count++] = (struct http_header){"Content-Encoding", "gzip"};
	api_reply(r, &(struct http_response){.status = is_known ? 304 : 200,
				     .content_type = is_known ? NULL : file->content_type,
				     .headers = headers,
				     .header_count = count,
				     .text = is_known ? NULL
						      : (const char *)(is_small ? file->gzip : file->plain),
				     .text_len = is_known   ? 0
						 : is_small ? file->gzip_len
							    : file->plain_len});
}

/* Any query: links to the page come with what their senders add. */
void page_get(struct api_request *r)
{
	const struct page_file *file = file_of("/index.html");

	CH_ASSERT(file);
	page_reply(r, file, "no-cache", POLICY);
}

void page_asset_get(struct api_request *r)
{
	const struct page_file *file = file_of(http_path(r->x));

	if (!file)
		api_problem(r, 404, "The page has no such file.");
	else
		page_reply(r, file, "public, max-age=31536000, immutable", POLICY);
}
