// SPDX-License-Identifier: GPL-2.0-or-later
/* recovctl: reads the command line and runs a verb. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../include/recov_shadow.h"
#include "../recoverd/cleanup.h"
#include "../recoverd/duration.h"
#include "../recoverd/size.h"
#include "../recoverd/version.h"
#include "cli.h"
#include "mutate.h"

#define SOCKET "/run/recoverd/io.recoverd.Control"

/* Options that only some verbs take. */
enum {
	TAKES_TO = 1 << 0,
	TAKES_CHECK = 1 << 1,
	TAKES_DRY_RUN = 1 << 2,
	TAKES_DRAIN = 1 << 3,
	TAKES_FOLLOW = 1 << 4,
	TAKES_FROM_LOAD = 1 << 5,
	TAKES_MEMORY = 1 << 6,
	TAKES_DMA_MAPS = 1 << 7,
	TAKES_PACKETS = 1 << 8,
	TAKES_EVENTS = 1 << 9,
	TAKES_BUDGET = 1 << 10,
	TAKES_INSIDE = 1 << 11,
	TAKES_UNTRUSTED = 1 << 12,
	TAKES_IMAGE = 1 << 13,
	TAKES_COVERAGE = 1 << 14,
	TAKES_SEED = 1 << 15,
	TAKES_FAULTS = 1 << 16,
	TAKES_CLASS = 1 << 17,
	TAKES_PRESET = 1 << 18,
	TAKES_OUT = 1 << 19,
	TAKES_FOR = 1 << 20,
	TAKES_WAIT = 1 << 21,
	TAKES_HITS = 1 << 22,
	TAKES_FROM_CALL = 1 << 23,
	TAKES_CALLS = 1 << 24,
	TAKES_PORT = 1 << 25,
	NEEDS_IMAGE = 1 << 26,
};

static const char *const taken_names[] = {
	"--to",	       "--check",    "--dry-run",  "--drain-limit", "--follow", "--from-load",
	"--memory",    "--dma-maps", "--packets",  "--events",	    "--budget", "--inside",
	"--untrusted", "--image",    "--coverage", "--seed",	    "--faults", "--class",
	"--preset",    "--out",	     "--for",	   "--wait",	    "--hits",	"--from-call",
	"--calls",     "--port"};

