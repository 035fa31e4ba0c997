/* api/docs.h - the description of the API as a page for people.
 *
 * Role:      constants that tools/docs_page.py makes out of openapi.json when the program is built: HTML
 *            without script, whose one style sheet lies within it.
 * Threads:   constant.
 */
#ifndef CH_API_DOCS_H
#define CH_API_DOCS_H

#include "api/page.h"

extern const struct page_file docs_page;
extern const char docs_policy[]; /* Content-Security-Policy: nothing but that style, by its hash */

#endif
