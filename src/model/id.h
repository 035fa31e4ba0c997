/* model/id.h - the 128-bit ids of calls, webhooks, deliveries and attempts.
 *
 * Role:      parse and print UUIDs; make new ones that sort by the time they were made (UUIDv7),
 *            so that rows made one after another lie beside each other in the store.
 * Threads:   a struct id_gen belongs to one thread.
 * Source:    RFC 9562; within one millisecond a generator counts upwards (method 1, 12 bits of
 *            rand_a seeded low and then counted), so its ids strictly increase.
 */
#ifndef CH_MODEL_ID_H
#define CH_MODEL_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/rand.h"

#define ID_TEXT_LEN 36

struct id {
	uint8_t b[16];
};

/* Exactly 36 characters of lower-case hex and dashes; CH_EINVAL otherwise. Any version and
 * variant is taken: a call's id is the platform's. */
int id_parse(const char *text, size_t len, struct id *ret) CH_MUST_USE;
void id_format(const struct id *id, char out[ID_TEXT_LEN + 1]);
bool id_equal(const struct id *a, const struct id *b);
int id_compare(const struct id *a, const struct id *b); /* memcmp order */
bool id_is_zero(const struct id *id);

struct id_gen {
	struct ch_clock clock;
	struct ch_rand rand;
	int64_t last_ms;
	uint16_t counter;
};

void id_gen_init(struct id_gen *g, struct ch_clock clock, struct ch_rand rand);
struct id id_gen_next(struct id_gen *g); /* greater than all before it, even if the clock steps back */

/* The moment inside a UUIDv7, ms since the epoch; -1 for another version. */
int64_t id_time_ms(const struct id *id);
/* The least id that a generator can make at or after that moment. */
struct id id_floor(int64_t unix_ms);

#endif