static const struct verb {
	const char *name;
	int (*run)(const struct cli *cli);
	int least, most; /* operands */
	unsigned takes;
	const char *usage, *what;
} verbs[] = {
	{"status", verb_status, 0, 0, 0, "status", "The daemon, the shadow module and the drivers"},
	{"devices", verb_devices, 0, 1, 0, "devices [DRIVER]",
	 "The devices, and whether each can be carried over"},
	{"holders", verb_holders, 1, 1, 0, "holders DRIVER",
	 "Who holds a driver, and what would free each"},
	{"replug", verb_replug, 1, 1, TAKES_TO | TAKES_CHECK | TAKES_DRY_RUN | TAKES_DRAIN,
	 "replug DRIVER [--to IMAGE] [--check|--dry-run] [--drain-limit T]",
	 "Take a driver out and put it, or IMAGE, back in"},
	{"arm", verb_arm, 1, 1, TAKES_CHECK | TAKES_DRY_RUN | TAKES_DRAIN,
	 "arm DRIVER [--check|--dry-run] [--drain-limit T]",
	 "Put a driver's image in again, such that its faults can be survived"},
	{"disarm", verb_disarm, 1, 1, TAKES_CHECK | TAKES_DRY_RUN | TAKES_DRAIN,
	 "disarm DRIVER [--check|--dry-run] [--drain-limit T]",
	 "Put the installed image in place of an armed one"},
	{"recover", verb_recover, 1, 1, TAKES_CHECK | TAKES_DRY_RUN | TAKES_DRAIN | TAKES_UNTRUSTED,
	 "recover DRIVER [--untrusted] [--check|--dry-run] [--drain-limit T]",
	 "Take a driver out and put the very same image back in"},
	{"trace", verb_trace, 1, 1,
	 TAKES_FROM_LOAD | TAKES_MEMORY | TAKES_DMA_MAPS | TAKES_PACKETS | TAKES_EVENTS |
		 TAKES_BUDGET | TAKES_INSIDE,
	 "trace DRIVER [--from-load] [--inside[=GLOB]] [--memory] [--budget SIZE] [--dma-maps] "
	 "[--packets] "
	 "[--events]",
	 "Watch what a driver does, until Ctrl-C"},
	{"objects", verb_objects, 1, 1, 0, "objects DRIVER", "What a watched driver owns"},
	{"requests", verb_requests, 1, 1, 0, "requests DRIVER",
	 "What a watched driver was last asked to set"},
	{"leaks", verb_leaks, 1, 1, 0, "leaks DRIVER",
	 "What a watched driver had not given back when it was unloaded"},
	{"policy", verb_policy, 1, INT_MAX, 0, "policy check FILE...|show [DRIVER]",
	 "What is wrong with policies, or what they say"},
	{"events", verb_events, 0, 0, TAKES_FOLLOW, "events [--follow]", "What has happened"},
	{"inject classes", verb_inject_classes, 0, 0, TAKES_IMAGE | NEEDS_IMAGE | TAKES_COVERAGE,
	 "inject classes --image FILE [--coverage FILE]",
	 "The classes of faults, and how many places a driver has for each"},
	{"inject plan", verb_inject_plan, 0, 0,
	 TAKES_IMAGE | NEEDS_IMAGE | TAKES_COVERAGE | TAKES_SEED | TAKES_FAULTS | TAKES_CLASS |
		 TAKES_PRESET | TAKES_OUT,
	 "inject plan --image FILE --seed N [--coverage FILE] [--faults N] "
	 "[--class C[,C]...|--preset nooks] [--out FILE]",
	 "Draw faults to plant into a driver"},
	{"inject cover", verb_inject_cover, 1, INT_MAX, TAKES_IMAGE | TAKES_FOR | TAKES_OUT,
	 "inject cover DRIVER [--for T|-- COMMAND...] [--image FILE] [--out FILE]",
	 "Which instructions of a driver are executed, until Ctrl-C"},
	{"inject apply", verb_inject_apply, 0, 1,
	 TAKES_FOR | TAKES_WAIT | TAKES_HITS | TAKES_FROM_CALL | TAKES_CALLS | TAKES_PORT,
	 "inject apply PLAN [--wait T] [--for T] [--hits N] [--from-call N] [--calls N] [--port]",
	 "Plant the faults of a plan into the driver"},
	{"inject undo", verb_inject_undo, 1, 1, 0, "inject undo DRIVER",
	 "Take the faults out of a driver again"},
	{"inject status", verb_inject_status, 0, 1, 0, "inject status [DRIVER]",
	 "Which faults are planted, and which of them were activated"},
};

static const char options_help[] =
	"Options:\n"
	"  --to=IMAGE         module file to put in, instead of the installed one\n"
	"  --check            only tell whether it would be possible\n"
	"  --dry-run          print the whole plan and change nothing\n"
	"  --drain-limit=T    how long work in flight may take to end, as 500ms or 1.5s\n"
	"  --untrusted        take the driver out without calling it any more\n"
	"  --from-load        the driver need not be loaded yet\n"
	"  --inside[=GLOB]    also count the calls of its own functions, of these names\n"
	"  --memory           also its slab memory\n"
	"  --budget=SIZE      how much memory it may own, as 512K or 64M: an event tells of more\n"
	"  --dma-maps         also its mappings of single buffers\n"
	"  --packets          also polls and transmissions\n"
	"  --events           each object and entry as it comes, instead of counts\n"
	"  --image=FILE       the driver's module file\n"
	"  --coverage=FILE    only what was executed then, as inject cover has written it\n"
	"  --seed=N           the same seed gives the same plan\n"
	"  --faults=N         how many [5]\n"
	"  --class=C[,C]...   of these classes, instead of all that change instructions\n"
	"  --preset=nooks     of the classes that Nooks was measured with, in equal shares\n"
	"  --out=FILE         where the JSON goes\n"
	"  --wait=T           for each fault to be activated, but not longer\n"
	"  --for=T            how long: then no more is watched, or what was planted is undone\n"
	"  --hits=N           undo all faults when so many of them were activated\n"
	"  --from-call=N      calls fail from the N-th on\n"
	"  --calls=N          so many of them fail, and later ones do not\n"
	"  --port             write to I/O port 0xe9 what is activated\n"
	"  --follow           go on with events as they happen, until Ctrl-C\n"
	"  --json             one JSON object (events: one a line)\n"
	"  --no-legend        tables without their first line\n"
	"  --color=WHEN       auto, always or never\n"
	"  --socket=PATH      where the daemon listens [" SOCKET "]\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 done, 1 failed or rolled back, 2 usage, 3 daemon unreachable,\n"
	"4 unsupported here, 5 refused. See recovctl(8).\n";

