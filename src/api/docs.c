#include "api/docs.h"

#include "api/api_core.h"
#include "api/handlers.h"

void docs_get(struct api_request *r)
{
	if (api_no_query(r))
		page_reply(r, &docs_page, "public, no-cache", docs_policy);
}
