// SPDX-License-Identifier: GPL-2.0-or-later
/* files: writes files, reads them back from the disk, and says what was lost. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "awake.h"
#include "tree.h"

#define PACE_MS	      100
#define RUN_FILES     2
#define RUN_SIZE      16384
#define RUN_TREES     4 /* that are there at a time */
#define COMMAND_MS    1000
#define EXIT_NO_START 126

static int usage(void)
{
	fputs("Usage: files write|check|remove FOLDER SEED FILES SIZE\n"
	      "       files run FOLDER STOP_FILE\n"
	      "       files awake COMMAND [ARG...]\n\n"
	      "write has the files on the disk when it ends; check reads them past the page "
	      "cache.\n"
	      "run does so with small folders until there is a STOP_FILE, and says how it went.\n"
	      "awake runs a command that waits for the disk. Exit status: 0; 1 files are lost,\n"
	      "corrupt or cannot be written; 2 usage; the command's.\n",
	      stderr);
	return 2;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int once(char **argv, int (*verb)(struct tree *tree))
{
	struct tree tree = {
		.path = argv[0],
		.seed = strtoull(argv[1], NULL, 0),
		.files = (unsigned)strtoul(argv[2], NULL, 0),
		.size = strtoul(argv[3], NULL, 0),
	};
	int r;

	if (!tree.size || tree.size % 4096 || !tree.files)
		return usage();
	r = verb(&tree);
	if (tree.errors)
		fprintf(stderr, "files: %s\n", tree.first_error);
	if (tree.corrupt_bytes)
		fprintf(stderr, "files: %lu bytes below %s are not what was written\n",
			tree.corrupt_bytes, tree.path);
	return r ? 1 : 0;
}

/* One of the RUN_TREES is replaced, after a last look at it. What could not be written is no more
 * looked at: nobody was told that it is there. */
static int replace(struct tree *tree, const char *folder, unsigned round)
{
	static bool written[RUN_TREES];
	bool *mine = &written[round % RUN_TREES];
	char path[256];
	int r = 0;

	snprintf(path, sizeof(path), "%s/Folder %u", folder, round % RUN_TREES);
	tree->path = path;
	if (*mine) {
		tree->seed = round - RUN_TREES;
		r = tree_check(tree);
		if (tree_remove(tree) < 0)
			r = -1;
	}
	tree->seed = round;
	*mine = tree_write(tree) == 0;
	return *mine && tree_check(tree) == 0 ? r : -1;
}

static int run(const char *folder, const char *stop)
{
	struct tree tree = {.files = RUN_FILES, .size = RUN_SIZE};
	double last = now_ms(), gap = 0;
	unsigned rounds = 0;

	for (; access(stop, F_OK) < 0; rounds++) {
		int r = replace(&tree, folder, rounds);
		double now = now_ms();

		if (now - last > gap)
			gap = now - last;
		if (r == 0)
			last = now;
		usleep(PACE_MS * 1000);
	}
	if (tree.errors)
		fprintf(stderr, "files: %s\n", tree.first_error);
	printf("{\"rounds\":%u,\"errors\":%u,\"corrupt_bytes\":%lu,\"longest_gap_ms\":%.1f}\n",
	       rounds, tree.errors, tree.corrupt_bytes, gap);
	return tree.errors || tree.corrupt_bytes || !rounds;
}

static int awake(char **command)
{
	int status;
	pid_t pid;

	awake_begin(COMMAND_MS);
	pid = fork();
	if (pid == 0) {
		execvp(command[0], command);
		fprintf(stderr, "files: %s: %s\n", command[0], strerror(errno));
		_exit(EXIT_NO_START);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return EXIT_NO_START;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int dispatch(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*verb)(struct tree *tree);
	} verbs[] = {{"write", tree_write}, {"check", tree_check}, {"remove", tree_remove}};

	if (argc > 2 && strcmp(argv[1], "awake") == 0)
		return awake(argv + 2);
	if (argc == 4 && strcmp(argv[1], "run") == 0)
		return run(argv[2], argv[3]);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (argc == 6 && strcmp(argv[1], verbs[i].name) == 0)
			return once(argv + 2, verbs[i].verb);
	}
	return usage();
}

int main(int argc, char **argv)
{
	int status;

	if (awake_init() < 0) {
		perror("files: fork");
		return 1;
	}
	status = dispatch(argc, argv);
	awake_uninit();
	return status;
}
