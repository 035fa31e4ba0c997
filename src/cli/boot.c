#include "cli/boot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "cli/key_file.h"
#include "model/ops_event.h"

/* The asker waits for the port to have run something, and the answer is all that can come. */
static void answered(struct store_request *r)
{
}

/* Submits and waits for the answer: no loop runs yet, and the port has no other traffic. */
static int boot_ask(
		struct store_client *store, struct ch_port *port, struct store_request *r, struct ch_err *err)
{
	struct ch_list items;
	struct ch_list *n;

	ch_list_init(&items);
	store_submit(store, r);
	while (ch_queue_take_wait(&port->queue, &items, -1) == 0)
		;
	while ((n = ch_list_pop_front(&items)) != NULL) {
		struct ch_msg *m = CH_CONTAINER_OF(n, struct ch_msg, link);
		m->run(m);
	}
	if (r->result != 0)
		return ch_err_set(err, r->result, "the store: %s",
				r->err.text[0] ? r->err.text : ch_err_name(r->result));
	return 0;
}

/* Before the account exists: should anything fail from here on, the keys have been seen. */
static int show_keys(char keys[ACCOUNT_KEYS][ACCOUNT_KEY_TEXT_LEN + 1], bool is_preset, struct ch_err *err)
{
	printf("Account \"default\" is made. Its API keys are shown this once:\n  primary    %s\n  secondary "
	       " %s\n\n",
			is_preset ? "(as given)" : keys[0], keys[1]);
	if (fflush(stdout) != 0)
		return ch_err_set(err, CH_EIO, "the new account's keys can't be shown on standard output: %s",
				strerror(errno));
	return 0;
}

static int make_default(struct store_client *store, struct ch_port *port, struct ch_clock clock,
		const struct ch_rand *rand, const char *preset_key, struct ch_err *err)
{
	char keys[ACCOUNT_KEYS][ACCOUNT_KEY_TEXT_LEN + 1];
	struct store_request r;
	struct account *a;
	int rc;

	store_request_init(&r, STORE_ACCOUNT_CREATE, port, answered);
	a = &r.u.account_create.in.account;
	snprintf(a->id, sizeof(a->id), "default");
	a->created_ms = ch_clock_wall(&clock).ms;
	for (int i = 0; i < ACCOUNT_KEYS; i++) {
		account_key_make(rand, keys[i]);
		const char *key = i == 0 && preset_key ? preset_key : keys[i];
		ch_sha256(key, strlen(key), a->key_sha256[i]);
	}
	rc = show_keys(keys, preset_key != NULL, err);
	CH_CRASH_POINT(account_shown);
	ch_wipe(keys, sizeof(keys));
	if (rc == 0)
		rc = boot_ask(store, port, &r, err);
	CH_CRASH_POINT(account_made);
	store_request_fini(&r);
	return rc;
}

static int list(struct store_client *store, struct ch_port *port, struct boot_accounts *ret,
		struct ch_err *err)
{
	struct store_request r;
	int rc;

	store_request_init(&r, STORE_ACCOUNT_LIST, port, answered);
	rc = boot_ask(store, port, &r, err);
	if (rc == 0) {
		boot_accounts_fini(ret);
		ret->accounts = r.u.account_list.out.accounts;
		ret->count = r.u.account_list.out.count;
		r.u.account_list.out.accounts = NULL;
		r.u.account_list.out.count = 0;
	}
	store_request_fini(&r);
	return rc;
}

static bool is_key_of(const struct boot_accounts *a, const char *key)
{
	uint8_t digest[CH_SHA256_BYTES];

	ch_sha256(key, strlen(key), digest);
	for (size_t i = 0; i < a->count; i++)
		for (int k = 0; k < ACCOUNT_KEYS; k++)
			if (ch_ct_equal(digest, sizeof(digest), a->accounts[i].key_sha256[k], sizeof(digest)))
				return true;
	return false;
}

int boot_accounts(struct store_client *store, struct ch_port *port, struct ch_clock clock,
		const struct ch_rand *rand, const char *preset_key, struct boot_accounts *ret,
		struct ch_err *err)
{
	int rc;

	*ret = (struct boot_accounts){0};
	rc = list(store, port, ret, err);
	if (rc == 0 && ret->count == 0) {
		rc = make_default(store, port, clock, rand, preset_key, err);
		if (rc == 0)
			rc = list(store, port, ret, err);
	} else if (rc == 0 && preset_key && !is_key_of(ret, preset_key)) {
		fprintf(stderr, "warning: the API key that was given is none of this store's, and is "
				"ignored: it "
				"counts only when the store is new\n");
	}
	if (rc != 0)
		boot_accounts_fini(ret);
	return rc;
}

void boot_accounts_fini(struct boot_accounts *a)
{
	ch_free(a->accounts);
	*a = (struct boot_accounts){0};
}

int boot_spent(struct store_client *store, struct ch_port *port, struct store_spent **ret, size_t *ret_count,
		struct ch_err *err)
{
	struct store_request r;
	int rc;

	store_request_init(&r, STORE_SPENT_LIST, port, answered);
	rc = boot_ask(store, port, &r, err);
	if (rc == 0) {
		*ret = r.u.spent_list.out.rows;
		*ret_count = r.u.spent_list.out.count;
		r.u.spent_list.out.rows = NULL;
		r.u.spent_list.out.count = 0;
	}
	store_request_fini(&r);
	return rc;
}

