/* The whole API in one thread: a loop, the server, the api, a store in memory behind the inline client, no
 * delivery loops. Two accounts, "default" with the keys key-a1 and key-a2, and "other" with key-b1. */
#ifndef TESTS_API_API_RIG_H
#define TESTS_API_API_RIG_H

#include <jansson.h>

#include "api/api.h"
#include "rig.h"
#include "store/store.h"

#define KEY_A "X-Api-Key: key-a1\r\n"
#define KEY_B "X-Api-Key: key-b1\r\n"
#define OPERATOR "Authorization: Bearer op-token\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"

#define CALL_1 "3f2b8c1e-0000-4000-8000-000000000001"
#define CALL_2 "3f2b8c1e-0000-4000-8000-000000000002"
#define AGENT_1 "aaaaaaaa-0000-4000-8000-000000000001"
#define NOBODY "99999999-0000-4000-8000-000000000009"

struct still_loop;

struct api_rig {
	struct rig rig;
	struct ch_port port;
	struct event *port_event;
	struct store *fault; /* borrowed: for store_fault_fail_write and _read */
	struct store_client *store;
	struct store_stats stats;
	struct workers workers;
	struct account accounts[2];
	struct ch_rand_seeded seed;
	struct address_policy addresses;
	struct network loopback;
	struct ch_log log;
	struct ch_buf logged;
	struct api *api;
	struct still_loop *loop; /* NULL: none */
	bool is_store_stopped; /* requests to the store are left lying */
};

int api_rig_setup(void **state);
int api_rig_teardown(void **state);
struct api_conf api_rig_conf(struct api_rig *r);

/* headers: each with its CR LF; body NULL: none, without Content-Length. */
struct answer api_ask(struct api_rig *r, const char *method, const char *path, const char *headers,
		const char *body);
/* The same with the first account's key, and JSON when there is a body; checks the status. NULL when the
 * answer has no JSON. */
json_t *api_json(struct api_rig *r, const char *method, const char *path, const char *body, int status);

/* The body of a record: COMPLETED unless another status is given. */
const char *record_json(const char *id, const char *status, const char *summary);

const char *json_text(const json_t *object, const char *key); /* must be a string */
void assert_problem(const struct answer *a, int status);

/* Submits and serves one request of the test's own. */
void api_rig_store(struct api_rig *r, struct store_request *s);

#endif
