#include <stdio.h>

#include "test_faults.h"

struct group {
	const char *name;
	int (*run)(void);
};

static const struct group groups[] = {
		{"single", fault_single_tests},
		{"clock", fault_clock_tests},
		{"sweep", fault_sweep_tests},
		{"memory", fault_memory_tests},
		{"threads", fault_thread_tests},
};

/* A program of its own: the disk is SQLite's default VFS here, and its memory can be made to fail. The names
 * of groups may be given; else all are run. */
int main(int argc, char **argv)
{
	int failed = 0, ran = 0;

	fault_memory_install();
	disk_install();
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		bool is_wanted = argc == 1;

		for (int a = 1; a < argc; a++)
			is_wanted = is_wanted || strcmp(argv[a], groups[i].name) == 0;
		if (!is_wanted)
			continue;
		failed += groups[i].run();
		ran++;
	}
	return failed > 0 || ran < (argc == 1 ? 1 : argc - 1);
}
