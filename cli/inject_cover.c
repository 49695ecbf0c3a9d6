// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl inject cover: which instructions of a driver are executed. Each gets a breakpoint that goes
 * away when it is met. */
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "../recoverd/installed.h"
#include "../recoverd/text.h"
#include "inject_live.h"
#include "output.h"

#define INT3 0xcc

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

/* An instruction: where it is in the coverage. */
struct place {
	size_t section;
	uint32_t offset;
};

struct covering {
	const struct cli *cli;
	char driver[RECOV_NAME_LEN];
	int fd;
	struct replug_image *image;
	struct replug_text *text;
	struct replug_coverage *coverage;
	struct recov_inject_site *sites;
	struct place *places; /* of the sites */
	size_t n;
};

static void covering_end(struct covering *c)
{
	closep(&c->fd);
	replug_coverage_free(c->coverage);
	replug_text_free(c->text);
	replug_image_free(c->image);
	free(c->sites);
	free(c->places);
}

static int no_memory(void)
{
	return inject_fail(&(struct replug_error){}, -ENOMEM);
}

/* The image of what is loaded, taken apart. */
static int open_text(struct covering *c)
{
	char build_id[2 * REPLUG_BUILD_ID_MAX + 1];
	struct replug_error err = {};
	int r;

	r = inject_build_id(c->fd, c->driver, build_id);
	if (r)
		return r;
	if (c->cli->image)
		r = replug_image_open(c->cli->image, &c->image, &err);
	else
		r = installed_open(c->driver, &c->image, &err);
	if (!r)
		r = replug_text_new(c->image, true, &c->text, &err);
	if (r)
		return inject_fail(&err, r);
	if (strcmp(replug_text_build_id(c->text), build_id) != 0) {
		complain("%s is not the image of %s that is loaded: name it with --image",
			 replug_image_path(c->image), c->driver);
		return EXIT_USAGE;
	}
	return 0;
}

/* The section's bytes as they are now, and a site for each of its instructions. */
static int add_section(struct covering *c, const struct replug_text_section *section)
{
	struct replug_coverage_section *to = &c->coverage->sections[c->coverage->n_sections];
	uint64_t base;
	int r;

	to->name = strdup(section->name);
	to->bytes = malloc(section->size);
	to->executed = calloc(section->n_offsets, sizeof(*to->executed));
	to->size = section->size;
	c->coverage->n_sections++;
	if (!to->name || !to->bytes || !to->executed)
		return no_memory();
	r = inject_base(c->driver, section->name, &base);
	if (!r)
		r = inject_read_text(c->fd, c->driver, base, to->bytes, to->size);
	for (size_t i = 0; i < section->n_offsets && !r; i++) {
		struct recov_inject_site *site = &c->sites[c->n];
		uint32_t offset = section->offsets[i];

		/* Somebody else is there. */
		if (to->bytes[offset] == INT3)
			continue;
		site->address = base + offset;
		site->length = 1;
		site->old_bytes[0] = site->new_bytes[0] = to->bytes[offset];
		c->places[c->n++] = (struct place){c->coverage->n_sections - 1, offset};
	}
	return r;
}

static int by_address(const void *a, const void *b, void *ctx)
{
	const struct recov_inject_site *sites = ctx;
	uint64_t x = sites[*(const size_t *)a].address, y = sites[*(const size_t *)b].address;

	return x < y ? -1 : x > y;
}

/* Sections are in memory in another order than in the file. */
static int sort_sites(struct covering *c)
{
	_cleanup_free_ size_t *order = calloc(c->n + 1, sizeof(*order));
	struct recov_inject_site *sites = calloc(c->n + 1, sizeof(*sites));
	struct place *places = calloc(c->n + 1, sizeof(*places));

	if (order && sites && places) {
		for (size_t i = 0; i < c->n; i++)
			order[i] = i;
		qsort_r(order, c->n, sizeof(*order), by_address, c->sites);
		for (size_t i = 0; i < c->n; i++) {
			sites[i] = c->sites[order[i]];
			places[i] = c->places[order[i]];
		}
		free(c->sites);
		free(c->places);
		c->sites = sites;
		c->places = places;
		return 0;
	}
	free(sites);
	free(places);
	return no_memory();
}

