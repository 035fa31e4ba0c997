/* base/crash_point.h - named places where a test may kill the process.
 *
 * Role:      CH_CRASH_POINT(name) stands between two steps that a crash must be able to part. In a
 *            build with -Dcrash_points=true, CALLHOOK_CRASH_AT=name kills the process (SIGKILL) when
 *            it first passes there, name:3 when it passes there the third time; otherwise, and in
 *            every other build, the macro is nothing.
 *            CH_CRASH_POINTS is the one list of all names: a name that is not in it does not
 *            compile, and tests/crash fails for one that it never crashed at.
 * Threads:   any; passings are counted over all of them.
 * Errors:    a CALLHOOK_CRASH_AT that names no point aborts: the test would wait for nothing.
 */
#ifndef CH_BASE_CRASH_POINT_H
#define CH_BASE_CRASH_POINT_H

/* clang-format off */
#define CH_CRASH_POINTS(X) \
	/* opening the store, and a migration */ \
	X(open_locked) \
	X(open_file_made) \
	X(open_connected) \
	X(migrate_begun) \
	X(migrate_changed) \
	X(migrate_marked) \
	X(migrate_committed) \
	X(build_inside) \
	X(build_step) \
	X(open_migrated) \
	X(open_loaded) \
	/* the first start: the key and the account */ \
	X(key_file_opened) \
	X(key_file_written) \
	X(key_file_made) \
	X(account_shown) \
	X(account_made) \
	/* recovery */ \
	X(sweeps_resumed) \
	X(survey_asked) \
	X(survey_applied) \
	/* a transaction */ \
	X(commit_half) \
	X(commit_before) \
	X(commit_after) \
	X(news_given) \
	X(checkpoint_before) \
	X(checkpoint_after) \
	/* a call that is erased */ \
	X(erase_inside) \
	X(erase_committed) \
	/* rows that follow their webhook's switch, in chunks */ \
	X(sweep_inside) \
	X(sweep_between) \
	X(sweep_finished) \
	/* an account that is deleted, and what it had removed in chunks */ \
	X(account_closed) \
	X(purge_inside) \
	X(purge_finished) \
	/* what is older than retention goes, in steps */ \
	X(retention_inside) \
	X(retention_between) \
	/* a replay, in steps */ \
	X(replay_inside) \
	X(replay_between) \
	/* an event, in the write that is its cause */ \
	X(event_inside) \
	/* an import and a secret on their way to the client */ \
	X(import_slice) \
	X(secret_sealed) \
	X(secret_stored) \
	/* an attempt */ \
	X(claim_asked) \
	X(claim_taken) \
	X(send_before) \
	X(send_after) \
	X(answer_taken) \
	X(result_before) \
	X(result_written) \
	X(gone_noted) \
	/* a stop */ \
	X(stop_asked) \
	X(stop_drained) \
	X(stop_workers_stopped) \
	X(stop_store_idle) \
	X(stop_store_closed)
/* clang-format on */

#ifdef CH_HAS_CRASH_POINTS

#define CH_CRASH_POINT_ENUM(name) CH_CRASH_##name,
enum ch_crash_point { CH_CRASH_POINTS(CH_CRASH_POINT_ENUM) CH_CRASH_POINT_COUNT };
#undef CH_CRASH_POINT_ENUM

void ch_crash_point_pass(enum ch_crash_point point);

#define CH_CRASH_POINT(name) ch_crash_point_pass(CH_CRASH_##name)

#else

#define CH_CRASH_POINT(name) ((void)0)

#endif
#endif
