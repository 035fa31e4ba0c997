#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "broken.h"
#include "power.h"

/* Seeds 0 and 1 are the two ends, nothing and everything; the rest differ from cut to cut. */
#define SEEDS_PER_CUT 4096

struct options {
	const struct script *script; /* NULL: all */
	const char *program;
	unsigned seeds;
	uint64_t first_seed;
	long every;
	long cut; /* just this one; 0: all */
	int64_t seed; /* just this one; -1: all */
	enum broken broken;
};

struct tally {
	long cuts, wrecks, again; /* again: power went a second time, while the store recovered */
	long by_verdict[VERDICT_COUNT];
};

struct cut {
	const struct options *o;
	const struct script *script;
	const struct book *book;
	char dir[64];
	long at;
	struct tally *tally;
};

static void tell(
		const struct cut *c, const struct disk_survival *s, const struct finding *f, const char *when)
{
	long told = 0;

	for (int v = WELL + 1; v < VERDICT_COUNT; v++)
		told += c->tally->by_verdict[v];
	if (told > 10 || (c->o->broken != SOUND && told > 1))
		return;
	printf("power: %s, cut %ld, seed %llu (%s survive, sectors of %u)%s: %s: %s\n"
	       "  again: %s --script %s --cut %ld --seed %llu%s\n",
			c->script->name, c->at, (unsigned long long)s->seed, disk_keep_name(s->keep),
			s->sector_bytes, when, verdict_name(f->verdict), f->words, c->o->program,
			c->script->name, c->at, (unsigned long long)s->seed, broken_option(c->o->broken));
}

static void judge(
		const struct cut *c, const struct disk_survival *s, const struct finding *f, const char *when)
{
	c->tally->by_verdict[f->verdict]++;
	if (f->verdict != WELL)
		tell(c, s, f, when);
}

/* Power goes again while the store recovers, or just after it was closed: what was there stays there. */
static void cut_again(
		const struct cut *c, const struct disk_wreck *w, const struct disk_survival *s, size_t batch)
{
	struct disk_wreck *second;
	struct finding f;
	struct bed b;

	disk_wreck_salvage(w, c->dir, s);
	power_bed(&b, c->dir);
	disk_cut_at(1 + (long)(s->seed * 7 % 60));
	if (power_open(&b, NULL) == 0)
		power_close(&b);
	second = disk_wreck_take();
	disk_wreck_salvage(second, c->dir, s);
	f = power_audit(c->dir, c->book, batch, batch);
	disk_wreck_free(&second);
	c->tally->again++;
	judge(c, s, &f, ", then another in recovery");
}

static void look_at(const struct cut *c, const struct disk_wreck *w, size_t from, size_t to, uint64_t seed)
{
	struct disk_survival s = disk_survival_of(seed);
	struct finding f;

	disk_wreck_salvage(w, c->dir, &s);
	f = power_audit(c->dir, c->book, from, to);
	c->tally->wrecks++;
	judge(c, &s, &f, "");
	if (f.verdict == WELL && c->o->broken == SOUND)
		cut_again(c, w, &s, f.batch);
}

static void prepare(const struct cut *c)
{
	static const struct disk_survival all = {.keep = DISK_KEEP_ALL, .sector_bytes = 512};
	struct disk_wreck *nothing;
	char path[128];

	/* What a wreck without files leaves is an empty directory. */
	disk_forget();
	nothing = disk_wreck_take();
	disk_wreck_salvage(nothing, c->dir, &all);
	disk_wreck_free(&nothing);
	snprintf(path, sizeof(path), "%s/store.db", c->dir);
	if (c->script->prepare != NULL)
		c->script->prepare(path);
	disk_forget();
	broken_begin(c->o->broken);
}

static void run_cut(const struct cut *c)
{
	static struct power_run r;
	struct disk_wreck *w;
	size_t from, to;
	int rc;

	prepare(c);
	disk_cut_at(c->at);
	rc = power_run(&r, c->script, c->dir, NULL);
	CH_ASSERT(disk_is_cut());
	CH_ASSERT(rc == 0 || rc == CH_EIO);
	from = r.acked;
	to = r.is_writing ? from + 1 : from;
	w = disk_wreck_take();
	c->tally->cuts++;
	for (unsigned i = 0; c->o->seed < 0 && i < c->o->seeds; i++) {
		uint64_t own = c->o->first_seed + (uint64_t)c->at * SEEDS_PER_CUT + i;

		look_at(c, w, from, to, i < 2 ? i : own);
	}
	if (c->o->seed >= 0)
		look_at(c, w, from, to, (uint64_t)c->o->seed);
	disk_wreck_free(&w);
}

