#include "base/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define SEAL_VERSION 1
#define NONCE_BYTES 12
#define TAG_BYTES 16

/* Looking an algorithm up by name costs more than a short message's digest, so it is done once. */
static pthread_once_t algorithms_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256_md;
static EVP_MAC *hmac_mac;
static EVP_CIPHER *gcm_cipher;

static void algorithms_free(void)
{
	EVP_MD_free(sha256_md);
	EVP_MAC_free(hmac_mac);
	EVP_CIPHER_free(gcm_cipher);
}

static void algorithms_fetch(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
	hmac_mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	gcm_cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	CH_ASSERT(sha256_md && hmac_mac && gcm_cipher);
	OPENSSL_atexit(algorithms_free);
}

static void algorithms_need(void)
{
	int rc = pthread_once(&algorithms_once, algorithms_fetch);
	CH_ASSERT(rc == 0);
}

void ch_sha256(const void *data, size_t len, uint8_t out[CH_SHA256_BYTES])
{
	algorithms_need();
	int ok = EVP_Digest(data, len, out, NULL, sha256_md, NULL);
	CH_ASSERT(ok == 1);
}

int ch_hmac_init(struct ch_hmac *h, const void *key, size_t key_len)
{
	algorithms_need();
	h->ctx = NULL;
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac_mac);
	if (!ctx)
		return CH_ENOMEM;
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
			OSSL_PARAM_construct_end(),
	};
	/* A NULL key would mean "keep the key"; an empty one is a key too. */
	if (EVP_MAC_init(ctx, key ? key : (const void *)"", key_len, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		return CH_ENOMEM;
	}
	h->ctx = ctx;
	return 0;
}

void ch_hmac_fini(struct ch_hmac *h)
{
	EVP_MAC_CTX_free(h->ctx); /* clears the key inside */
	h->ctx = NULL;
}

void ch_hmac_begin(struct ch_hmac *h)
{
	CH_ASSERT(h->ctx);
	int ok = EVP_MAC_init(h->ctx, NULL, 0, NULL);
	CH_ASSERT(ok == 1);
}

void ch_hmac_update(struct ch_hmac *h, const void *data, size_t len)
{
	CH_ASSERT(h->ctx);
	int ok = EVP_MAC_update(h->ctx, data, len);
	CH_ASSERT(ok == 1);
}

void ch_hmac_end(struct ch_hmac *h, uint8_t out[CH_SHA256_BYTES])
{
	CH_ASSERT(h->ctx);
	size_t len = 0;
	int ok = EVP_MAC_final(h->ctx, out, &len, CH_SHA256_BYTES);
	CH_ASSERT(ok == 1 && len == CH_SHA256_BYTES);
}

/* The version byte is authenticated with the rest, so that one format can't pass for another. */
static bool feed_aad(EVP_CIPHER_CTX *ctx, uint8_t version, const void *aad, size_t aad_len)
{
	int n;
	return EVP_CipherUpdate(ctx, NULL, &n, &version, 1) == 1 &&
	       (aad_len == 0 || EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1);
}

static bool feed_text(EVP_CIPHER_CTX *ctx, const void *in, size_t len, uint8_t *out)
{
	int n;
	return len == 0 || EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1;
}

static bool seal_into(EVP_CIPHER_CTX *ctx, const uint8_t *key, const void *aad, size_t aad_len,
		const void *plain, size_t len, uint8_t *out)
{
	uint8_t *text = out + 1 + NONCE_BYTES;
	int n;
	return EVP_CipherInit_ex2(ctx, gcm_cipher, key, out + 1, 1, NULL) == 1 &&
	       feed_aad(ctx, out[0], aad, aad_len) && feed_text(ctx, plain, len, text) &&
	       EVP_CipherFinal_ex(ctx, text + len, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + len) == 1;
}

int ch_seal(const uint8_t key[CH_SEAL_KEY_BYTES], const struct ch_rand *rand, const void *aad, size_t aad_len,
		const void *plain, size_t len, struct ch_buf *out)
{
	algorithms_need();
	if (aad_len > INT_MAX || len > INT_MAX - CH_SEAL_EXTRA_BYTES)
		return CH_ELIMIT;
	uint8_t *to = (uint8_t *)ch_buf_reserve(out, len + CH_SEAL_EXTRA_BYTES);
	if (!to)
		return out->err;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return CH_ENOMEM;
	to[0] = SEAL_VERSION;
	ch_rand_fill(rand, to + 1, NONCE_BYTES);
	bool ok = seal_into(ctx, key, aad, aad_len, plain, len, to);
	EVP_CIPHER_CTX_free(ctx);
	ch_buf_commit(out, ok ? len + CH_SEAL_EXTRA_BYTES : 0);
	return ok ? 0 : CH_ENOMEM;
}

static bool unseal_into(EVP_CIPHER_CTX *ctx, const uint8_t *key, const void *aad, size_t aad_len,
		const uint8_t *sealed, size_t plain_len, uint8_t *out)
{
	const uint8_t *text = sealed + 1 + NONCE_BYTES;
	uint8_t tag[TAG_BYTES];
	memcpy(tag, text + plain_len, TAG_BYTES);
	int n;
	return EVP_CipherInit_ex2(ctx, gcm_cipher, key, sealed + 1, 0, NULL) == 1 &&
	       feed_aad(ctx, sealed[0], aad, aad_len) && feed_text(ctx, text, plain_len, out) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
	       EVP_CipherFinal_ex(ctx, out + plain_len, &n) == 1;
}

int ch_unseal(const uint8_t key[CH_SEAL_KEY_BYTES], const void *aad, size_t aad_len, const void *sealed,
		size_t len, struct ch_buf *out)
{
	algorithms_need();
	const uint8_t *from = sealed;
	if (len < CH_SEAL_EXTRA_BYTES || len > INT_MAX || aad_len > INT_MAX || from[0] != SEAL_VERSION)
		return CH_ECRYPT;
	size_t plain_len = len - CH_SEAL_EXTRA_BYTES;
	uint8_t *to = (uint8_t *)ch_buf_reserve(out, plain_len);
	if (!to)
		return out->err;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return CH_ENOMEM;
	/* A wrong key is an answer, not a fault: leave no trace of it in the thread's error queue, where
	 * the TLS code of this thread would take it for its own. */
	ERR_set_mark();
	bool ok = unseal_into(ctx, key, aad, aad_len, from, plain_len, to);
	ERR_pop_to_mark();
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		ch_wipe(to, plain_len);
	ch_buf_commit(out, ok ? plain_len : 0);
	return ok ? 0 : CH_ECRYPT;
}

bool ch_ct_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || CRYPTO_memcmp(a, b, a_len) == 0);
}

void ch_wipe(void *p, size_t len)
{
	if (len)
		OPENSSL_cleanse(p, len);
}

int ch_secret_set(struct ch_secret *s, const void *text, size_t len)
{
	char *copy = NULL;
	if (text) {
		copy = ch_memdup0(text, len);
		if (!copy)
			return CH_ENOMEM;
	}
	ch_secret_fini(s);
	s->text = copy;
	s->len = copy ? len : 0;
	return 0;
}

void ch_secret_fini(struct ch_secret *s)
{
	if (s->text)
		ch_wipe(s->text, s->len);
	ch_free(s->text);
	*s = (struct ch_secret){0};
}
