#include <stdio.h>
#include <string.h>

#include "base/time_text.h"
#include "model/json_load.h"
#include "store/store_sqlite_fsck.h"

/* A version as its row says it. */
struct version {
	int64_t seq, account, n, first, last;
	struct id call;
	struct id agent;
	int status;
	bool has_span;
	bool has_agent;
	bool is_leaving; /* its account is deleted: what it hangs together with may be removed already */
	const char *body; /* the statement's */
	size_t body_len; /* 0 of a blob: erased */
	bool is_blob;
	bool has_facts; /* those by which it is listed */
	struct call_facts facts;
	char where[FSCK_WHERE_MAX];
};

static void name(struct version *v)
{
	char id[ID_TEXT_LEN + 1];

	id_format(&v->call, id);
	snprintf(v->where, sizeof(v->where), "call %s version %lld", id, (long long)v->n);
}

static bool read_version(struct fsck *f, struct version *v)
{
	sqlite3_stmt *st = f->stmts[FSCK_VERSIONS];

	*v = (struct version){
			.seq = fsck_int(f, FSCK_VERSIONS, 0),
			.account = fsck_int(f, FSCK_VERSIONS, 1),
			.n = fsck_int(f, FSCK_VERSIONS, 3),
			.status = sqlite3_column_int(st, 4),
			.first = fsck_int(f, FSCK_VERSIONS, 7),
			.last = fsck_int(f, FSCK_VERSIONS, 8),
			.has_span = !fsck_is_null(f, FSCK_VERSIONS, 7),
			.is_leaving = fsck_int(f, FSCK_VERSIONS, 11) != 0,
			.is_blob = sqlite3_column_type(st, 9) == SQLITE_BLOB,
			.body = sqlite3_column_blob(st, 9),
			.body_len = (size_t)sqlite3_column_bytes(st, 9),
	};
	snprintf(v->where, sizeof(v->where), "call version number %lld", (long long)v->seq);
	v->has_agent = fsck_id(f, FSCK_VERSIONS, 5, &v->agent);
	if (!fsck_id(f, FSCK_VERSIONS, 2, &v->call)) {
		fsck_finding(f, v->where, "it has no call's id");
		return false;
	}
	name(v);
	return true;
}

static bool is_erased(const struct version *v)
{
	return v->is_blob && v->body_len == 0;
}

/* An event is JSON of our own, which nobody sent. */
static void check_event(struct fsck *f, const struct version *v)
{
	json_t *json = NULL;
	int rc = v->body == NULL ? CH_EINVAL : json_load(v->body, v->body_len, 0, &json, NULL);

	if (rc != 0 || !json_is_string(json_object_get(json, "type")) ||
			!json_is_object(json_object_get(json, "data")))
		fsck_finding(f, v->where, "it is no event");
	json_decref(json);
}

/* The codec that accepted the record must take it again and give the very same bytes. */
static void check_body(struct fsck *f, struct version *v)
{
	struct problems problems;
	struct call_facts facts;
	bool is_readable;

	if (ops_event_is_account(v->account)) {
		check_event(f, v);
		return;
	}
	if (is_erased(v))
		return;
	problems_init(&problems);
	is_readable = v->body != NULL && call_codec_run(f->codec, v->body, v->body_len, &v->call, 0, &f->body,
							 &facts, &problems) == 0;
	v->has_facts = call_body_facts(v->body, v->body_len, &v->facts) == 0;
	if (!is_readable)
		fsck_finding(f, v->where, "its record can't be read");
	else if (f->body.len != v->body_len || memcmp(f->body.data, v->body, v->body_len) != 0)
		fsck_finding(f, v->where, "its record is not canonical");
	else if ((int)facts.status != v->status)
		fsck_finding(f, v->where, "its status is not the one of its record");
	else if (!v->has_agent || !id_equal(&facts.agent_id, &v->agent))
		fsck_finding(f, v->where, "its agent is not the one of its record");
	problems_fini(&problems);
}

/* Of what was erased before digests were kept there is none. */
static void check_digest(struct fsck *f, const struct version *v)
{
	sqlite3_stmt *st = f->stmts[FSCK_VERSIONS];
	bool is_digest = sqlite3_column_type(st, 12) == SQLITE_BLOB &&
			 sqlite3_column_bytes(st, 12) == CH_SHA256_BYTES;

	if (!fsck_is_null(f, FSCK_VERSIONS, 12) && (!is_erased(v) || !is_digest))
		fsck_finding(f, v->where, "the digest of what was erased can't be");
}

static void check_row(struct fsck *f, const struct version *v)
{
	if (fsck_is_null(f, FSCK_VERSIONS, 10) && v->account != EVENT_OPERATOR)
		fsck_finding(f, v->where, "its account is not there");
	if (v->n < 1)
		fsck_finding(f, v->where, "its number can't be");
	if (v->seq < 0 && (v->n != 1 || v->has_span || !is_erased(v)))
		fsck_finding(f, v->where, "the mark that it was erased can't be");
	if (!sq_is_sane(fsck_int(f, FSCK_VERSIONS, 6)))
		fsck_finding(f, v->where, "the moment it was accepted can't be");
	if (v->has_span == fsck_is_null(f, FSCK_VERSIONS, 8) || v->last < v->first)
		fsck_finding(f, v->where, "the span of its deliveries can't be");
	else if (v->has_span && v->status == CALL_IN_PROGRESS)
		fsck_finding(f, v->where, "the call is not final, but deliveries were made");
}

