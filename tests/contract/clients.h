/* tests/contract/clients.h - a store whose writes can be held back and looked at, and a port to wait at.
 *
 * Role:      tests of the clients decide when a transaction ends, so that what queued meanwhile is known
 *            for certain; nothing sleeps.
 * Threads:   the gate may be opened and asked from any.
 */
#ifndef CH_TESTS_CLIENTS_H
#define CH_TESTS_CLIENTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "contract.h"
#include "store/client.h"

#define GATE_BATCHES_MAX 256
#define GATE_KINDS_MAX 64

struct gate_batch {
	size_t n;
	enum store_kind kinds[GATE_KINDS_MAX]; /* of the first ones */
	int64_t accounts[GATE_KINDS_MAX];
};

struct gate {
	struct store base;
	struct store *inner; /* owned */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_open;
	int inside; /* writes that have come to the gate */
	int maintained;
	struct gate_batch batches[GATE_BATCHES_MAX];
	size_t batch_count;
};

/* Takes inner. The store is the gate's base; closing it closes and frees all. */
struct gate *gate_create(struct store *inner, bool is_open);
void gate_open(struct gate *g);
void gate_shut(struct gate *g);
void gate_wait_inside(struct gate *g, int writes); /* until so many have come to it in all */
void gate_wait_maintained(struct gate *g, int times);
size_t gate_batches(struct gate *g);
struct gate_batch gate_batch_at(struct gate *g, size_t at);

/* A request of its own memory, which counts and notes what came back. */
struct asked {
	struct store_request r;
	bool is_done;
	int result;
	int64_t commits_seen; /* by the watcher, when done ran */
};

/* Counters of what a watcher saw; everything may be read from any thread. */
struct seen {
	atomic_llong commits;
	atomic_llong requests;
	atomic_llong failed;
	atomic_llong sweeps;
	atomic_llong last_sweeps; /* with no more to do */
	atomic_llong deliveries; /* taken */
	struct ch_port *wake; /* posted at a last sweep; NULL: not */
	struct ch_msg woken;
};

struct store_watcher watcher_of(struct seen *seen);

extern struct seen *asked_seen; /* whose commits are noted in struct asked */

struct asked *asked_create(void);
void asked_free(struct asked *a);
/* done for struct asked. */
void asked_done(struct store_request *r);
/* Sets reply_to and done on a request that was made by one of the ask_ functions. */
void asked_aim(struct asked *a, struct ch_port *port);
/* Waits at the port until so many messages have run. */
void port_pump(struct ch_port *port, size_t messages);
/* Waits until there is some message and runs all there are. */
void port_wait(struct ch_port *port);

/* Puts as many deliveries into a fresh webhook 1 as rows, straight into the store. */
void fill_store(struct bed *b, unsigned rows);

int test_turns(void);
int test_client_inline(void);
int test_client_retention(void);
int test_client_threads(void);
int test_client_stop(void);

#endif