/* The run without a cut, and what each batch of it left. */
static void write_book(const struct cut *c, struct book *book)
{
	static struct power_run r;
	int rc;

	prepare(c);
	rc = power_run(&r, c->script, c->dir, book);
	CH_ASSERT(rc == 0 && book->count == r.acked + 1);
	book->ops = disk_ops();
}

static bool is_as_it_should(const struct cut *c)
{
	const struct tally *t = c->tally;
	long bad = t->wrecks + t->again - t->by_verdict[WELL];

	printf("power: %s%s: %ld operations, %zu batches; %ld cuts left %ld wrecks, %ld in recovery:",
			c->script->name, broken_option(c->o->broken), c->book->ops, c->book->count, t->cuts,
			t->wrecks, t->again);
	for (int v = 0; v < VERDICT_COUNT; v++) {
		if (t->by_verdict[v] > 0)
			printf(" %ld %s", t->by_verdict[v], verdict_name((enum verdict)v));
	}
	printf("\n");
	if (c->o->broken == SOUND)
		return bad == 0 && t->wrecks > 0;
	if (t->by_verdict[LOST] == 0)
		printf("power: nothing was lost, though nothing was safe: this suite finds nothing\n");
	return t->by_verdict[LOST] > 0;
}

static bool run_script(const struct options *o, const struct script *script)
{
	static struct book book;
	struct tally tally = {0};
	struct cut c = {.o = o, .script = script, .book = &book, .tally = &tally};
	char path[128];
	bool is_good;

	strcpy(c.dir, "/tmp/callhook-power-XXXXXX");
	CH_ASSERT(mkdtemp(c.dir) != NULL);
	write_book(&c, &book);
	for (c.at = o->cut > 0 ? o->cut : 1; c.at <= book.ops; c.at += o->cut > 0 ? book.ops : o->every)
		run_cut(&c);
	is_good = is_as_it_should(&c);
	c.script = &(struct script){.name = "none"};
	prepare(&c);
	disk_forget();
	snprintf(path, sizeof(path), "%s/store.db.lock", c.dir);
	unlink(path);
	CH_ASSERT(rmdir(c.dir) == 0);
	book_fini(&book);
	return is_good;
}

static int usage(void)
{
	fprintf(stderr, "usage: power [--script NAME] [--seeds N] [--every N] [--cut N] [--seed N]\n"
			"             [--first-seed N | --fresh] [--broken lies|off|normal]\n"
			"  power --script short --seeds 6       every cut of the short script, six seeds "
			"each\n"
			"  power --script long --every 50       each 50th cut of the long one\n"
			"  power --broken off                   without syncs: it has to find lost data\n"
			"scripts:");
	for (size_t i = 0; i < power_script_count; i++)
		fprintf(stderr, " %s", power_scripts[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static bool read_script(const char *name, const struct script **ret)
{
	for (size_t i = 0; i < power_script_count; i++) {
		if (strcmp(power_scripts[i].name, name) == 0) {
			*ret = &power_scripts[i];
			return true;
		}
	}
	return false;
}

static bool read_option(struct options *o, int option, const char *text)
{
	long long n = text == NULL ? 0 : strtoll(text, NULL, 10);
	struct ch_rand rand = ch_rand_system();

	switch (option) {
	case 'p':
		return read_script(text, &o->script);
	case 'n':
		o->seeds = (unsigned)n;
		return n > 0 && n <= SEEDS_PER_CUT;
	case 'e':
		o->every = (long)n;
		return n > 0;
	case 'c':
		o->cut = (long)n;
		return n > 0;
	case 's':
		o->seed = n;
		return n >= 0;
	case 'f':
		o->first_seed = (uint64_t)n;
		return n >= 0;
	case 'F':
		o->first_seed = ch_rand_below(&rand, UINT32_MAX);
		return true;
	case 'b':
		return broken_parse(text, &o->broken);
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
			{"script", required_argument, NULL, 'p'},
			{"seeds", required_argument, NULL, 'n'},
			{"every", required_argument, NULL, 'e'},
			{"cut", required_argument, NULL, 'c'},
			{"seed", required_argument, NULL, 's'},
			{"first-seed", required_argument, NULL, 'f'},
			{"fresh", no_argument, NULL, 'F'},
			{"broken", required_argument, NULL, 'b'},
			{NULL, 0, NULL, 0},
	};
	struct options o = {.program = argv[0], .seeds = 6, .every = 1, .seed = -1};
	bool is_good = true;
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (!read_option(&o, option, optarg))
			return usage();
	}
	if (optind != argc)
		return usage();
	disk_install();
	broken_install(o.broken);
	printf("power: first seed %llu\n", (unsigned long long)o.first_seed);
	for (size_t i = 0; i < power_script_count; i++) {
		if (o.script == NULL || o.script == &power_scripts[i])
			is_good = run_script(&o, &power_scripts[i]) && is_good;
	}
	return is_good ? 0 : 1;
}
