#include "test_base.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

static bool fail_nth(void *ctx)
{
	struct torture *t = ctx;
	if (--t->until != 0)
		return false;
	t->failed = true;
	return true;
}

long torture_run(void (*fn)(struct torture *t))
{
	for (long nth = 1;; nth++) {
		struct torture t = {.until = nth};
		ch_alloc_set_hook(fail_nth, &t);
		fn(&t);
		ch_alloc_set_hook(NULL, NULL);
		if (!t.failed)
			return nth - 1;
	}
}

bool aborts(void (*fn)(void *arg), void *arg)
{
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit no_core = {0};
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		fn(arg);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

int main(void)
{
	int (*const groups[])(void) = {run_alloc, run_assert, run_buf, run_bytes, run_clock, run_crypto,
			run_crypto_text, run_err, run_heap, run_list, run_log, run_log_redact, run_map,
			run_queue, run_rand, run_sm, run_time_text};
	int failures = 0;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		failures += groups[i]();
	return failures ? 1 : 0;
}
