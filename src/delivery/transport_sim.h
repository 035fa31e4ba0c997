/* delivery/transport_sim.h - a network without sockets, on whatever clock it is given.
 *
 * Role:      a transport whose receivers are a function: asked when a job is sent, it says what
 *            will happen and when. Time passes only as the clock says; whoever drives it calls
 *            transport_sim_step when transport_sim_next says so.
 * Ownership: conf's ctx is borrowed.
 * Threads:   one loop.
 * Errors:    a job that finds no memory ends as ATTEMPT_LOCAL.
 */
#ifndef CH_DELIVERY_TRANSPORT_SIM_H
#define CH_DELIVERY_TRANSPORT_SIM_H

#include "delivery/transport.h"

/* latency_ms counts from the send. One beyond the job's deadline becomes a timeout at the deadline. */
struct transport_sim_reply {
	int64_t latency_ms;
	enum attempt_outcome outcome;
	int status; /* ATTEMPT_ANSWERED */
	int64_t retry_after_s; /* -1: none */
	const char *detail; /* NULL: none; copied */
	bool is_unconnected; /* a timeout before there was a connection */
};

struct transport_sim_conf {
	struct ch_clock clock;
	/* ret: filled with a quick 200 before. */
	void (*receive)(void *ctx, const struct transport_job *job, struct transport_sim_reply *ret);
	/* The job is about to be done, with its attempt filled in; may be NULL. */
	void (*ending)(void *ctx, const struct transport_job *job);
	/* The endpoint's connections are dropped; may be NULL. */
	void (*forget)(void *ctx, const struct id *endpoint);
	void *ctx;
};

int transport_sim_create(const struct transport_sim_conf *conf, struct transport **ret,
		struct ch_err *err) CH_MUST_USE;

/* When the next job ends; INT64_MAX: none is under way. */
struct ch_mono transport_sim_next(struct transport *t);
/* Ends every job whose time has come; returns how many. */
size_t transport_sim_step(struct transport *t);
size_t transport_sim_in_flight(struct transport *t);

#endif
