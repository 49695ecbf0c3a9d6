// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the daemon's command line. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "version.h"

static const char help[] =
	"Usage: recoverd [OPTION]...\n"
	"\n"
	"Keeps stock drivers serving: watches them, and swaps one when recovctl asks.\n"
	"\n"
	"  --background          return when ready, and go on without the terminal\n"
	"  --events=FILE         also write events to FILE, \"-\" for standard output, or\n"
	"                        unix:PATH for a listening socket\n"
	"  --socket=PATH         control socket [" OPTIONS_RUNTIME_DIR "/" CONTROL_SOCKET_NAME "]\n"
	"  --runtime-dir=DIR     where the lock and unfinished business are kept\n"
	"                        [" OPTIONS_RUNTIME_DIR "]\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 ended as asked, 1 failed, 2 usage. See recoverd(8).\n";

int options_parse(int argc, char **argv, struct options *ret_options)
{
	enum {
		EVENTS = 256,
		SOCKET,
		RUNTIME_DIR,
		BACKGROUND,
		VERSION
	};
	static const struct option table[] = {
		{"background", no_argument, NULL, BACKGROUND},
		{"events", required_argument, NULL, EVENTS},
		{"socket", required_argument, NULL, SOCKET},
		{"runtime-dir", required_argument, NULL, RUNTIME_DIR},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, VERSION},
		{},
	};
	struct options options = {.runtime_dir = OPTIONS_RUNTIME_DIR};
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
		switch (c) {
		case EVENTS:
			options.events = optarg;
			break;
		case SOCKET:
			options.socket = optarg;
			break;
		case RUNTIME_DIR:
			options.runtime_dir = optarg;
			break;
		case BACKGROUND:
			options.background = true;
			break;
		case VERSION:
			puts("recoverd " RECOVERD_VERSION);
			return 0;
		case 'h':
			fputs(help, stdout);
			return 0;
		case ':':
			fprintf(stderr, "recoverd: option \"%s\" needs a value\n",
				argv[optind - 1]);
			return -EINVAL;
		default:
			fprintf(stderr,
				"recoverd: option \"%s\" is not understood; see recoverd --help\n",
				argv[optind - 1]);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "recoverd: unexpected argument \"%s\"\n", argv[optind]);
		return -EINVAL;
	}
	if (options.events && !*options.events) {
		fprintf(stderr, "recoverd: --events needs a file\n");
		return -EINVAL;
	}
	*ret_options = options;
	return 1;
}
