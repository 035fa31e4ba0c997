/* delivery/curl_tls.h - whom we trust, and what a handshake told.
 *
 * Role:      one store of authorities for all connections of a loop, hung into libcurl's OpenSSL
 *            context; the receiver's certificate and protocol for the attempt's record.
 * Ownership: the store is reference-counted by OpenSSL; the creator frees its own reference.
 * Threads:   one loop.
 */
#ifndef CH_DELIVERY_CURL_TLS_H
#define CH_DELIVERY_CURL_TLS_H

#include <curl/curl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"

/* Filled while a handshake runs; curl_tls_seen_reset before each. */
struct curl_tls_seen {
	X509_STORE *store; /* borrowed */
	const struct ch_clock *clock; /* borrowed */
	int64_t begun_ms; /* mono: TCP was connected and the handshake began; -1: it did not */
	long verify_error; /* X509_V_ERR_…; 0: none */
	int64_t cert_end_s; /* notAfter; 0: no certificate seen */
	char version[12]; /* "TLSv1.3"; "": no handshake finished */
};

/* The system's authorities and those of ca_file (NULL: none). CH_EINVAL: ca_file can't be used. */
int curl_tls_store_create(const char *ca_file, X509_STORE **ret, struct ch_err *err) CH_MUST_USE;
void curl_tls_store_destroy(X509_STORE **s);

void curl_tls_seen_reset(struct curl_tls_seen *seen);

/* Once per easy handle; seen must live as long. CH_EINVAL: this libcurl has no OpenSSL. */
int curl_tls_setup(CURL *easy, struct curl_tls_seen *seen, struct ch_err *err) CH_MUST_USE;

/* From inside a libcurl callback, while the connection is at hand: version and certificate, of a reused
 * connection too. */
void curl_tls_look(CURL *easy, struct curl_tls_seen *seen);

/* From there as well: bytes that were decrypted and belong to no answer yet. */
bool curl_tls_has_rest(CURL *easy);

/* "the certificate has expired", …; a constant. */
const char *curl_tls_verify_words(long verify_error);

#endif
