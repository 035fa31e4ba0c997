#include "api/paging.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define SIZE_DEFAULT 20
#define SIZE_MOST 100
#define PAGE_MOST 1000000000

struct id paging_id_of(int64_t number)
{
	struct id id = {{0}};

	for (int i = 0; i < 8; i++)
		id.b[15 - i] = (uint8_t)((uint64_t)number >> (8 * i));
	return id;
}

static bool number_of_id(const struct id *id, int64_t *ret)
{
	static const uint8_t none[8];
	uint64_t number = 0;

	for (int i = 8; i < 16; i++)
		number = number << 8 | id->b[i];
	*ret = (int64_t)number;
	return memcmp(id->b, none, sizeof(none)) == 0 && *ret > 0;
}

void paging_cursor(int64_t number, char out[CURSOR_TEXT_LEN + 1])
{
	struct id id = paging_id_of(number);

	cursor_format(&id, out);
}

bool paging_number(const char *cursor, int64_t *ret)
{
	struct id id;

	return cursor_parse(cursor, &id) == 0 && number_of_id(&id, ret);
}

size_t paging_size(const struct query *q, struct problems *problems)
{
	const char *size = query_get(q, "size");
	size_t n = 0;

	if (!size)
		return SIZE_DEFAULT;
	for (const char *p = size; *p >= '0' && *p <= '9' && n <= SIZE_MOST; p++)
		n = n * 10 + (size_t)(*p - '0');
	if (strspn(size, "0123456789") != strlen(size) || n < 1 || n > SIZE_MOST)
		problems_add(problems, "", "query parameter \"size\" is not a number from 1 to %d",
				SIZE_MOST);
	return n;
}

int64_t paging_page(const struct query *q)
{
	const char *page = query_get(q, "page");
	long long n = page ? strtoll(page, NULL, 10) : 1;

	CH_ASSERT(n >= 1 && n <= PAGE_MOST);
	return n;
}

int64_t paging_after(const struct query *q, struct problems *problems)
{
	const char *after = query_get(q, "after");
	int64_t number = 0;

	if (after && !paging_number(after, &number))
		problems_add(problems, "",
				"query parameter \"after\" is not a cursor that was given out as \"next\"");
	return number;
}