static int check_secret(const struct webhook *w, const uint8_t key[CH_SEAL_KEY_BYTES], struct ch_err *err)
{
	char id[ID_TEXT_LEN + 1];
	struct ch_buf plain;
	uint8_t aad[24];
	int rc;

	webhook_seal_aad(w, aad);
	ch_buf_init(&plain, 4096);
	rc = ch_unseal(key, aad, sizeof(aad), w->secret_sealed, w->secret_sealed_len, &plain);
	if (plain.data)
		ch_wipe(plain.data, plain.len);
	ch_buf_fini(&plain);
	id_format(&w->id, id);
	if (rc != 0)
		return ch_err_set(err, rc,
				"the secret of webhook %s does not open with this key; is --secret-key-file "
				"the one this store was made with?",
				id);
	return 0;
}

int boot_key(struct store_client *store, struct ch_port *port, const struct ch_rand *rand, const char *path,
		uint8_t ret[CH_SEAL_KEY_BYTES], struct ch_err *err)
{
	struct store_request r;
	bool has_secrets = false;
	int rc;

	store_request_init(&r, STORE_LANES, port, answered);
	rc = boot_ask(store, port, &r, err);
	for (size_t i = 0; rc == 0 && i < r.u.lanes.out.count; i++)
		has_secrets = has_secrets || r.u.lanes.out.rows[i].webhook.secret_sealed;
	if (rc == 0)
		rc = key_file_load(path, !has_secrets, rand, ret, err);
	for (size_t i = 0; rc == 0 && i < r.u.lanes.out.count; i++)
		if (r.u.lanes.out.rows[i].webhook.secret_sealed)
			rc = check_secret(&r.u.lanes.out.rows[i].webhook, ret, err);
	store_request_fini(&r);
	return rc;
}

/* ---- events ---- */

static int ask_create(struct store_request *r, struct ch_port *port, struct ch_clock clock,
		const struct ch_rand *rand, const struct boot_events *wanted)
{
	struct webhook *w = &r->u.webhook_create.in.webhook;
	struct id_gen ids;

	id_gen_init(&ids, clock, *rand);
	struct id id = id_gen_next(&ids);
	store_request_init(r, STORE_WEBHOOK_CREATE, port, answered);
	r->u.webhook_create.in.max_webhooks = 1;
	int rc = ops_event_webhook_init(w, EVENT_OPERATOR, &id, ch_clock_wall(&clock).ms, wanted->url);
	return rc == 0 ? webhook_seal(w, wanted->seal_key, rand, wanted->secret, &w->secret_sealed,
					 &w->secret_sealed_len)
		       : rc;
}

/* CH_EEXIST: it is as wanted already. */
static int ask_update(struct store_request *r, struct ch_port *port, const struct ch_rand *rand,
		const struct webhook *now, const struct boot_events *wanted)
{
	struct webhook *w = &r->u.webhook_update.in.webhook;
	struct ch_secret secret = {0};
	int rc = webhook_unseal(now, wanted->seal_key, now->secret_sealed, now->secret_sealed_len, &secret);
	bool is_same = rc == 0 && now->enabled && strcmp(now->url, wanted->url) == 0 &&
		       ch_ct_equal(secret.text, secret.len, wanted->secret->text, wanted->secret->len);

	ch_secret_fini(&secret);
	store_request_init(r, STORE_WEBHOOK_UPDATE, port, answered);
	if (rc != 0 || is_same)
		return is_same ? CH_EEXIST : rc;
	rc = webhook_copy(now, w);
	if (rc != 0)
		return rc;
	webhook_drop_secrets(w);
	ch_free(w->disabled_reason);
	ch_free(w->url);
	w->disabled_reason = NULL;
	w->enabled = true;
	w->url = ch_strdup(wanted->url);
	r->u.webhook_update.in.release = true;
	if (!w->url)
		return CH_ENOMEM;
	return webhook_seal(
			w, wanted->seal_key, rand, wanted->secret, &w->secret_sealed, &w->secret_sealed_len);
}

static void ask_delete(struct store_request *r, struct ch_port *port, struct ch_clock clock,
		const struct webhook *now)
{
	store_request_init(r, STORE_WEBHOOK_DELETE, port, answered);
	r->u.webhook_delete.in.account = EVENT_OPERATOR;
	r->u.webhook_delete.in.id = now->id;
	r->u.webhook_delete.in.now_ms = ch_clock_wall(&clock).ms;
}

int boot_events(struct store_client *store, struct ch_port *port, struct ch_clock clock,
		const struct ch_rand *rand, const struct boot_events *wanted, struct ch_err *err)
{
	struct store_request look, r;
	int rc;

	store_request_init(&look, STORE_WEBHOOK_LIST, port, answered);
	look.u.webhook_list.in.account = EVENT_OPERATOR;
	rc = boot_ask(store, port, &look, err);
	const struct webhook *now = rc == 0 && look.u.webhook_list.out.count > 0
						    ? &look.u.webhook_list.out.rows[0].webhook
						    : NULL;
	bool is_asked = rc == 0 && (now || wanted->url);
	if (is_asked && !wanted->url)
		ask_delete(&r, port, clock, now);
	else if (is_asked)
		rc = now ? ask_update(&r, port, rand, now, wanted)
			 : ask_create(&r, port, clock, rand, wanted);
	if (is_asked && rc == 0)
		rc = boot_ask(store, port, &r, err);
	else if (is_asked && rc != CH_EEXIST)
		(void)ch_err_set(err, rc, "the webhook of events can't be made: %s", ch_err_name(rc));
	if (is_asked)
		store_request_fini(&r);
	store_request_fini(&look);
	return rc == CH_EEXIST ? 0 : rc;
}
