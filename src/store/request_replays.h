/* store/request_replays.h - what can be asked of a store about replays; a part of store/request.h.
 *
 * Role:      a replay is a job in the store: it walks along the deliveries of a webhook that were made in a
 *            stretch of time, opens a new round on those that qualify and, when asked, makes deliveries for
 *            calls that have none. The client submits its steps by itself, after a start too.
 * Ownership: as store/request.h says.
 * Units:     *_ms are wall ms since the epoch.
 */
#ifndef CH_STORE_REQUEST_REPLAYS_H
#define CH_STORE_REQUEST_REPLAYS_H

#include "model/call.h"
#include "model/id.h"

enum replay_state { REPLAY_RUNNING, REPLAY_DONE, REPLAY_CANCELED, REPLAY_STATE_COUNT };

struct replay {
	struct id id;
	struct id webhook_id;
	enum replay_state state;
	int64_t from_ms, to_ms; /* when a delivery was made, or a call accepted: from inclusive, to exclusive
				 */
	call_status_set statuses;
	uint8_t states; /* bit 1 << delivery state; DELIVERED, FAILED and PARKED can be */
	bool missing;
	int rate; /* deliveries a second; 0: no limit */
	int64_t created_ms, finished_ms; /* finished: 0 while RUNNING */
	char reason[80]; /* why it waits or was canceled; "": neither */
	int64_t examined, resent, made, skipped; /* skipped: of those examined, left as they were */
};

/* STORE_REPLAY_CREATE: CH_ENOENT: no such webhook; CH_ECONFLICT: it is switched off, or another replay of it
 * is RUNNING. Rows made after it are none of its business. */
struct store_replay_create {
	struct {
		int64_t account;
		struct replay replay; /* id, webhook_id, the range, the filters, rate and created_ms count */
	} in;
};

/* STORE_REPLAY_CANCEL: CH_ENOENT. One that has ended stays as it is. */
struct store_replay_cancel {
	struct {
		int64_t account;
		struct id id;
		int64_t now_ms;
	} in;
	struct {
		struct replay replay;
	} out;
};

/* STORE_REPLAY_STEP: goes on by at most `limit` rows, and keeps in the same transaction how far it came.
 * Being DONE is an event. The client's alone. */
struct store_replay_step {
	struct {
		struct id id;
		size_t limit;
		int64_t now_ms;
		int64_t at_mono_ms; /* the client's own: not before */
	} in;
	struct {
		struct id webhook_id;
		size_t opened; /* are PENDING now */
		bool more;
		int64_t wait_ms; /* until the next step */
	} out;
};

/* STORE_REPLAY_GET: CH_ENOENT. */
struct store_replay_get {
	struct {
		int64_t account;
		struct id id;
	} in;
	struct {
		struct replay replay;
	} out;
};

/* STORE_REPLAY_LIST: the newest 100 of an account, newest first. */
struct store_replay_list {
	struct {
		int64_t account;
		bool has_webhook;
		struct id webhook_id;
	} in;
	struct {
		struct replay *rows;
		size_t count;
	} out;
};

#endif
