#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/remote.h"
#include "model/account.h"

static const struct opt_spec specs[] = {
		REMOTE_OPTS,
		{.name = "name", .arg = "TEXT", .help = "create: what people call it"},
		{.name = "json", .help = "as JSON objects, one a line"},
		{0},
};

static const struct opts_page page = {
		.command = "account",
		.usage = "list | create [ID] | delete ID | rotate ID primary|secondary  [options]",
		.about = "Manages a server's accounts with its operator token.\n"
			 "create and rotate print new API keys, which can't be shown again. delete ends all "
			 "of "
			 "an account:\n"
			 "its keys at once, its calls and deliveries soon after.",
		.example = "  callhook account create blue --name \"Blue Ltd\"\n"
			   "  callhook account rotate blue primary --server https://callhook.example.com",
		.specs = specs,
		.args_max = 3,
};

struct managing {
	const struct opts *o;
	struct remote remote;
	const char *id; /* NULL: none is given */
};

/* ---- list ---- */

static void print_accounts(const struct managing *m, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (opts_has(m->o, "json"))
			remote_print(row);
		else
			printf("%-36s  %s  %s\n", remote_text(row, "id"), remote_text(row, "created"),
					remote_text(row, "name"));
	}
}

static int list(struct managing *m, struct ch_err *err)
{
	char path[300] = "/v1/accounts?size=100";
	bool has_more = true;
	int rc = 0;

	while (rc == 0 && has_more) {
		json_t *json = NULL;
		rc = remote_ask(&m->remote, &(struct remote_ask){.method = "GET", .path = path}, &json, err);
		print_accounts(m, json_object_get(json, "content"));
		has_more = json_is_string(json_object_get(json, "next"));
		if (has_more)
			snprintf(path, sizeof(path), "/v1/accounts?size=100&after=%s",
					remote_text(json, "next"));
		json_decref(json);
	}
	return rc;
}

/* ---- create, delete, rotate ---- */

static int create(struct managing *m, struct ch_err *err)
{
	const char *name = opts_get(m->o, "name");
	json_t *answer = NULL;
	json_t *body = json_pack("{s:s*, s:s*}", "id", m->id, "name", name);

	if (!body)
		return ch_err_set(err, CH_EINVAL, "the name is not UTF-8");
	int rc = remote_ask(&m->remote,
			&(struct remote_ask){.method = "POST", .path = "/v1/accounts", .body = body}, &answer,
			err);
	json_decref(body);
	if (rc != 0)
		return rc;
	const json_t *keys = json_object_get(answer, "keys");
	if (opts_has(m->o, "json"))
		remote_print(answer);
	else
		printf("Account \"%s\" is made. Its API keys are shown this once:\n  primary    %s\n"
		       "  secondary  %s\n",
				remote_text(answer, "id"), remote_text(keys, "primary"),
				remote_text(keys, "secondary"));
	json_decref(answer);
	return 0;
}

static int delete_one(struct managing *m, struct ch_err *err)
{
	char path[ACCOUNT_ID_MAX + 40];
	json_t *answer = NULL;

	snprintf(path, sizeof(path), "/v1/accounts/%s", m->id);
	int rc = remote_ask(&m->remote, &(struct remote_ask){.method = "DELETE", .path = path}, &answer, err);
	json_decref(answer);
	if (rc == 0 && opts_has(m->o, "json"))
		printf("{\"deleted\":\"%s\"}\n", m->id);
	else if (rc == 0)
		printf("Account \"%s\" is deleted.\n", m->id);
	return rc;
}

static int rotate(struct managing *m, struct ch_err *err)
{
	const char *which = m->o->args[2];
	char path[60];
	json_t *answer = NULL;

	if (strcmp(which, "primary") != 0 && strcmp(which, "secondary") != 0)
		return ch_err_set(err, CH_EINVAL, "\"%s\" is no key; it is primary or secondary", which);
	snprintf(path, sizeof(path), "/v1/account/keys/%s/rotate", which);
	int rc = remote_ask(&m->remote,
			&(struct remote_ask){.method = "POST", .path = path, .account = m->id}, &answer, err);
	if (rc != 0)
		return rc;
	if (opts_has(m->o, "json"))
		remote_print(answer);
	else
		printf("The %s key of account \"%s\" is now, shown this once:\n  %s\n", which, m->id,
				remote_text(answer, "key"));
	json_decref(answer);
	return 0;
}

/* ---- which of them ---- */

struct act {
	const char *name;
	int args_min, args_max; /* behind the name */
	int (*run)(struct managing *m, struct ch_err *err);
};

static const struct act acts[] = {{"list", 0, 0, list}, {"create", 0, 1, create},
		{"delete", 1, 1, delete_one}, {"rotate", 2, 2, rotate}};

/* NULL: there is none such, and err says so. */
static const struct act *choose(struct managing *m, struct ch_err *err)
{
	const struct opts *o = m->o;
	const char *name = o->arg_count > 0 ? o->args[0] : "";
	int given = o->arg_count - 1;

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		const struct act *act = &acts[i];
		if (strcmp(act->name, name) != 0)
			continue;
		m->id = given > 0 ? o->args[1] : NULL;
		if (given < act->args_min || given > act->args_max)
			ch_err_set(err, CH_EINVAL, "usage: callhook account %s", page.usage);
		else if (m->id && account_id_check(m->id, strlen(m->id)) != 0)
			ch_err_set(err, CH_EINVAL,
					"\"%s\" is no account's id: 1 to %d letters, digits, -, _ and .",
					m->id, ACCOUNT_ID_MAX);
		else
			return act;
		return NULL;
	}
	ch_err_set(err, CH_EINVAL, "what to do: list, create, delete or rotate?");
	return NULL;
}

static int run(struct managing *m, struct ch_err *err)
{
	const struct act *act = choose(m, err);
	if (!act)
		return CH_EINVAL;
	int rc = remote_init(m->o, &m->remote, err);
	if (rc == 0)
		rc = act->run(m, err);
	remote_fini(&m->remote);
	return rc;
}

int cli_account(int argc, char **argv)
{
	struct managing m = {0};
	struct ch_err err = {0};
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "account", "%s", err.text);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	m.o = &o;
	rc = run(&m, &err);
	opts_fini(&o);
	curl_global_cleanup();
	return rc == 0 ? CLI_DONE
		       : cli_fail(rc == CH_EINVAL ? CLI_USAGE : CLI_FAILED, "account", "%s", err.text);
}
