#include "cli/remote.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"

#define ANSWER_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define TIMEOUT_S 60L
#define TOKEN_MAX 1024

/* ---- options ---- */

int remote_init(const struct opts *o, struct remote *ret, struct ch_err *err)
{
	struct remote r = {.server = opts_get(o, "server")};
	int rc = cli_text_or_file(o, "operator-token", "operator-token-file", &r.token, err);

	if (rc != 0)
		return rc;
	if (!r.token.text)
		return ch_err_set(err, CH_EINVAL, "no operator token: give CALLHOOK_OPERATOR_TOKEN");
	if (r.token.len > TOKEN_MAX || strpbrk(r.token.text, "\r\n")) {
		ch_secret_fini(&r.token);
		return ch_err_set(err, CH_EINVAL, "the operator token can't be one");
	}
	*ret = r;
	return 0;
}

void remote_fini(struct remote *r)
{
	ch_secret_fini(&r->token);
}

/* ---- one request ---- */

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
	ch_buf_add(ctx, data, size * count);
	return ((struct ch_buf *)ctx)->err ? 0 : count;
}

/* Appends; NULL: no memory, and the list is gone. */
static struct curl_slist *add_header(struct curl_slist *list, bool *ok, const char *name, const char *value)
{
	struct ch_buf line;
	struct curl_slist *longer = NULL;

	ch_buf_init(&line, 2 * TOKEN_MAX);
	ch_buf_addf(&line, "%s: %s", name, value);
	if (!line.err)
		longer = curl_slist_append(list, line.data);
	if (line.data)
		ch_wipe(line.data, line.cap);
	ch_buf_fini(&line);
	*ok = *ok && longer;
	return longer ? longer : list;
}

/* curl's copies are not wiped by curl. */
static void free_headers(struct curl_slist *list)
{
	for (struct curl_slist *at = list; at; at = at->next)
		ch_wipe(at->data, strlen(at->data));
	curl_slist_free_all(list);
}

static struct curl_slist *headers_of(const struct remote *r, const struct remote_ask *ask)
{
	struct ch_buf bearer;
	bool ok = true;
	struct curl_slist *list = NULL;

	ch_buf_init(&bearer, 2 * TOKEN_MAX);
	ch_buf_addf(&bearer, "Bearer %s", r->token.text);
	list = add_header(list, &ok, "Authorization", ch_buf_text(&bearer));
	if (bearer.data)
		ch_wipe(bearer.data, bearer.cap);
	ch_buf_fini(&bearer);
	if (ask->account)
		list = add_header(list, &ok, "X-Account-Id", ask->account);
	if (ask->body)
		list = add_header(list, &ok, "Content-Type", "application/json");
	if (ok)
		return list;
	free_headers(list);
	return NULL;
}

static int perform(CURL *curl, const struct remote *r, const struct remote_ask *ask, struct ch_buf *answer,
		struct ch_err *err)
{
	char words[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = headers_of(r, ask);
	char *body = ask->body ? json_dumps(ask->body, JSON_COMPACT) : NULL;
	struct ch_buf url;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	ch_buf_init(&url, 8192);
	ch_buf_addf(&url, "%.*s%s", (int)(strlen(r->server) - (r->server[strlen(r->server) - 1] == '/')),
			r->server, ask->path);
	if (headers && !url.err && (body || !ask->body)) {
		curl_easy_setopt(curl, CURLOPT_URL, url.data);
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		if (body)
			curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		else if (strcmp(ask->method, "POST") == 0)
			curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_USERAGENT, "callhook/" CALLHOOK_VERSION);
		curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
		code = curl_easy_perform(curl);
	}
	ch_buf_fini(&url);
	free_headers(headers);
	free(body);
	if (code == CURLE_OK)
		return 0;
	return ch_err_set(err, CH_EIO, "%s: %s", r->server, *words ? words : curl_easy_strerror(code));
}

/* ---- what came back ---- */

static int refused(long status, const json_t *json, struct ch_err *err)
{
	const char *detail = json_string_value(json_object_get(json, "detail"));
	const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
	const char *pointer = json_string_value(json_object_get(first, "pointer"));
	const char *what = json_string_value(json_object_get(first, "detail"));

	if (pointer && what)
		return ch_err_set(err, CH_ECONFLICT, "%ld, %s: %s", status, pointer, what);
	return ch_err_set(err, CH_ECONFLICT, "%ld, %s", status, detail ? detail : "without words");
}

static int read_answer(long status, const struct ch_buf *answer, json_t **ret, struct ch_err *err)
{
	json_t *json = answer->len > 0 ? json_loadb(answer->data, answer->len, JSON_DECODE_ANY, NULL) : NULL;
	int rc = 0;

	if (status >= 400)
		rc = refused(status, json, err);
	else if (status >= 300 || (answer->len > 0 && !json))
		rc = ch_err_set(err, CH_EIO, "the answer (%ld) is none of a callhook server", status);
	if (rc != 0) {
		json_decref(json);
		return rc;
	}
	*ret = json;
	return 0;
}

int remote_ask(const struct remote *r, const struct remote_ask *ask, json_t **ret, struct ch_err *err)
{
	CURL *curl = curl_easy_init();
	struct ch_buf answer;
	long status = 0;

	if (!curl)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	ch_buf_init(&answer, ANSWER_MAX_BYTES);
	int rc = perform(curl, r, ask, &answer, err);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	if (rc == 0)
		rc = read_answer(status, &answer, ret, err);
	if (answer.data)
		ch_wipe(answer.data, answer.cap);
	ch_buf_fini(&answer);
	return rc;
}
