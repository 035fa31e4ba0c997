#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "model/json_load.h"

static const struct cli_command commands[] = {
		{"serve", "run the service: keep calls, deliver webhooks, answer the API", cli_serve},
		{"listen", "receive webhooks on this machine, or forward a server's calls to it", cli_listen},
		{"send", "sign one call record and POST it to a URL, without a server", cli_send},
		{"sign", "print the signature headers for a body", cli_sign},
		{"verify", "say whether a received webhook is valid, and if not, why", cli_verify},
		{"qshape", "show what waits for each endpoint, by age", cli_qshape},
		{"import", "write many call records to a server, one a line", cli_import},
		{"deliveries", "list a server's deliveries, show one, or follow the attempts",
				cli_deliveries},
		{"replay", "send a stretch of time to a webhook again", cli_replay},
		{"bench", "load a server with calls and say how quick it was", cli_bench},
		{"account", "list, create and delete a server's accounts, rotate their keys", cli_account},
		{"fsck", "prove from a store that nothing in it was lost", cli_fsck},
		{"backup", "copy a store to a file, also beside a server", cli_backup},
		{"restore", "put a backup in the place of a store", cli_restore},
		{"version", "print the version and those of the libraries", cli_version},
};

static void usage(FILE *to)
{
	fprintf(to, "callhook %s - tells a customer's systems that a phone call has ended\n\n",
			CALLHOOK_VERSION);
	fprintf(to, "Usage: callhook COMMAND [options]\n\nCommands:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\ncallhook COMMAND --help shows the options of one, with an example.\n"
		    "Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
}

int main(int argc, char **argv)
{
	if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help") || !strcmp(argv[1], "-h"))) {
		usage(stdout);
		return CLI_DONE;
	}
	if (argc < 2) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--version"))
		return cli_version(1, argv + 1);
	json_load_setup();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "callhook: there is no command \"%s\" (see callhook --help)\n", argv[1]);
	return CLI_USAGE;
}
