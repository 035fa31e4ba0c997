/* Receives callhook's webhooks and verifies them, with OpenSSL for HMAC and libevent for HTTP:
 *
 *     cc -o receiver receiver.c -levent -lcrypto
 *     WEBHOOK_SECRET=whsec_... ./receiver 9000
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define TOLERANCE_SECONDS 300
#define PREFIX "whsec_"
#define KEY_MAX 128
#define BODY_MAX ((ev_ssize_t)4 * 1024 * 1024)
/* "v1," and the base64 of 32 bytes */
#define SIGNATURE_LEN 47

struct key {
	unsigned char bytes[KEY_MAX];
	int len;
};

/* A secret of your own without the prefix is used as it is. */
static int key_of(const char *secret, struct key *key)
{
	size_t len = strlen(secret);
	if (len == 0 || len > KEY_MAX)
		return -1;
	if (strncmp(secret, PREFIX, strlen(PREFIX)) != 0) {
		memcpy(key->bytes, secret, len);
		key->len = (int)len;
		return 0;
	}
	const char *text = secret + strlen(PREFIX);
	key->len = EVP_DecodeBlock(key->bytes, (const unsigned char *)text, (int)strlen(text));
	/* It counts what = stands for as well. */
	for (size_t i = len; key->len > 0 && i > 0 && secret[i - 1] == '='; i--)
		key->len--;
	return key->len > 0 ? 0 : -1;
}

static int sign(const struct key *key, const char *id, const char *timestamp, struct evbuffer *body,
		char out[SIGNATURE_LEN + 1])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	size_t mac_len = sizeof(mac);
	struct evbuffer *text = evbuffer_new();

	evbuffer_add_printf(text, "%s.%s.", id, timestamp);
	evbuffer_add(text, evbuffer_pullup(body, -1), evbuffer_get_length(body));
	int ok = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->bytes, (size_t)key->len,
				 evbuffer_pullup(text, -1), evbuffer_get_length(text), mac, sizeof(mac),
				 &mac_len) != NULL;
	evbuffer_free(text);
	memcpy(out, "v1,", 3);
	EVP_EncodeBlock((unsigned char *)out + 3, mac, 32);
	return ok ? 0 : -1;
}

/* The body must be the bytes that came: not parsed, not decoded, not written again. */
static int is_genuine(const struct key *key, struct evkeyvalq *headers, struct evbuffer *body)
{
	const char *id = evhttp_find_header(headers, "webhook-id");
	const char *timestamp = evhttp_find_header(headers, "webhook-timestamp");
	const char *signatures = evhttp_find_header(headers, "webhook-signature");
	char expected[SIGNATURE_LEN + 1];
	int is_good = 0;

	if (!id || !timestamp || !signatures || strspn(timestamp, "0123456789") != strlen(timestamp))
		return 0;
	if (llabs((long long)time(NULL) - atoll(timestamp)) > TOLERANCE_SECONDS)
		return 0;
	if (sign(key, id, timestamp, body, expected) != 0)
		return 0;
	/* While a secret is rotated there are two, with a space between them. */
	for (const char *at = signatures; *at;) {
		size_t len = strcspn(at, " ");
		is_good |= len == SIGNATURE_LEN && CRYPTO_memcmp(at, expected, len) == 0;
		at += len + strspn(at + len, " ");
	}
	return is_good;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	int is_good = is_genuine(arg, headers, evhttp_request_get_input_buffer(request));

	if (is_good) {
		/* Keep the body under its webhook-id here, and do the work afterwards. */
		printf("call %s\n", evhttp_find_header(headers, "webhook-id"));
		fflush(stdout);
	}
	evhttp_send_reply(request, is_good ? 204 : 401, is_good ? "No Content" : "Unauthorized", NULL);
}

static int port_of(struct evhttp_bound_socket *bound)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &len);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int main(int argc, char **argv)
{
	const char *secret = getenv("WEBHOOK_SECRET");
	struct key key;

	if (argc != 2 || !secret || key_of(secret, &key) != 0) {
		fprintf(stderr, "usage: WEBHOOK_SECRET=whsec_... %s PORT\n", argv[0]);
		return 2;
	}
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_gencb(http, on_request, &key);
	struct evhttp_bound_socket *bound =
			evhttp_bind_socket_with_handle(http, "127.0.0.1", (ev_uint16_t)atoi(argv[1]));
	if (!bound) {
		fprintf(stderr, "the port can't be had\n");
		return 1;
	}
	printf("listening on port %d\n", port_of(bound));
	fflush(stdout);
	event_base_dispatch(base);
	return 0;
}
