/* Runs a fuzz target on every file of the directories given, so that a corpus is a test in any build. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

#include "base/alloc.h"

#define FILE_MAX (4u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		fprintf(stderr, "replay: can't read %s\n", path);
		return -1;
	}
	uint8_t *data = ch_alloc(FILE_MAX);
	size_t len = data ? fread(data, 1, FILE_MAX, f) : 0;
	fclose(f);
	/* A block of exactly that size, so that a sanitizer sees a read behind its end. */
	uint8_t *exact = data ? ch_realloc(data, len ? len : 1) : NULL;
	if (!exact) {
		ch_free(data);
		return -1;
	}
	LLVMFuzzerTestOneInput(exact, len);
	ch_free(exact);
	return 0;
}

/* How many files were run; -1: the directory or a file can't be read. */
static int replay_directory(const char *path)
{
	DIR *dir = opendir(path);
	if (!dir) {
		fprintf(stderr, "replay: can't read %s\n", path);
		return -1;
	}
	int count = 0;
	struct dirent *entry;
	while (count >= 0 && (entry = readdir(dir))) {
		char file[4096];
		if (entry->d_name[0] == '.')
			continue;
		int len = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		if (len < 0 || (size_t)len >= sizeof file || replay_file(file))
			count = -1;
		else
			count++;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		int count = replay_directory(argv[i]);
		if (count < 0)
			return 1;
		total += count;
	}
	printf("replayed %d files\n", total);
	return total > 0 ? 0 : 1;
}
