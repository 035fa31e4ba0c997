#include "api/openapi.h"

#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"

void openapi_get(struct api_request *r)
{
	const char *known = http_header_get(r->x, "If-None-Match");
	struct http_header header = {"ETag", openapi_etag};
	bool is_known = known && strstr(known, openapi_etag) != NULL;

	if (!api_no_query(r))
		return;
	api_reply(r, &(struct http_response){.status = is_known ? 304 : 200,
				     .content_type = is_known ? NULL : "application/json",
				     .headers = &header,
				     .header_count = 1,
				     .text = is_known ? NULL : openapi_text,
				     .text_len = is_known ? 0 : openapi_text_len});
}
