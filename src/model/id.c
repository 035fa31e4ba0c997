#include "model/id.h"

#include <string.h>

#include "base/assert.h"
#include "base/crypto.h"
#include "base/err.h"

#define TIME_MAX_MS ((INT64_C(1) << 48) - 1)
#define COUNTER_MAX 0xfff
#define COUNTER_START_MAX 0xff /* low, so that a millisecond has room for nearly 4,000 more */

static const uint8_t GROUP_BYTES[5] = {4, 2, 2, 2, 6};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int id_parse(const char *text, size_t len, struct id *ret)
{
	if (len != ID_TEXT_LEN)
		return CH_EINVAL;
	struct id id;
	uint8_t *out = id.b;
	for (int g = 0; g < 5; g++) {
		if (g > 0 && *text++ != '-')
			return CH_EINVAL;
		for (int i = 0; i < GROUP_BYTES[g]; i++, text += 2) {
			int byte = hex_digit(text[0]) * 16 | hex_digit(text[1]);
			if (byte < 0)
				return CH_EINVAL;
			*out++ = (uint8_t)byte;
		}
	}
	*ret = id;
	return 0;
}

void id_format(const struct id *id, char out[ID_TEXT_LEN + 1])
{
	const uint8_t *in = id->b;
	for (int g = 0; g < 5; g++) {
		if (g > 0)
			*out++ = '-';
		ch_hex(in, GROUP_BYTES[g], out);
		in += GROUP_BYTES[g];
		out += GROUP_BYTES[g] * 2;
	}
	*out = '\0';
}

bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

int id_compare(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof a->b);
}

bool id_is_zero(const struct id *id)
{
	static const struct id zero;
	return id_equal(id, &zero);
}

void id_gen_init(struct id_gen *g, struct ch_clock clock, struct ch_rand rand)
{
	*g = (struct id_gen){.clock = clock, .rand = rand, .last_ms = -1};
}

static void put_time_and_counter(struct id *id, int64_t ms, uint16_t counter)
{
	CH_ASSERT(ms >= 0 && ms <= TIME_MAX_MS);
	for (int i = 0; i < 6; i++)
		id->b[i] = (uint8_t)(ms >> (40 - 8 * i));
	id->b[6] = (uint8_t)(0x70 | counter >> 8);
	id->b[7] = (uint8_t)counter;
}

struct id id_gen_next(struct id_gen *g)
{
	struct id id;
	int64_t now_ms = ch_clock_wall(&g->clock).ms;
	ch_rand_fill(&g->rand, id.b + 8, 8);
	if (now_ms > g->last_ms) {
		g->last_ms = now_ms;
		g->counter = (uint16_t)(ch_rand_u64(&g->rand) & COUNTER_START_MAX);
	} else if (g->counter < COUNTER_MAX) {
		g->counter++;
	} else {
		/* The millisecond is used up: borrow the next one rather than wait for the clock. */
		g->last_ms++;
		g->counter = 0;
	}
	put_time_and_counter(&id, g->last_ms, g->counter);
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
	return id;
}

int64_t id_time_ms(const struct id *id)
{
	if (id->b[6] >> 4 != 7)
		return -1;
	int64_t ms = 0;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->b[i];
	return ms;
}

struct id id_floor(int64_t unix_ms)
{
	struct id id = {{0}};
	if (unix_ms < 0)
		unix_ms = 0;
	if (unix_ms > TIME_MAX_MS)
		unix_ms = TIME_MAX_MS;
	put_time_and_counter(&id, unix_ms, 0);
	id.b[8] = 0x80;
	return id;
}
