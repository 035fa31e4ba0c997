#include <ares.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>

#include "cli/cli.h"

static const struct opt_spec specs[] = {
		{.name = "json", .help = "as one JSON object"},
		{0},
};

static const struct opts_page page = {
		.command = "version",
		.usage = "[--json]",
		.about = "Prints the version of callhook and of the libraries it runs with.",
		.example = "  callhook version --json",
		.specs = specs,
};

int cli_version(int argc, char **argv)
{
	struct ch_err err = {0};
	struct opts o;
	int rc = opts_parse(&page, argc, argv, &o, &err);

	if (rc == CH_ECANCELED)
		return CLI_DONE;
	if (rc != 0)
		return cli_fail(CLI_USAGE, "version", "%s", err.text);
	printf(opts_has(&o, "json") ? "{\"callhook\":\"%s\",\"libevent\":\"%s\",\"libcurl\":\"%s\",\"c-"
				      "ares\":\"%s\","
				      "\"sqlite\":\"%s\",\"openssl\":\"%s\",\"jansson\":\"%s\"}\n"
				    : "callhook %s\nlibevent %s\nlibcurl  %s\nc-ares   %s\nsqlite   "
				      "%s\nopenssl  %s\n"
				      "jansson  %s\n",
			CALLHOOK_VERSION, event_get_version(), curl_version_info(CURLVERSION_NOW)->version,
			ares_version(NULL), sqlite3_libversion(), OpenSSL_version(OPENSSL_VERSION_STRING),
			jansson_version_str());
	opts_fini(&o);
	return CLI_DONE;
}