/* Where "created" stands in a canonical body. */
static bool same_created(const struct version *v, const char *body, size_t len)
{
	size_t tail = TIME_TEXT_LEN + 2;

	return body != NULL && v->body != NULL && len >= tail && v->body_len >= tail &&
	       memcmp(body + len - tail, v->body + v->body_len - tail, tail) == 0;
}

static int check_before(struct fsck *f, const struct version *v)
{
	sqlite3_stmt *st = f->stmts[FSCK_VERSION_BEFORE];
	int rc;

	if (v->n <= 1 || v->is_leaving)
		return 0;
	fsck_bind(f, FSCK_VERSION_BEFORE, 1, v->account);
	sqlite3_bind_blob(st, 2, v->call.b, sizeof(v->call.b), SQLITE_STATIC);
	fsck_bind(f, FSCK_VERSION_BEFORE, 3, v->n - 1);
	rc = fsck_step(f, FSCK_VERSION_BEFORE);
	if (rc == SQLITE_DONE)
		fsck_finding(f, v->where, "the version before it is missing");
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? 0 : rc;
	if (fsck_int(f, FSCK_VERSION_BEFORE, 0) >= v->seq)
		fsck_finding(f, v->where, "it was stored before the version before it");
	if (fsck_int(f, FSCK_VERSION_BEFORE, 1) != CALL_IN_PROGRESS && v->status == CALL_IN_PROGRESS)
		fsck_finding(f, v->where, "the call was final and is live again");
	size_t before_len = (size_t)sqlite3_column_bytes(st, 2);
	if (before_len == 0 && !is_erased(v))
		fsck_finding(f, v->where, "the call was erased before it and has a record again");
	else if (before_len > 0 && v->body_len == 0)
		fsck_finding(f, v->where, "it is erased, and the version before it is not");
	else if (before_len > 0 && !same_created(v, sqlite3_column_blob(st, 2), before_len))
		fsck_finding(f, v->where, "its \"created\" is not the one of the version before it");
	fsck_reset(f, FSCK_VERSION_BEFORE);
	return 0;
}

/* The latest version of a call, and only that, stands in the lists. */
static int check_lists(struct fsck *f, const struct version *v)
{
	sqlite3_stmt *st = f->stmts[FSCK_VERSION_BEFORE];
	int rc;

	if (!v->has_facts || v->is_leaving || f->is_building)
		return 0;
	fsck_bind(f, FSCK_VERSION_BEFORE, 1, v->account);
	sqlite3_bind_blob(st, 2, v->call.b, sizeof(v->call.b), SQLITE_STATIC);
	fsck_bind(f, FSCK_VERSION_BEFORE, 3, v->n + 1);
	rc = fsck_step(f, FSCK_VERSION_BEFORE);
	if (rc == SQLITE_ROW) {
		fsck_reset(f, FSCK_VERSION_BEFORE);
		return 0;
	}
	return rc == SQLITE_DONE ? fsck_listed(f, v->where, v->account, v->seq, &v->facts) : rc;
}

static int check_delivery_at(struct fsck *f, const struct version *v, int64_t key)
{
	int rc;

	fsck_bind(f, FSCK_VERSION_DELIVERY, 1, v->account);
	fsck_bind(f, FSCK_VERSION_DELIVERY, 2, key);
	fsck_bind(f, FSCK_VERSION_DELIVERY, 3, v->seq);
	rc = fsck_step(f, FSCK_VERSION_DELIVERY);
	if (rc == SQLITE_DONE)
		fsck_finding(f, v->where, "a delivery that was made for it is missing");
	if (rc == SQLITE_ROW)
		fsck_reset(f, FSCK_VERSION_DELIVERY);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : rc;
}

static int check_version(struct fsck *f)
{
	struct version v;
	int rc;

	f->totals.versions++;
	if (!read_version(f, &v))
		return 0;
	check_row(f, &v);
	check_body(f, &v);
	check_digest(f, &v);
	rc = check_before(f, &v);
	if (rc == 0)
		rc = check_lists(f, &v);
	bool has_deliveries = v.has_span && !v.is_leaving;
	if (rc == 0 && has_deliveries)
		rc = check_delivery_at(f, &v, v.first);
	if (rc == 0 && has_deliveries && v.last != v.first)
		rc = check_delivery_at(f, &v, v.last);
	return rc;
}

int fsck_calls(struct fsck *f)
{
	int rc;

	while ((rc = fsck_step(f, FSCK_VERSIONS)) == SQLITE_ROW) {
		rc = check_version(f);
		if (rc != 0) {
			fsck_reset(f, FSCK_VERSIONS);
			return rc;
		}
	}
	return rc == SQLITE_DONE ? 0 : rc;
}