static int prepare(struct covering *c)
{
	const struct replug_text_section *sections;
	size_t n, total = 0;
	struct utsname name;
	int r = 0;

	sections = replug_text_sections(c->text, &n);
	for (size_t i = 0; i < n; i++)
		total += sections[i].n_offsets;
	c->sites = calloc(total + 1, sizeof(*c->sites));
	c->places = calloc(total + 1, sizeof(*c->places));
	c->coverage = calloc(1, sizeof(*c->coverage));
	if (!c->sites || !c->places || !c->coverage || uname(&name) < 0)
		return no_memory();
	c->coverage->driver = strdup(c->driver);
	c->coverage->build_id = strdup(replug_text_build_id(c->text));
	c->coverage->kernel = strdup(name.release);
	c->coverage->sections = calloc(n + 1, sizeof(*c->coverage->sections));
	if (!c->coverage->driver || !c->coverage->build_id || !c->coverage->kernel ||
	    !c->coverage->sections)
		return no_memory();
	for (size_t i = 0; i < n && !r; i++)
		if (sections[i].n_offsets)
			r = add_section(c, &sections[i]);
	return r ? r : sort_sites(c);
}

static int plant(struct covering *c)
{
	struct recov_inject inject = {.sites = (uintptr_t)c->sites, .n_sites = (uint32_t)c->n};

	if (c->n > RECOV_INJECT_SITES_MAX) {
		complain("%s has more than %d instructions", c->driver, RECOV_INJECT_SITES_MAX);
		return EXIT_UNSUPPORTED;
	}
	memccpy(inject.driver, c->driver, '\0', sizeof(inject.driver) - 1);
	return inject_plant(c->fd, &inject);
}

/* Runs the command, or waits for as long as was asked for, or until Ctrl-C. */
static int let_run(const struct covering *c)
{
	char **command = c->cli->operands + 1;
	struct timespec left = {.tv_sec = c->cli->for_ms / 1000,
				.tv_nsec = c->cli->for_ms % 1000 * 1000000L};
	int status;
	pid_t pid;

	if (c->cli->n_operands == 1) {
		if (c->cli->for_ms)
			nanosleep(&left, NULL);
		while (!c->cli->for_ms && !interrupted)
			pause();
		return 0;
	}
	pid = fork();
	if (pid == 0) {
		execvp(command[0], command);
		complain("%s can't be run: %s", command[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		return inject_fail(&(struct replug_error){}, -errno);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	complain("%s failed while %s was watched", command[0], c->driver);
	return EXIT_FAILED;
}

static int compare_offsets(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* What was executed, from the kernel; it has been undone then. */
static int collect(const struct covering *c, size_t *ret_executed)
{
	_cleanup_free_ struct recov_inject_hit *hits = NULL;
	struct recov_injected injected;
	size_t executed = 0;
	int r;

	r = inject_ask(c->fd, c->driver, &injected, &hits);
	if (!r)
		r = inject_take_out(c->fd, c->driver, &injected);
	if (r == -ENOENT) {
		complain("somebody has undone it meanwhile");
		return EXIT_FAILED;
	}
	if (r)
		return r;
	for (size_t i = 0; i < c->n; i++) {
		struct replug_coverage_section *section =
			&c->coverage->sections[c->places[i].section];

		if (!hits[i].count)
			continue;
		section->executed[section->n_executed++] = c->places[i].offset;
		executed++;
	}
	for (size_t i = 0; i < c->coverage->n_sections; i++)
		qsort(c->coverage->sections[i].executed, c->coverage->sections[i].n_executed,
		      sizeof(uint32_t), compare_offsets);
	*ret_executed = executed;
	return 0;
}

static int write_coverage(const struct covering *c, size_t executed)
{
	_cleanup_free_ char *line = replug_coverage_format(c->coverage);
	int r;

	if (!line)
		return no_memory();
	if (!c->cli->out) {
		puts(line);
		return 0;
	}
	r = inject_write(c->cli->out, line);
	if (!r)
		say("%s: %zu of %zu instructions were executed\n", c->driver, executed, c->n);
	return r;
}

int verb_inject_cover(const struct cli *cli)
{
	_cleanup_(covering_end) struct covering c = {.cli = cli, .fd = -1};
	const struct sigaction action = {.sa_handler = on_interrupt};
	size_t executed = 0;
	int r, ran;

	inject_spell(cli->operands[0], c.driver);
	if (!c.driver[0])
		return inject_explain(cli->operands[0], ENOENT);
	if (cli->for_ms && cli->n_operands > 1) {
		complain("--for and a command exclude each other");
		return EXIT_USAGE;
	}
	r = inject_open(&c.fd);
	if (!r)
		r = open_text(&c);
	if (!r)
		r = prepare(&c);
	if (r)
		return r;
	/* Whatever comes, it is undone. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	r = plant(&c);
	if (r)
		return r;
	ran = let_run(&c);
	r = collect(&c, &executed);
	if (!r)
		r = write_coverage(&c, executed);
	return r ? r : ran;
}
