#include <stdio.h>

#include "contract.h"

static const char *const names[FLAVOUR_COUNT] = {
		"memory", "sqlite", "memory behind faults", "sqlite behind faults"};

int main(void)
{
	int failed = 0;

	for (int i = 0; i < FLAVOUR_COUNT; i++) {
		contract_flavour = (enum flavour)i;
		print_message("== %s\n", names[i]);
		failed += contract_calls();
		failed += contract_webhooks();
		failed += contract_attempts();
		failed += contract_claims();
		failed += contract_lists();
		failed += contract_call_lists();
		failed += contract_agents();
		failed += contract_batches();
		failed += contract_rounds();
		failed += contract_erase();
		failed += contract_events();
		failed += contract_releases();
		failed += contract_replays();
		failed += contract_retention();
		failed += contract_receivers();
		failed += contract_probes();
		failed += contract_accounts();
		failed += contract_audit();
		failed += contract_feed();
		failed += contract_history();
		failed += contract_backlog();
		failed += contract_call_feed();
	}
	failed += contract_model();
	failed += test_due();
	failed += test_open();
	return failed > 0;
}
