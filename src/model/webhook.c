#include "model/webhook.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

void webhook_init(struct webhook *w)
{
	*w = (struct webhook){
			.revision = 1,
			.enabled = true,
			.statuses = WEBHOOK_STATUSES_DEFAULT,
			.timeout_s = WEBHOOK_TIMEOUT_DEFAULT_S,
			.concurrency = WEBHOOK_CONCURRENCY_DEFAULT,
	};
}

void webhook_fini(struct webhook *w)
{
	ch_free(w->url);
	ch_free(w->name);
	ch_free(w->disabled_reason);
	ch_free(w->agent_ids);
	for (size_t i = 0; i < w->header_count; i++) {
		ch_free(w->headers[i].name);
		ch_free(w->headers[i].value);
	}
	ch_free(w->secret_sealed);
	ch_free(w->next_sealed);
	*w = (struct webhook){0};
}

static int text_copy(const char *from, char **ret)
{
	*ret = from == NULL ? NULL : ch_strdup(from);
	return from != NULL && *ret == NULL ? CH_ENOMEM : 0;
}

static int bytes_copy(const void *from, size_t len, void **ret)
{
	*ret = from == NULL ? NULL : ch_memdup0(from, len);
	return from != NULL && *ret == NULL ? CH_ENOMEM : 0;
}

static int headers_copy(const struct webhook *from, struct webhook *to)
{
	for (size_t i = 0; i < from->header_count; i++) {
		struct webhook_header *h = &to->headers[to->header_count++];
		int r = text_copy(from->headers[i].name, &h->name);
		if (r == 0)
			r = text_copy(from->headers[i].value, &h->value);
		if (r != 0)
			return r;
	}
	return 0;
}

int webhook_copy(const struct webhook *from, struct webhook *ret)
{
	struct webhook to = *from;
	void *agents = NULL, *sealed = NULL, *next = NULL;
	to.url = to.name = to.disabled_reason = NULL;
	to.agent_ids = NULL;
	to.secret_sealed = to.next_sealed = NULL;
	to.header_count = 0;
	memset(to.headers, 0, sizeof(to.headers));

	int r = text_copy(from->url, &to.url);
	if (r == 0)
		r = text_copy(from->name, &to.name);
	if (r == 0)
		r = text_copy(from->disabled_reason, &to.disabled_reason);
	if (r == 0)
		r = bytes_copy(from->agent_ids, from->agent_count * sizeof(struct id), &agents);
	to.agent_ids = agents;
	if (r == 0)
		r = bytes_copy(from->secret_sealed, from->secret_sealed_len, &sealed);
	to.secret_sealed = sealed;
	if (r == 0)
		r = bytes_copy(from->next_sealed, from->next_sealed_len, &next);
	to.next_sealed = next;
	if (r == 0)
		r = headers_copy(from, &to);
	if (r != 0) {
		webhook_fini(&to);
		return r;
	}
	*ret = to;
	return 0;
}

struct webhook *webhook_clone(const struct webhook *from)
{
	struct webhook *w = ch_alloc(sizeof(*w));

	if (w && webhook_copy(from, w) != 0) {
		ch_free(w);
		return NULL;
	}
	return w;
}

void webhook_destroy(struct webhook **wp)
{
	struct webhook *w = *wp;

	*wp = NULL;
	if (!w)
		return;
	webhook_fini(w);
	ch_free(w);
}

static int agent_compare(const void *a, const void *b)
{
	return id_compare(a, b);
}

bool webhook_wants(const struct webhook *w, enum call_status status, const struct id *agent_id)
{
	CH_ASSERT((unsigned)status < CALL_STATUS_COUNT);
	if ((w->statuses & (1u << status)) == 0)
		return false;
	return w->agent_count == 0 ||
	       bsearch(agent_id, w->agent_ids, w->agent_count, sizeof(struct id), agent_compare) != NULL;
}

static void sealed_drop(uint8_t **sealed, size_t *len)
{
	if (*sealed != NULL)
		ch_wipe(*sealed, *len);
	ch_free(*sealed);
	*sealed = NULL;
	*len = 0;
}

static void rotation_forget(struct webhook *w)
{
	w->rotation_started_ms = w->rotation_ends_ms = 0;
}

void webhook_promote_secret(struct webhook *w)
{
	CH_ASSERT(w->secret_sealed != NULL && w->next_sealed != NULL);
	sealed_drop(&w->secret_sealed, &w->secret_sealed_len);
	w->secret_sealed = w->next_sealed;
	w->secret_sealed_len = w->next_sealed_len;
	w->next_sealed = NULL;
	w->next_sealed_len = 0;
	rotation_forget(w);
}

void webhook_drop_next_secret(struct webhook *w)
{
	sealed_drop(&w->next_sealed, &w->next_sealed_len);
	rotation_forget(w);
}

void webhook_drop_secrets(struct webhook *w)
{
	sealed_drop(&w->secret_sealed, &w->secret_sealed_len);
	webhook_drop_next_secret(w);
}

void webhook_seal_aad(const struct webhook *w, uint8_t out[24])
{
	uint64_t account = (uint64_t)w->account;
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(account >> (56 - 8 * i));
	memcpy(out + 8, w->id.b, sizeof(w->id.b));
}

int webhook_seal(const struct webhook *w, const uint8_t key[CH_SEAL_KEY_BYTES], const struct ch_rand *rand,
		const struct ch_secret *secret, uint8_t **ret, size_t *ret_len)
{
	uint8_t aad[24];
	struct ch_buf sealed;

	webhook_seal_aad(w, aad);
	ch_buf_init(&sealed, CH_SEAL_EXTRA_BYTES + secret->len + 1);
	int rc = ch_seal(key, rand, aad, sizeof(aad), secret->text, secret->len, &sealed);
	size_t len = sealed.len;
	char *bytes = rc == 0 ? ch_buf_detach(&sealed) : NULL;
	ch_buf_fini(&sealed);
	if (!bytes)
		return CH_ENOMEM;
	*ret = (uint8_t *)bytes;
	*ret_len = len;
	return 0;
}

int webhook_unseal(const struct webhook *w, const uint8_t key[CH_SEAL_KEY_BYTES], const uint8_t *sealed,
		size_t len, struct ch_secret *ret)
{
	uint8_t aad[24];
	struct ch_buf plain;

	webhook_seal_aad(w, aad);
	ch_buf_init(&plain, len + 1);
	/* Room for all of it at once: growing would leave a piece of the secret behind. */
	int rc = ch_buf_reserve(&plain, len) ? ch_unseal(key, aad, sizeof(aad), sealed, len, &plain)
					     : CH_ENOMEM;
	if (rc == 0)
		rc = ch_secret_set(ret, plain.data, plain.len);
	if (plain.data)
		ch_wipe(plain.data, plain.cap);
	ch_buf_fini(&plain);
	return rc;
}
