/* policy/window.h - how many deliveries one endpoint may have in flight.
 *
 * Role:      pure arithmetic; no I/O, no clock, no allocation, no logging.
 * Units:     counts are deliveries; credit is in windows (1.0 = one delivery).
 * Ownership: the caller owns the struct.
 * Threads:   one delivery loop; not locked.
 * Errors:    none - bad arguments are bugs and abort through CH_ASSERT.
 * Invariant: 1 <= size <= limit at every function boundary.
 * Source:    Postfix qmgr_queue.c (concurrency feedback), with 1/window steps both ways.
 *
 * Test vectors: from 5, five answers give 6, 35 give 10, 180 give 20; one failure at 10 gives 9 and nine
 * answers win it back.
 */
#ifndef CH_POLICY_WINDOW_H
#define CH_POLICY_WINDOW_H

#define WINDOW_START 4
#define WINDOW_MARGIN 4 /* it grows only while size < busy + this: an idle endpoint banks nothing */
#define WINDOW_LIMIT_MAX 512

struct window {
	int limit; /* 1..WINDOW_LIMIT_MAX */
	int size;
	double gained; /* credit of answers, 0..1 */
	double spent; /* what failures may still take before size shrinks again */
};

void window_init(struct window *w, int limit); /* size: WINDOW_START, or limit when that is less */
void window_set_limit(struct window *w, int limit); /* size follows downwards */
/* An answer came; busy: attempts in flight, that one included. */
void window_note_answer(struct window *w, int busy);
/* A failure: the first takes one off at once, and as many more as the window is large take the next. It is
 * the first again once the window has grown. */
void window_note_failure(struct window *w);

#endif
