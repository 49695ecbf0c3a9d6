// SPDX-License-Identifier: GPL-2.0-or-later
/* flow: numbered, checked TCP and UDP streams, to see what a network path does to them. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "report.h"
#include "server.h"

#define PORT	    5300
#define SECONDS	    10
#define STALL_S	    60
#define SECONDS_MAX 604800
#define EXIT_USAGE  2

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void usage(FILE *to)
{
	fputs("Usage: flow serve [--port P]\n"
	      "       flow run HOST [OPTION...]\n"
	      "\n"
	      "Streams numbered content whose every byte both ends know, and counts what is lost,\n"
	      "corrupt, missing or repeated, and the gaps between deliveries.\n"
	      "\n"
	      "serve          the other end of all flows, TCP and UDP; runs until SIGTERM\n"
	      "run            begin flows, and report at the end, or on SIGTERM\n"
	      "\n"
	      "  --flows LIST   of tcp-up, tcp-down, tcp-echo, udp-up, udp-down, with commas; a\n"
	      "                 name may come again (all five)\n"
	      "  --port P       of TCP and UDP (5300)\n"
	      "  --seconds S    how long (10)\n"
	      "  --until FILE   until FILE exists; --seconds is then only a limit, if given\n"
	      "  --ready FILE   make FILE once all flows are up\n"
	      "  --rate N       messages a second of each flow, of 1 KiB with TCP, of up to 1200\n"
	      "                 bytes with UDP; 0: no limit; else 20 to 1000000 (TCP 2441, which\n"
	      "                 is 20 Mbit/s; UDP 1000)\n"
	      "  --stall S      a connection without progress for S seconds counts as lost (60)\n"
	      "  --json         print JSON Lines instead of a table\n"
	      "  --out FILE     write JSON Lines to FILE as well\n"
	      "\n"
	      "Exit status: 0 no connection lost, no byte corrupt, no TCP byte missing or "
	      "repeated,\n"
	      "and every flow delivered something; 1 otherwise; 2 usage. Lost datagrams are only\n"
	      "counted.\n",
	      to);
}

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "flow: %s%s%s; see flow --help\n", what, value ? " " : "",
		value ? value : "");
	return EXIT_USAGE;
}

/* -EINVAL: no number of that range. */
static int parse_number(uint64_t *ret_number, const char *text, uint64_t least, uint64_t most)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || number < least || number > most)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int parse_flows(struct client_options *options, const char *list)
{
	options->flows = 0;
	for (;;) {
		size_t length = strcspn(list, ",");

		if (options->flows == CLIENT_FLOWS_MAX)
			return -E2BIG;
		if (kind_parse(&options->kinds[options->flows], list, length) < 0)
			return -ENOENT;
		options->flows++;
		if (!list[length])
			return 0;
		list += length + 1;
	}
}

struct arguments {
	struct client_options client;
	bool json, has_seconds;
	const char *out;
	uint64_t port;
};

enum {
	OPT_PORT = 256,
	OPT_FLOWS,
	OPT_SECONDS,
	OPT_UNTIL,
	OPT_READY,
	OPT_RATE,
	OPT_STALL,
	OPT_OUT
};

/* One option of `run`; returns 0 or the exit status. */
static int take_option(struct arguments *arguments, int option)
{
	struct client_options *client = &arguments->client;
	uint64_t number = 0;

	switch (option) {
	case OPT_PORT:
		if (parse_number(&arguments->port, optarg, 1, 65535) < 0)
			return usage_error("no port:", optarg);
		return 0;
	case OPT_FLOWS:
		if (parse_flows(client, optarg) < 0)
			return usage_error("no list of flows:", optarg);
		return 0;
	case OPT_SECONDS:
		if (parse_number(&number, optarg, 1, SECONDS_MAX) < 0)
			return usage_error("no number of seconds:", optarg);
		client->seconds = (uint32_t)number;
		arguments->has_seconds = true;
		return 0;
	case OPT_STALL:
		if (parse_number(&number, optarg, 1, 3600) < 0)
			return usage_error("no number of seconds:", optarg);
		client->stall_s = (uint32_t)number;
		return 0;
	case OPT_RATE:
		if (parse_number(&client->rate, optarg, 0, 1000000) < 0 ||
		    (client->rate && client->rate < 20))
			return usage_error("no rate:", optarg);
		client->has_rate = true;
		return 0;
	case OPT_UNTIL:
		client->until = optarg;
		return 0;
	case OPT_READY:
		client->ready = optarg;
		return 0;
	case OPT_OUT:
		arguments->out = optarg;
		return 0;
	case 'j':
		arguments->json = true;
		return 0;
	default:
		return EXIT_USAGE;
	}
}

static int write_out(const struct client_result *result, const char *path)
{
	FILE *file = fopen(path, "we");
	int bad;

	if (!file) {
		fprintf(stderr, "flow: %s: %s\n", path, strerror(errno));
		return 1;
	}
	report_json(result, file);
	bad = ferror(file);
	if (fclose(file) || bad) {
		fprintf(stderr, "flow: %s: could not be written\n", path);
		return 1;
	}
	return 0;
}

static int run(struct arguments *arguments)
{
	static struct client_result result;
	int status;

	arguments->client.port = (uint16_t)arguments->port;
	arguments->client.stop = &stop;
	if (arguments->client.until && !arguments->has_seconds)
		arguments->client.seconds = SECONDS_MAX;
	if (client_run(&arguments->client, &result) < 0)
		return 1;
	status = report_good(&result) ? 0 : 1;
	if (arguments->json)
		report_json(&result, stdout);
	else
		report_table(&result, stdout);
	if (arguments->out && write_out(&result, arguments->out))
		status = 1;
	return fflush(stdout) ? 1 : status;
}

static int serve(const struct arguments *arguments)
{
	int r = server_run((uint16_t)arguments->port, &stop);

	if (r < 0)
		fprintf(stderr, "flow: port %u: %s\n", (unsigned int)arguments->port, strerror(-r));
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"port", required_argument, NULL, OPT_PORT},
		{"flows", required_argument, NULL, OPT_FLOWS},
		{"seconds", required_argument, NULL, OPT_SECONDS},
		{"until", required_argument, NULL, OPT_UNTIL},
		{"ready", required_argument, NULL, OPT_READY},
		{"rate", required_argument, NULL, OPT_RATE},
		{"stall", required_argument, NULL, OPT_STALL},
		{"out", required_argument, NULL, OPT_OUT},
		{},
	};
	struct arguments arguments = {
		.client = {.seconds = SECONDS, .stall_s = STALL_S},
		.port = PORT,
	};
	struct sigaction action = {.sa_handler = on_signal};
	int option, status;

	(void)parse_flows(&arguments.client, "tcp-up,tcp-down,tcp-echo,udp-up,udp-down");
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return 0;
		}
		status = take_option(&arguments, option);
		if (status)
			return status;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (argc - optind == 1 && !strcmp(argv[optind], "serve"))
		return serve(&arguments);
	if (argc - optind == 2 && !strcmp(argv[optind], "run")) {
		arguments.client.host = argv[optind + 1];
		return run(&arguments);
	}
	return usage_error(optind < argc ? "no such verb:" : "which verb?",
			   optind < argc ? argv[optind] : NULL);
}
