/* api/paging.h - pages whose cursor is a row's number.
 *
 * Role:      the query parameters "size", "page" and "after", and a number in the looks of an id, so that
 *            cursors and ids look like all others.
 * Errors:    what is wrong is added to problems, and the value is not to be used then.
 */
#ifndef CH_API_PAGING_H
#define CH_API_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/cursor.h"
#include "api/query.h"
#include "model/id.h"

/* 1 to 100; 20 when it is not given. */
size_t paging_size(const struct query *q, struct problems *problems);
/* 1 when it is not given; api/rules has checked it. */
int64_t paging_page(const struct query *q);
/* 0 when it is not given. */
int64_t paging_after(const struct query *q, struct problems *problems);
/* Of a cursor that paging_cursor made; false: it is none. */
bool paging_number(const char *cursor, int64_t *ret);

struct id paging_id_of(int64_t number);
void paging_cursor(int64_t number, char out[CURSOR_TEXT_LEN + 1]);

#endif
