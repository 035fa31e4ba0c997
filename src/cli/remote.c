#include "cli/remote.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/interrupt.h"

#define ANSWER_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define TIMEOUT_S 60
#define CONNECT_TIMEOUT_S 10L
#define TOKEN_MAX 1024
#define PATH_MAX_BYTES 8192
/* A server that is not there, or says 503 without a time: pauses that double. */
#define PAUSE_FIRST_MS 500
#define PAUSE_MOST_MS 10000
#define TRIES 8

/* ---- options ---- */

static int check_key(const struct ch_secret *key, const char *what, struct ch_err *err)
{
	if (key->text && (key->len > TOKEN_MAX || strpbrk(key->text, "\r\n")))
		return ch_err_set(err, CH_EINVAL, "the %s can't be one", what);
	return 0;
}

static int take_token(const struct opts *o, struct remote *r, struct ch_err *err)
{
	int rc = cli_text_or_file(o, "operator-token", "operator-token-file", &r->token, err);

	return rc == 0 ? check_key(&r->token, "operator token", err) : rc;
}

static int start(struct remote *r, struct ch_err *err)
{
	r->curl = curl_easy_init();
	return r->curl ? 0 : ch_err_set(err, CH_ENOMEM, "out of memory");
}

int remote_init(const struct opts *o, struct remote *ret, struct ch_err *err)
{
	int rc;

	*ret = (struct remote){.server = opts_get(o, "server")};
	rc = take_token(o, ret, err);
	if (rc == 0 && !ret->token.text)
		rc = ch_err_set(err, CH_EINVAL, "no operator token: give CALLHOOK_OPERATOR_TOKEN");
	return rc == 0 ? start(ret, err) : rc;
}

/* A key that is given beside a token is meant: it says more. But with --account the operator acts. */
int remote_init_account(const struct opts *o, struct remote *ret, struct ch_err *err)
{
	int rc;

	*ret = (struct remote){.server = opts_get(o, "server"), .account = opts_get(o, "account")};
	rc = cli_text_or_file(o, "api-key", "api-key-file", &ret->key, err);
	if (rc == 0)
		rc = check_key(&ret->key, "API key", err);
	if (rc == 0)
		rc = take_token(o, ret, err);
	if (rc == 0 && ret->account && !ret->token.text)
		rc = ch_err_set(err, CH_EINVAL,
				"--account needs the operator token: give "
				"CALLHOOK_OPERATOR_TOKEN");
	if (rc == 0 && !ret->token.text && !ret->key.text)
		rc = ch_err_set(err, CH_EINVAL, "no API key: give CALLHOOK_API_KEY");
	if (ret->account)
		ch_secret_fini(&ret->key);
	return rc == 0 ? start(ret, err) : rc;
}

void remote_fini(struct remote *r)
{
	ch_secret_fini(&r->token);
	ch_secret_fini(&r->key);
	if (r->curl)
		curl_easy_cleanup(r->curl);
	r->curl = NULL;
}

void remote_query(struct ch_buf *path, const char *name, const char *value)
{
	char *escaped = value ? curl_easy_escape(NULL, value, (int)strlen(value)) : NULL;

	if (!value)
		return;
	ch_buf_addf(path, "%c%s=%s", strchr(ch_buf_text(path), '?') ? '&' : '?', name,
			escaped ? escaped : "");
	curl_free(escaped);
}

const char *remote_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t remote_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void remote_print(const json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
}

int remote_command(const struct opts_page *page, int argc, char **argv,
		int (*run)(const struct opts *o, struct remote *r, struct ch_err *err))
{
	struct remote r = {0};
	struct ch_err err = {0};
	struct opts o;
	int rc = opts_parse(page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, page->command, "%s", err.text);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = remote_init_account(&o, &r, &err);
	if (rc == 0)
		rc = run(&o, &r, &err);
	remote_fini(&r);
	opts_fini(&o);
	curl_global_cleanup();
	if (rc != 0 && err.text[0])
		cli_fail(rc, page->command, "%s", err.text);
	return rc == 0 ? CLI_DONE : rc == CH_EINVAL ? CLI_USAGE : CLI_FAILED;
}

