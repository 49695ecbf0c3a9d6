/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether lines of JSON are what a schema says.
 */
#ifndef SCHEMA_FIXTURE_H
#define SCHEMA_FIXTURE_H

/* cmocka.h and what it wants before it come first. */
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* good: all are; otherwise one is not. Skips the test where there is no python3-jsonschema. */
static inline void assert_follows(const char *schema, const char *lines, bool good)
{
	static const char script[] = "import json,sys\n"
				     "try:\n"
				     "  from jsonschema import Draft202012Validator as V\n"
				     "except ImportError:\n"
				     "  sys.exit(4)\n"
				     "s=json.load(open(sys.argv[1])); V.check_schema(s)\n"
				     "bad=[e.message for l in open(sys.argv[2]) for e in "
				     "V(s).iter_errors(json.loads(l))]\n"
				     "print('\\n'.join(bad),file=sys.stderr)\n"
				     "sys.exit(1 if bad else 0)\n";
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		if (!good)
			fclose(stderr);
		execlp("python3", "python3", "-c", script, schema, lines, NULL);
		_exit(4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 4) {
		print_message("python3-jsonschema is not there\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), good ? 0 : 1);
}

#endif /* SCHEMA_FIXTURE_H */
