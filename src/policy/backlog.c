#include "policy/backlog.h"

#include "base/assert.h"

#define FIRST_S 60

size_t backlog_age_of(int64_t age_ms)
{
	size_t age = 0;

	while (age < BACKLOG_AGES - 1 && age_ms >= backlog_bound_s(age) * 1000)
		age++;
	return age;
}

int64_t backlog_bound_s(size_t age)
{
	CH_ASSERT(age < BACKLOG_AGES);
	return age == BACKLOG_AGES - 1 ? -1 : (int64_t)FIRST_S << age;
}
