/* A delivery loop for the API's tests that turns when it is told to, with an engine on a network that says
 * what the test says. It knows no webhook. */
#ifndef TESTS_API_STILL_LOOP_H
#define TESTS_API_STILL_LOOP_H

#include "api_rig.h"
#include "delivery/worker_core.h"

struct still_loop {
	struct worker worker;
	struct worker *items[1];
	struct transport network;
	struct transport_job *job; /* under way */
	int sent;
	void (*answer)(struct transport_job *job); /* fills attempt and check; NULL: it hangs */
};

/* Becomes the rig's only delivery loop. */
void still_loop_open(struct still_loop *l, struct api_rig *r);
void still_loop_step(struct still_loop *l);
void still_loop_close(struct still_loop *l, struct api_rig *r);

#endif