int64_t remote_took_us(const struct remote *r)
{
	curl_off_t us = 0;

	curl_easy_getinfo((CURL *)r->curl, CURLINFO_TOTAL_TIME_T, &us);
	return us;
}

/* ---- one request ---- */

struct reception {
	struct remote *r;
	struct ch_buf *answer; /* what take does not get */
	void (*take)(void *ctx, const char *data, size_t len);
	void *ctx;
};

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
	struct reception *to = ctx;
	long status = 0;

	curl_easy_getinfo((CURL *)to->r->curl, CURLINFO_RESPONSE_CODE, &status);
	if (to->take && status == 200) {
		to->take(to->ctx, data, size * count);
		return count;
	}
	ch_buf_add(to->answer, data, size * count);
	return to->answer->err ? 0 : count;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	return interrupt_is_asked();
}

/* Appends; without memory ok becomes false. */
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

static struct curl_slist *add_caller(struct curl_slist *list, bool *ok, const struct remote *r)
{
	struct ch_buf bearer;

	if (r->key.text)
		return add_header(list, ok, "X-Api-Key", r->key.text);
	ch_buf_init(&bearer, 2 * TOKEN_MAX);
	ch_buf_addf(&bearer, "Bearer %s", r->token.text);
	list = add_header(list, ok, "Authorization", ch_buf_text(&bearer));
	if (bearer.data)
		ch_wipe(bearer.data, bearer.cap);
	ch_buf_fini(&bearer);
	return list;
}

static struct curl_slist *headers_of(const struct remote *r, const struct remote_ask *ask)
{
	const char *account = ask->account ? ask->account : r->account;
	bool ok = true;
	struct curl_slist *list = add_caller(NULL, &ok, r);

	if (account)
		list = add_header(list, &ok, "X-Account-Id", account);
	if (ask->body || ask->raw)
		list = add_header(list, &ok, "Content-Type", ask->raw ? ask->raw_type : "application/json");
	if (ask->raw)
		list = add_header(list, &ok, "Expect", "");
	if (ask->last_event_id)
		list = add_header(list, &ok, "Last-Event-ID", ask->last_event_id);
	if (ok)
		return list;
	free_headers(list);
	return NULL;
}

static void set_body(CURL *curl, const struct remote_ask *ask, const char *json)
{
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
	if (ask->raw) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->raw_len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->raw);
	} else if (json) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
	} else if (strcmp(ask->method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	}
}

/* A stream has no end to wait for, but the server says something every 15 seconds. */
static void set_times(CURL *curl, const struct remote_ask *ask, bool is_stream)
{
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	if (is_stream) {
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)TIMEOUT_S);
	} else {
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)(ask->timeout_s ? ask->timeout_s : TIMEOUT_S));
	}
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

