#include "cli/boot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "cli/key_file.h"

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
	for (size_t i = 0; i < a->count; i++)
		account_fini(&a->accounts[i]);
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
