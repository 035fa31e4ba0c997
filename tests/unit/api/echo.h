/* tests/unit/api/echo.h - a server whose handler tells back what it was asked.
 *
 * Role:      at once, or when released (hold), or as a stream on /stream; for the tests of the HTTP server.
 */
#ifndef CH_TESTS_ECHO_H
#define CH_TESTS_ECHO_H

#include "rig.h"

struct echo {
	struct rig rig;
	bool hold;
	struct http_exchange *held[64];
	size_t held_count;
	int handled;
	int drains;
	size_t stream_left;
	struct http_exchange *stream;
	size_t huge_bytes; /* of the answer at /huge */
};

/* /big takes 3 MB of body, all else 100 bytes; 20 ms for a request; 2,000 bytes of head. */
struct http_server_conf echo_conf(struct echo *e);
int echo_setup(void **state); /* *state: a struct echo whose server runs */
int echo_teardown(void **state);
void echo_reply(struct http_exchange *x); /* to one that was held */

#endif
