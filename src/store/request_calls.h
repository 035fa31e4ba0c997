/* store/request_calls.h - what can be asked of a store about many calls, and about the agents in them.
 *
 * Role:      a part of store/request.h, which alone includes it.
 * Ownership: as there.
 * Units:     *_s are seconds since the epoch, UTC.
 * Errors:    as there.
 */
#ifndef CH_STORE_REQUEST_CALLS_H
#define CH_STORE_REQUEST_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "model/call.h"
#include "model/id.h"

#define STORE_CALL_LIST_MAX 100
#define STORE_AGENT_NAME_MAX 800 /* bytes */

/* STORE_CALL_LIST: an account's calls, each as its latest version, without those that were erased: a page,
 * and how many there are in all, as of one moment. In the order of "created", and of two with the same the
 * one whose latest version was committed later is the later one. CH_ELIMIT: the page's bodies would be more
 * than max_bytes. */
struct store_call_list {
	struct {
		int64_t account;
		bool has_agent, has_type;
		struct id agent_id;
		enum call_type type;
		call_status_set statuses; /* 0: any */
		char phone[17]; /* "": any */
		int64_t from_s, to_s; /* created, inclusive; INT64_MIN and INT64_MAX for none */
		bool is_ascending; /* oldest first */
		int64_t skip; /* >= 0: calls before the page */
		size_t limit; /* 0..STORE_CALL_LIST_MAX */
		size_t max_bytes;
	} in;
	struct {
		struct ch_bytes **bodies;
		size_t count;
		int64_t total; /* with this filter */
	} out;
};

/* STORE_AGENT_LIST: the agents that an account has had calls of or has named, by name, then id. */
struct store_agent {
	struct id id;
	char *name; /* owned; as set, else the id's text */
};

struct store_agent_list {
	struct {
		int64_t account;
		int64_t skip; /* >= 0 */
		size_t limit; /* 0..100 */
	} in;
	struct {
		struct store_agent *rows;
		size_t count;
		int64_t total;
	} out;
};

/* STORE_AGENT_NAME: sets an agent's name; one that no call was of is listed from then on. Without a name it
 * goes by its id again, and is not listed unless there were calls of it. CH_ENOENT: the account is deleted.
 */
struct store_agent_name {
	struct {
		int64_t account;
		struct id id;
		const char *name; /* borrowed; not empty, at most STORE_AGENT_NAME_MAX; NULL: none */
	} in;
};

struct store_request;

/* The part of store_request_clear_out that belongs to these kinds; false: it is none of them. */
bool store_calls_clear_out(struct store_request *r);

#endif
