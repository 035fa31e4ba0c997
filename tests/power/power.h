/* tests/power/power.h - power goes at every moment of a script, and nothing that was acknowledged is lost.
 *
 * Role:      script.c runs steps through the real SQLite store; book.c keeps what the store held after each
 *            acknowledged batch of a run without a cut; audit.c opens what a cut left and compares; main.c
 *            goes through the cuts.
 * Model:     the disk of tests/vfs. Everything is seeded: the same cut and seed leave the same files.
 * Units:     a batch is what one call of the store's write takes; batch 0 is the open store, still empty.
 */
#ifndef CH_TESTS_POWER_H
#define CH_TESTS_POWER_H

#include <sqlite3.h>

#include "contract.h"
#include "disk.h"
#include "store/store_sqlite.h"

enum step_kind {
	STEP_ACCOUNT, /* a: number */
	STEP_WEBHOOK, /* a: number; b: enabled */
	STEP_PUT, /* calls a to a + b - 1, bodies of `bytes` and more; with them c attempts */
	STEP_ATTEMPTS, /* c of them */
	STEP_SWITCH, /* webhook a, revision b; c: enabled */
	STEP_RELEASE, /* webhook a, revision b: switched on, with what is parked */
	STEP_RESEND, /* the delivery made[a] */
	STEP_DELETE, /* webhook a */
	STEP_SWEEP, /* webhook a, at most b rows */
	STEP_RETAIN, /* phase a, about b rows: all that can go, two days later */
	STEP_CHECKPOINT, /* the next commit pays for one */
	STEP_MAINTAIN, /* as in a quiet moment after much was written */
	STEP_REOPEN,
	STEP_END
};

struct step {
	enum step_kind kind;
	unsigned a, b, c;
	size_t bytes;
};

struct script {
	const char *name;
	const struct step *steps; /* to STEP_END */
	void (*prepare)(const char *path); /* makes the database that is opened first; NULL: none */
};

extern const struct script power_scripts[];
extern const size_t power_script_count;

#define POWER_MADE_MAX 256
#define POWER_BATCH_MAX 64

struct power_run {
	struct bed bed; /* dir is borrowed from the one who runs */
	size_t acked; /* the last batch that was acknowledged */
	bool is_open, is_writing;
	struct delivery made[POWER_MADE_MAX]; /* without bodies */
	size_t made_count, tried;
	unsigned attempts;
	struct book *book; /* is being written; NULL: not */
};

#define BOOK_BATCHES_MAX 64
#define BOOK_BODIES_MAX 1024

struct book_body {
	size_t batch;
	struct id call;
	struct ch_bytes *body; /* as the answer had it; NULL: the call went for its age */
};

struct book {
	char *dumps[BOOK_BATCHES_MAX];
	size_t count; /* of dumps; batch n is dumps[n] */
	struct book_body bodies[BOOK_BODIES_MAX];
	size_t body_count;
	long ops; /* of the disk, for the whole script */
};

/* script.c. 0 at the end of the script, or the code of what failed; close in any case. */
int power_run(struct power_run *r, const struct script *s, const char *dir, struct book *book) CH_MUST_USE;
int power_open(struct bed *b, struct ch_err *err) CH_MUST_USE; /* store and reader, or none */
void power_close(struct bed *b);
/* The same randomness each time: a store that was not named before the cut gets the same id after it. */
void power_bed(struct bed *b, const char *dir);

/* book.c */
void book_batch(struct power_run *r, struct store_request *const *requests, size_t n);
void book_fini(struct book *b);
char *power_dump(const char *dir); /* all rows of all tables; to be given to ch_free; NULL: unreadable */

/* upgrade.c: a database as the first version of the schema left it. */
void power_make_version_1(const char *path);

/* audit.c */
enum verdict {
	WELL,
	UNOPENED, /* the store can't be opened */
	DAMAGED, /* SQLite says so, or a webhook's counts are not those of its rows */
	LOST, /* an acknowledged batch is not there */
	HALF, /* something is there that no batch left so */
	BODY, /* a call's bytes are not those that were answered */
	STUCK, /* no more can be written */
	VERDICT_COUNT
};

struct finding {
	enum verdict verdict;
	size_t batch; /* that is there; when WELL */
	char words[300];
};

const char *verdict_name(enum verdict v);
/* What is in dir must be the book's batch `from` or `to`. */
struct finding power_audit(const char *dir, const struct book *book, size_t from, size_t to);

#endif
