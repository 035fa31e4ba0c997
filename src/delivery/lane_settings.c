#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/lane.h"

struct target *target_ref(struct target *t)
{
	t->refs++;
	return t;
}

void target_unref(struct target **t)
{
	struct target *old = *t;
	*t = NULL;
	if (!old || --old->refs > 0)
		return;
	url_fini(&old->url);
	ch_free(old);
}

struct settings {
	struct target *target;
	struct sign_key key, next_key;
	bool is_signed, has_next_key;
	char fault[160];
};

static void settings_fini(struct settings *s)
{
	target_unref(&s->target);
	if (s->is_signed)
		sign_key_fini(&s->key);
	if (s->has_next_key)
		sign_key_fini(&s->next_key);
	s->is_signed = s->has_next_key = false;
}

static struct settings settings_of(const struct lane *l)
{
	return (struct settings){.target = l->target,
			.key = l->key,
			.next_key = l->next_key,
			.is_signed = l->is_signed,
			.has_next_key = l->has_next_key};
}

static int settings_set_url(struct settings *s, const struct lane_rules *rules, const struct webhook *w)
{
	struct target *t = ch_calloc(1, sizeof(*t));
	struct ch_err err = {0};
	if (!t)
		return CH_ENOMEM;
	int rc = url_parse(w->url, strlen(w->url), rules->urls, &t->url, &err);
	if (rc == 0) {
		t->refs = 1;
		s->target = t;
		return 0;
	}
	ch_free(t);
	if (rc == CH_ENOMEM)
		return rc;
	snprintf(s->fault, sizeof(s->fault), "the URL can't be used: %.120s", err.text);
	return 0;
}

/* One of the webhook's sealed secrets, and the key to be made of it. */
struct opening {
	const uint8_t *sealed;
	size_t sealed_len;
	struct sign_key *key;
	bool *is_made;
};

static int open_secret(struct settings *s, const struct lane_rules *rules, const struct webhook *w,
		const struct opening *o, struct ch_buf *plain)
{
	uint8_t aad[24];
	struct ch_err err = {0};

	/* Room for all of it at once: a buffer that grows would leave pieces of the secret behind. */
	if (!ch_buf_reserve(plain, o->sealed_len))
		return CH_ENOMEM;
	webhook_seal_aad(w, aad);
	int rc = ch_unseal(rules->seal_key, aad, sizeof(aad), o->sealed, o->sealed_len, plain);
	if (rc == 0)
		rc = sign_key_init(o->key, ch_buf_text(plain), plain->len, &err);
	if (rc == CH_ENOMEM)
		return rc;
	*o->is_made = rc == 0;
	if (rc)
		snprintf(s->fault, sizeof(s->fault), "%s",
				rc == CH_ECRYPT ? "the signing secret can't be opened with this server's key"
						: "the signing secret is not usable");
	return 0;
}

static int settings_set_key(struct settings *s, const struct lane_rules *rules, const struct webhook *w,
		const struct opening *o)
{
	struct ch_buf plain;
	if (!o->sealed || s->fault[0])
		return 0;
	ch_buf_init(&plain, o->sealed_len);
	int rc = open_secret(s, rules, w, o, &plain);
	if (plain.data)
		ch_wipe(plain.data, plain.cap);
	ch_buf_fini(&plain);
	return rc;
}

static int settings_set_keys(struct settings *s, const struct lane_rules *rules, const struct webhook *w)
{
	const struct opening now = {w->secret_sealed, w->secret_sealed_len, &s->key, &s->is_signed};
	const struct opening next = {w->next_sealed, w->next_sealed_len, &s->next_key, &s->has_next_key};
	int rc = settings_set_key(s, rules, w, &now);
	return rc == 0 ? settings_set_key(s, rules, w, &next) : rc;
}

static int settings_make(struct settings *s, const struct lane_rules *rules, const struct webhook *w)
{
	*s = (struct settings){0};
	int rc = settings_set_url(s, rules, w);
	if (rc == 0)
		rc = settings_set_keys(s, rules, w);
	if (rc)
		settings_fini(s);
	return rc;
}

static void replace_settings(struct lane *l, struct settings *s, struct webhook *w)
{
	struct settings old = settings_of(l);
	settings_fini(&old);
	l->target = s->target;
	l->key = s->key;
	l->next_key = s->next_key;
	l->is_signed = s->is_signed;
	l->has_next_key = s->has_next_key;
	memcpy(l->fault, s->fault, sizeof(l->fault));
	webhook_fini(&l->webhook);
	l->webhook = *w;
	webhook_init(w);
	window_set_limit(&l->window, l->webhook.concurrency);
	rate_limit_set(&l->rate, l->webhook.rate_count, l->webhook.rate_seconds);
}

int lane_set_webhook(struct lane *l, const struct lane_rules *rules, struct webhook *w)
{
	struct settings s;
	CH_ASSERT(id_equal(&l->webhook.id, &w->id));
	int rc = settings_make(&s, rules, w);
	if (rc)
		return rc;
	replace_settings(l, &s, w);
	return 0;
}

void lane_set_deleted(struct lane *l)
{
	struct settings none = {0};
	struct webhook w;
	webhook_init(&w);
	w.id = l->webhook.id;
	w.account = l->webhook.account;
	w.deleted = true;
	replace_settings(l, &none, &w);
}

void lane_end_rotation(struct lane *l)
{
	CH_ASSERT(l->is_signed && l->has_next_key);
	sign_key_fini(&l->key);
	l->key = l->next_key;
	l->has_next_key = false;
	webhook_promote_secret(&l->webhook);
}

void lane_drop_settings(struct lane *l)
{
	struct settings s = settings_of(l);
	settings_fini(&s);
	l->target = NULL;
	l->is_signed = l->has_next_key = false;
	webhook_fini(&l->webhook);
}