static int perform(struct remote *r, const struct remote_ask *ask, struct reception *to, struct ch_err *err)
{
	char words[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = headers_of(r, ask);
	char *json = ask->body ? json_dumps(ask->body, JSON_COMPACT) : NULL;
	CURL *curl = r->curl;
	struct ch_buf url;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	ch_buf_init(&url, PATH_MAX_BYTES);
	ch_buf_addf(&url, "%.*s%s", (int)(strlen(r->server) - (r->server[strlen(r->server) - 1] == '/')),
			r->server, ask->path);
	if (headers && !url.err && (json || !ask->body)) {
		curl_easy_reset(curl);
		curl_easy_setopt(curl, CURLOPT_URL, url.data);
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		set_body(curl, ask, json);
		set_times(curl, ask, to->take != NULL);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
		curl_easy_setopt(curl, CURLOPT_USERAGENT, "callhook/" CALLHOOK_VERSION);
		curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
		code = curl_easy_perform(curl);
		curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
	}
	ch_buf_fini(&url);
	free_headers(headers);
	free(json);
	if (interrupt_is_asked())
		return ch_err_set(err, CH_ECANCELED, "stopped");
	if (code == CURLE_OK)
		return 0;
	return ch_err_set(err, CH_EIO, "%s: %s", r->server, *words ? words : curl_easy_strerror(code));
}

/* ---- what came back ---- */

static int refused(long status, const struct ch_buf *answer, struct ch_err *err)
{
	json_t *json = json_loadb(ch_buf_text(answer), answer->len, JSON_DECODE_ANY, NULL);
	const char *detail = json_string_value(json_object_get(json, "detail"));
	const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
	const char *pointer = json_string_value(json_object_get(first, "pointer"));
	const char *what = json_string_value(json_object_get(first, "detail"));
	int code = status == 410 ? CH_EGONE : CH_ECONFLICT;

	if (pointer && what)
		ch_err_set(err, code, "%ld, %s%s%s", status, pointer, *pointer ? ": " : "", what);
	else
		ch_err_set(err, code, "%ld, %s", status, detail ? detail : "without words");
	json_decref(json);
	return code;
}

/* How long until it may be asked again; -1: never. */
static int64_t pause_of(struct remote *r, int rc, long status, int try)
{
	int64_t doubled = (int64_t)PAUSE_FIRST_MS << (try < 5 ? try : 5);
	curl_off_t after_s = 0;

	if (!r->is_patient || try + 1 >= TRIES || (rc == 0 && status != 429 && status != 503))
		return -1;
	curl_easy_getinfo((CURL *)r->curl, CURLINFO_RETRY_AFTER, &after_s);
	if (rc == 0 && after_s > 0)
		return (int64_t)after_s * 1000;
	return doubled < PAUSE_MOST_MS ? doubled : PAUSE_MOST_MS;
}

static int ask_until(struct remote *r, const struct remote_ask *ask, struct reception *to, struct ch_err *err)
{
	for (int try = 0;; try++) {
		long status = 0;

		ch_buf_clear(to->answer);
		int rc = perform(r, ask, to, err);
		if (rc == CH_ECANCELED)
			return rc;
		curl_easy_getinfo((CURL *)r->curl, CURLINFO_RESPONSE_CODE, &status);
		int64_t pause_ms = pause_of(r, rc, status, try);
		if (pause_ms >= 0 && (rc != 0 || status >= 400)) {
			if (!interrupt_wait(pause_ms))
				return ch_err_set(err, CH_ECANCELED, "stopped");
			continue;
		}
		if (rc == 0 && status >= 400)
			rc = refused(status, to->answer, err);
		else if (rc == 0 && status >= 300)
			rc = ch_err_set(err, CH_EIO, "the answer (%ld) is none of a callhook server", status);
		return rc;
	}
}

int remote_ask_raw(struct remote *r, const struct remote_ask *ask, struct ch_buf *answer, struct ch_err *err)
{
	struct reception to = {.r = r, .answer = answer};

	return ask_until(r, ask, &to, err);
}

int remote_ask(struct remote *r, const struct remote_ask *ask, json_t **ret, struct ch_err *err)
{
	json_t *json = NULL;
	struct ch_buf answer;

	ch_buf_init(&answer, ANSWER_MAX_BYTES);
	int rc = remote_ask_raw(r, ask, &answer, err);
	if (rc == 0 && answer.len > 0) {
		json = json_loadb(answer.data, answer.len, JSON_DECODE_ANY, NULL);
		if (!json)
			rc = ch_err_set(err, CH_EIO, "the answer is none of a callhook server");
	}
	if (rc == 0)
		*ret = json;
	if (answer.data)
		ch_wipe(answer.data, answer.cap);
	ch_buf_fini(&answer);
	return rc;
}

int remote_follow(struct remote *r, const struct remote_ask *ask,
		void (*take)(void *ctx, const char *data, size_t len), void *ctx, struct ch_err *err)
{
	struct ch_buf answer;
	struct reception to = {.r = r, .answer = &answer, .take = take, .ctx = ctx};

	ch_buf_init(&answer, ANSWER_MAX_BYTES);
	int rc = ask_until(r, ask, &to, err);
	ch_buf_fini(&answer);
	return rc;
}
