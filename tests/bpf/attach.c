// SPDX-License-Identifier: GPL-2.0-or-later
/* Attaches the BPF programs of an object file: until it is ended, or for good with a pin. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int usage(void)
{
	fputs("Usage: attach OBJECT [PIN]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct bpf_program *program;
	struct bpf_object *object;
	struct bpf_link *link;

	if (argc != 2 && argc != 3)
		return usage();
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object) < 0) {
		fprintf(stderr, "%s can't be loaded: %s\n", argv[1], strerror(errno));
		return 1;
	}
	bpf_object__for_each_program(program, object)
	{
		link = bpf_program__attach(program);
		if (!link || (argc == 3 && bpf_link__pin(link, argv[2]) < 0)) {
			fprintf(stderr, "%s can't be attached: %s\n", bpf_program__name(program),
				strerror(errno));
			return 1;
		}
	}
	if (argc == 2)
		(void)pause();
	return 0;
}
