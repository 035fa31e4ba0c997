/* base/crypto.h - digests, HMAC, sealing, and their spellings in text.
 *
 * Role:      thin, typed doors to OpenSSL 3; nothing here knows what is signed or why.
 * Ownership: struct ch_hmac and struct ch_secret wipe themselves in their fini.
 * Threads:   a struct ch_hmac belongs to one thread; the rest keeps no state.
 * Errors:    CH_ENOMEM when OpenSSL has no memory; CH_ECRYPT when a seal does not open.
 */
#ifndef CH_BASE_CRYPTO_H
#define CH_BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/rand.h"

#define CH_SHA256_BYTES 32
#define CH_SEAL_KEY_BYTES 32
#define CH_SEAL_EXTRA_BYTES (1 + 12 + 16) /* version, nonce, tag */

void ch_sha256(const void *data, size_t len, uint8_t out[CH_SHA256_BYTES]);

/* A key set once and used for many messages: EVP_MAC re-initialised with a NULL key. */
struct ch_hmac {
	void *ctx; /* EVP_MAC_CTX; NULL when not initialised */
};

int ch_hmac_init(struct ch_hmac *h, const void *key, size_t key_len) CH_MUST_USE;
void ch_hmac_fini(struct ch_hmac *h);
void ch_hmac_begin(struct ch_hmac *h);
void ch_hmac_update(struct ch_hmac *h, const void *data, size_t len);
void ch_hmac_end(struct ch_hmac *h, uint8_t out[CH_SHA256_BYTES]);

/* AES-256-GCM with a random nonce: appends version byte, nonce, ciphertext, tag to out. aad binds
 * the seal to its place (account and webhook): opening with another aad fails. */
int ch_seal(const uint8_t key[CH_SEAL_KEY_BYTES], const struct ch_rand *rand, const void *aad, size_t aad_len,
		const void *plain, size_t len, struct ch_buf *out) CH_MUST_USE;
/* Appends the plain bytes to out; CH_ECRYPT when key, aad or bytes are not the right ones. */
int ch_unseal(const uint8_t key[CH_SEAL_KEY_BYTES], const void *aad, size_t aad_len, const void *sealed,
		size_t len, struct ch_buf *out) CH_MUST_USE;

/* Equal, in a time that depends on the lengths only. */
bool ch_ct_equal(const void *a, size_t a_len, const void *b, size_t b_len);
void ch_wipe(void *p, size_t len);

void ch_hex(const void *data, size_t len, char *out); /* 2 * len characters, lower case, no NUL */
int ch_hex_value(char c); /* 0..15, either case; -1: no hex digit */
int ch_unhex(const char *text, size_t len, uint8_t *out) CH_MUST_USE; /* len even; either case */
size_t ch_base64_len(size_t len); /* with padding */
void ch_base64(const void *data, size_t len, char *out); /* ch_base64_len, no NUL */
/* Standard alphabet with correct padding and zero spare bits; out has room for len / 4 * 3. */
int ch_unbase64(const char *text, size_t len, uint8_t *out, size_t *ret_len) CH_MUST_USE;

/* A secret in memory: a copy that is wiped when it goes. */
struct ch_secret {
	char *text; /* NUL-terminated; NULL: none */
	size_t len;
};

int ch_secret_set(struct ch_secret *s, const void *text, size_t len) CH_MUST_USE; /* wipes what was there */
void ch_secret_fini(struct ch_secret *s);

#endif