static void print_help(void)
{
	puts("Usage: recovctl [OPTION]... VERB [ARGUMENT]...\n\nVerbs:");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %s\n        %s\n", verbs[i].usage, verbs[i].what);
	printf("\n%s", options_help);
}

static int print_usage(const struct verb *verb)
{
	if (verb)
		fprintf(stderr, "Usage: recovctl %s\n", verb->usage);
	else
		fputs("Usage: recovctl [OPTION]... VERB [ARGUMENT]...; recovctl --help lists all\n",
		      stderr);
	return EXIT_USAGE;
}

static bool color_by_itself(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_color && *no_color)
		return false;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

static int set_color(struct cli *cli, const char *when)
{
	if (strcmp(when, "auto") == 0)
		cli->color = color_by_itself();
	else if (strcmp(when, "always") == 0)
		cli->color = true;
	else if (strcmp(when, "never") == 0)
		cli->color = false;
	else {
		complain("--color is auto, always or never, not \"%s\"", when);
		return EXIT_USAGE;
	}
	return 0;
}

static int set_drain(struct cli *cli, const char *text)
{
	if (duration_parse_ms(text, &cli->drain_ms) < 0) {
		complain("--drain-limit is a time such as 500ms, 2s or 1.5s, not \"%s\"", text);
		return EXIT_USAGE;
	}
	if (cli->drain_ms > RECOV_DRAIN_MAX_MS) {
		complain("--drain-limit is at most %d s", RECOV_DRAIN_MAX_MS / 1000);
		return EXIT_USAGE;
	}
	cli->has_drain = true;
	return 0;
}

/* Some time, and not none. */
static int set_time(uint32_t *ms, const char *option, const char *text)
{
	if (duration_parse_ms(text, ms) == 0 && *ms)
		return 0;
	complain("%s is a time such as 500ms, 2s or 1.5s, not \"%s\"", option, text);
	return EXIT_USAGE;
}

static int set_budget(struct cli *cli, const char *text)
{
	if (size_parse(text, &cli->budget) < 0 || !cli->budget) {
		complain("--budget is an amount of memory such as 512K, 64M or 1.5G, not \"%s\"",
			 text);
		return EXIT_USAGE;
	}
	return 0;
}

/* *ret_words: how many of the words are its name. */
static const struct verb *find_verb(char **words, int n, int *ret_words)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		size_t length = strcspn(verbs[i].name, " ");
		const char *second = verbs[i].name + length;

		if (strlen(words[0]) != length || strncmp(verbs[i].name, words[0], length) != 0)
			continue;
		if (*second && (n < 2 || strcmp(second + 1, words[1]) != 0))
			continue;
		*ret_words = *second ? 2 : 1;
		return &verbs[i];
	}
	return NULL;
}

/* Those whose first word is in there. */
static int print_verbs(const char *first)
{
	size_t length = strlen(first);
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strncmp(verbs[i].name, first, length) != 0 || verbs[i].name[length] != ' ')
			continue;
		fprintf(stderr, "%s recovctl %s\n", any ? "      " : "Usage:", verbs[i].usage);
		any = true;
	}
	return any ? EXIT_USAGE : print_usage(NULL);
}

static int set_number(uint64_t *number, const char *option, const char *text, uint64_t min,
		      uint64_t max)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || *number < min || *number > max) {
		complain("%s is a whole number of %" PRIu64 " to %" PRIu64 ", not \"%s\"", option,
			 min, max, text);
		return EXIT_USAGE;
	}
	return 0;
}

static int missing_value(const char *option)
{
	complain("option \"%s\" needs a value", option);
	return EXIT_USAGE;
}

static int set_text(const char **text, const char *option, const char *value)
{
	*text = value;
	return *value ? 0 : missing_value(option);
}

