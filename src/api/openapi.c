#include "api/openapi.h"

#include "api/api_core.h"
#include "api/etag.h"
#include "api/handlers.h"

void openapi_get(struct api_request *r)
{
	/* It changes with the program only, so whoever has it asks whether it is the same. */
	static const struct http_header headers[] = {
			{"ETag", openapi_etag}, {"Cache-Control", "public, no-cache"}};
	bool is_known = etag_names(http_header_get(r->x, "If-None-Match"), openapi_etag);

	if (!api_no_query(r))
		return;
	api_reply(r, &(struct http_response){.status = is_known ? 304 : 200,
				     .content_type = is_known ? NULL : "application/json",
				     .headers = headers,
				     .header_count = 2,
				     .text = is_known ? NULL : openapi_text,
				     .text_len = is_known ? 0 : openapi_text_len});
}
