/* api/openapi.h - the description of the API, as it is served.
 *
 * Role:      constants that tools/openapi.py makes out of openapi.json when the program is built.
 * Threads:   constant.
 */
#ifndef CH_API_OPENAPI_H
#define CH_API_OPENAPI_H

#include <stddef.h>

extern const char openapi_text[];
extern const size_t openapi_text_len;
extern const char openapi_etag[]; /* with its quotes */

#endif