/* 0: run the verb; 1: all was said; else the exit code, negated. */
static int parse(int argc, char **argv, struct cli *cli, unsigned *ret_given)
{
	enum {
		TO = 256,
		CHECK,
		DRY_RUN,
		DRAIN,
		FOLLOW,
		FROM_LOAD,
		MEMORY,
		DMA_MAPS,
		PACKETS,
		EVENTS,
		BUDGET,
		INSIDE,
		UNTRUSTED,
		IMAGE,
		COVERAGE,
		SEED,
		FAULTS,
		CLASS,
		PRESET,
		OUT,
		FOR,
		WAIT,
		HITS,
		FROM_CALL,
		CALLS,
		PORT,
		JSON,
		NO_LEGEND,
		COLOR,
		SOCKET_PATH,
		VERSION
	};
	static const struct option table[] = {
		{"to", required_argument, NULL, TO},
		{"check", no_argument, NULL, CHECK},
		{"dry-run", no_argument, NULL, DRY_RUN},
		{"drain-limit", required_argument, NULL, DRAIN},
		{"follow", no_argument, NULL, FOLLOW},
		{"from-load", no_argument, NULL, FROM_LOAD},
		{"memory", no_argument, NULL, MEMORY},
		{"dma-maps", no_argument, NULL, DMA_MAPS},
		{"packets", no_argument, NULL, PACKETS},
		{"events", no_argument, NULL, EVENTS},
		{"budget", required_argument, NULL, BUDGET},
		{"inside", optional_argument, NULL, INSIDE},
		{"untrusted", no_argument, NULL, UNTRUSTED},
		{"image", required_argument, NULL, IMAGE},
		{"coverage", required_argument, NULL, COVERAGE},
		{"seed", required_argument, NULL, SEED},
		{"faults", required_argument, NULL, FAULTS},
		{"class", required_argument, NULL, CLASS},
		{"preset", required_argument, NULL, PRESET},
		{"out", required_argument, NULL, OUT},
		{"for", required_argument, NULL, FOR},
		{"wait", required_argument, NULL, WAIT},
		{"hits", required_argument, NULL, HITS},
		{"from-call", required_argument, NULL, FROM_CALL},
		{"calls", required_argument, NULL, CALLS},
		{"port", no_argument, NULL, PORT},
		{"json", no_argument, NULL, JSON},
		{"no-legend", no_argument, NULL, NO_LEGEND},
		{"color", required_argument, NULL, COLOR},
		{"socket", required_argument, NULL, SOCKET_PATH},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, VERSION},
		{},
	};
	const char *equals;
	int c, r = 0;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":hf", table, NULL)) != -1) {
		switch (c) {
		case TO:
			cli->to = optarg;
			if (!*optarg)
				r = missing_value("--to");
			*ret_given |= TAKES_TO;
			break;
		case CHECK:
			cli->check = true;
			*ret_given |= TAKES_CHECK;
			break;
		case DRY_RUN:
			cli->dry_run = true;
			*ret_given |= TAKES_DRY_RUN;
			break;
		case DRAIN:
			r = set_drain(cli, optarg);
			*ret_given |= TAKES_DRAIN;
			break;
		case 'f':
		case FOLLOW:
			cli->follow = true;
			*ret_given |= TAKES_FOLLOW;
			break;
		case FROM_LOAD:
			cli->from_load = true;
			*ret_given |= TAKES_FROM_LOAD;
			break;
		case MEMORY:
			cli->memory = true;
			*ret_given |= TAKES_MEMORY;
			break;
		case DMA_MAPS:
			cli->dma_maps = true;
			*ret_given |= TAKES_DMA_MAPS;
			break;
		case PACKETS:
			cli->packets = true;
			*ret_given |= TAKES_PACKETS;
			break;
		case EVENTS:
			cli->events = true;
			*ret_given |= TAKES_EVENTS;
			break;
		case BUDGET:
			r = set_budget(cli, optarg);
			*ret_given |= TAKES_BUDGET;
			break;
		case INSIDE:
			equals = strchr(argv[optind - 1], '=');
			cli->inside = equals ? equals + 1 : "*";
			if (!*cli->inside)
				r = missing_value("--inside");
			*ret_given |= TAKES_INSIDE;
			break;
		case UNTRUSTED:
			cli->untrusted = true;
			*ret_given |= TAKES_UNTRUSTED;
			break;
		case IMAGE:
			r = set_text(&cli->image, "--image", optarg);
			*ret_given |= TAKES_IMAGE;
			break;
		case COVERAGE:
			r = set_text(&cli->coverage, "--coverage", optarg);
			*ret_given |= TAKES_COVERAGE;
			break;
		case SEED:
			r = set_number(&cli->seed, "--seed", optarg, 0, REPLUG_SEED_MAX);
			cli->has_seed = true;
			*ret_given |= TAKES_SEED;
			break;
		case FAULTS:
			r = set_number(&cli->faults, "--faults", optarg, 1, REPLUG_INJECTIONS_MAX);
			*ret_given |= TAKES_FAULTS;
			break;
		case CLASS:
			r = set_text(&cli->classes, "--class", optarg);
			*ret_given |= TAKES_CLASS;
			break;
		case PRESET:
			r = set_text(&cli->preset, "--preset", optarg);
			*ret_given |= TAKES_PRESET;
			break;
		case OUT:
			r = set_text(&cli->out, "--out", optarg);
			*ret_given |= TAKES_OUT;
			break;
		case FOR:
			r = set_time(&cli->for_ms, "--for", optarg);
			*ret_given |= TAKES_FOR;
			break;
		case WAIT:
			r = set_time(&cli->wait_ms, "--wait", optarg);
			*ret_given |= TAKES_WAIT;
			break;
		case HITS:
			r = set_number(&cli->hits, "--hits", optarg, 1, REPLUG_INJECTIONS_MAX);
			*ret_given |= TAKES_HITS;
			break;
		case FROM_CALL:
			r = set_number(&cli->first_call, "--from-call", optarg, 1, INT32_MAX);
			*ret_given |= TAKES_FROM_CALL;
			break;
		case CALLS:
			r = set_number(&cli->calls, "--calls", optarg, 1, INT32_MAX);
			*ret_given |= TAKES_CALLS;
			break;
		case PORT:
			cli->port = true;
			*ret_given |= TAKES_PORT;
			break;
		case JSON:
			cli->json = true;
			break;
		case NO_LEGEND:
			cli->legend = false;
			break;
		case COLOR:
			r = set_color(cli, optarg);
			break;
		case SOCKET_PATH:
			cli->socket = optarg;
			if (!*optarg)
				r = missing_value(argv[optind - 1]);
			break;
		case VERSION:
			puts("recovctl " RECOVERD_VERSION);
			return 1;
		case 'h':
			print_help();
			return 1;
		case ':':
			r = missing_value(argv[optind - 1]);
			break;
		default:
			complain("option \"%s\" is not understood; see recovctl --help",
				 argv[optind - 1]);
			return -EXIT_USAGE;
		}
		if (r)
			return -r;
	}
	return 0;
}

/* Does what is given fit the verb? 0, or the exit code after a sentence that says why not. */
static int check_given(const struct verb *verb, const struct cli *cli, unsigned given)
{
	if (given & ~verb->takes) {
		complain("%s does not take %s", verb->name,
			 taken_names[__builtin_ctz(given & ~verb->takes)]);
		return print_usage(verb);
	}
	if (cli->n_operands > verb->most) {
		complain("unexpected argument \"%s\"", cli->operands[verb->most]);
		return print_usage(verb);
	}
	if (cli->n_operands < verb->least || (cli->n_operands && !*cli->operands[0])) {
		complain("%s needs the name of a driver", verb->name);
		return print_usage(verb);
	}
	if (verb->takes & NEEDS_IMAGE && !(given & TAKES_IMAGE)) {
		complain("%s needs --image", verb->name);
		return print_usage(verb);
	}
	if (cli->check && cli->dry_run) {
		complain("--check and --dry-run exclude each other");
		return EXIT_USAGE;
	}
	return 0;
}

static int run(int argc, char **argv)
{
	struct cli cli = {
		.socket = SOCKET, .legend = true, .color = color_by_itself(), .faults = 5};
	const struct verb *verb;
	unsigned given = 0;
	int r, words;

	cli.terminal = isatty(STDOUT_FILENO);
	r = parse(argc, argv, &cli, &given);
	if (r)
		return r < 0 ? -r : EXIT_DONE;
	if (optind == argc)
		return print_usage(NULL);
	if (strcmp(argv[optind], "help") == 0) {
		print_help();
		return EXIT_DONE;
	}
	verb = find_verb(argv + optind, argc - optind, &words);
	if (!verb) {
		complain("there is no verb \"%s%s%s\"", argv[optind], argc > optind + 1 ? " " : "",
			 argc > optind + 1 ? argv[optind + 1] : "");
		return print_verbs(argv[optind]);
	}
	cli.operands = argv + optind + words;
	cli.n_operands = argc - optind - words;
	r = check_given(verb, &cli, given);
	return r ? r : verb->run(&cli);
}

int main(int argc, char **argv)
{
	int r;

	r = run(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("standard output can't be written");
		return r ? r : EXIT_FAILED;
	}
	return r;
}
