/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Planning faults in a driver's text: what its instructions are, which of them may be changed, and
 * which changes make the mistakes that programmers make.
 *
 * Three objects: a *text* is the code of a module image taken apart; a *coverage* says which of its
 * instructions have been executed; a *plan* names faults by section and offset, never by address.
 * The conventions are those of replug.h. Nothing here needs a kernel or privilege.
 */
#ifndef REPLUG_MUTATE_H
#define REPLUG_MUTATE_H

#include "replug.h"

#define REPLUG_INSTRUCTION_MAX 15 /* bytes, as the processor has it */
#define REPLUG_BUILD_ID_MAX    64 /* bytes */

/* ---- text: mutate_text.c ---- */

struct replug_text;

/* A section of code that stays in memory with the module. */
struct replug_text_section {
	const char *name;
	size_t size;
	/* Where the instructions begin that may carry a breakpoint, or be changed: ascending. Not
	 * those that the kernel patches or knows by their place. */
	const uint32_t *offsets;
	size_t n_offsets;
};

/* The image stays the caller's and has to outlive the text. with_exit: also the code that only runs
 * when the module is unloaded. -EOPNOTSUPP, with the reason in err: the image has no build id or no
 * symbols of its functions, or is built in a way that is not known; -ENOMEM. */
int replug_text_new(const struct replug_image *image, bool with_exit, struct replug_text **ret_text,
		    struct replug_error *err);
void replug_text_free(struct replug_text *text);
/* The module's name as in /sys/module; its build id as lower-case hex, without the head of the note
 * that it is in (as readelf -n shows it); the kernel's release. */
const char *replug_text_driver(const struct replug_text *text);
const char *replug_text_build_id(const struct replug_text *text);
const char *replug_text_kernel(const struct replug_text *text);
/* In the order of the file. Owned by the text. */
const struct replug_text_section *replug_text_sections(const struct replug_text *text,
						       size_t *ret_n);

/* ---- coverage: mutate_coverage.c; its JSON is recov.coverage/1 ---- */

struct replug_coverage_section {
	char *name;
	uint8_t *bytes; /* as they were in memory */
	size_t size;
	uint32_t *executed; /* offsets of instructions, ascending */
	size_t n_executed;
};

struct replug_coverage {
	char *driver, *build_id, *kernel;
	struct replug_coverage_section *sections;
	size_t n_sections;
};

/* Everything in it has been checked but for what the image has to say. name: of the file, for err.
 * -EBADMSG: it is no such file, or damaged; -ENOENT, -EACCES: as open(2); -ENOMEM. */
int replug_coverage_read(const char *path, struct replug_coverage **ret_coverage,
			 struct replug_error *err);
int replug_coverage_parse(const char *name, const void *bytes, size_t size,
			  struct replug_coverage **ret_coverage, struct replug_error *err);
/* The JSON, one line, malloc'ed; NULL: no memory. */
char *replug_coverage_format(const struct replug_coverage *coverage);
void replug_coverage_free(struct replug_coverage *coverage);

/* ---- faults: mutate_class.c, mutate_sites.c, mutate_plan.c ---- */

enum replug_injection_kind {
	REPLUG_INJECT_TEXT,   /* an instruction becomes another */
	REPLUG_INJECT_CALL,   /* an imported function fails when the driver's function calls it */
	REPLUG_INJECT_DEVICE, /* the driver's device stops to do something */
};

struct replug_injection_class {
	const char *name, *what;
	const char *also; /* what the literature calls it, or "" */
	enum replug_injection_kind kind;
	bool by_default; /* is among those that a plan draws from unless told otherwise */
};

/* The first is number 0; NULL: there is no such number. */
const struct replug_injection_class *replug_injection_class(size_t class);

/* Where each class has something to change. */
struct replug_sites;

/* Of all instructions, or of those that the coverage says were executed. The text has to outlive the
 * sites, the coverage has not. -EBADMSG: the coverage is of something else; -ENOMEM. */
int replug_sites_new(struct replug_text *text, const struct replug_coverage *coverage,
		     struct replug_sites **ret_sites, struct replug_error *err);
void replug_sites_free(struct replug_sites *sites);
size_t replug_sites_count(const struct replug_sites *sites, size_t class);

struct replug_injection {
	uint32_t id; /* from 1 on */
	enum replug_injection_kind kind;
	char *class;

	/* TEXT and CALL: where in the driver. */
	char *section, *function;
	uint32_t offset, function_offset;
	/* TEXT: whole instructions. Bits in *_loader say which bytes the loader has written: in memory
	 * there may be anything, old has 0 there, and new has there what was in memory. */
	uint32_t variant; /* which of the ways to change it */
	uint8_t length, old[REPLUG_INSTRUCTION_MAX], new[REPLUG_INSTRUCTION_MAX];
	uint16_t old_loader, new_loader;
	char *before, *after; /* disassembled */
	/* CALL: which function fails, and what it returns. */
	char *import;
	int64_t result;
	/* DEVICE: what stops: "bus-master", "memory", "intx". */
	char *device;
};

struct replug_injection_plan {
	char *driver, *build_id, *kernel;
	uint64_t seed;
	struct replug_injection *injections;
	size_t n_injections;
};

#define REPLUG_SEED_MAX	      ((UINT64_C(1) << 53) - 1) /* what every JSON parser keeps exactly */
#define REPLUG_INJECTIONS_MAX 1000

struct replug_injection_options {
	uint64_t seed;
	size_t n;	     /* faults, 1 to REPLUG_INJECTIONS_MAX */
	const char *classes; /* names with commas; NULL: those by default. The more sites, the more
				often a class is drawn. */
	const char *preset;  /* NULL, or "nooks": its classes in equal shares */
};

/* Draws a plan: the same sites, seed and options give the same for ever. -EINVAL: no such class or
 * preset; -EOPNOTSUPP: there are not as many sites; -ENOMEM. */
int replug_injection_plan_new(const struct replug_sites *sites,
			      const struct replug_injection_options *options,
			      struct replug_injection_plan **ret_plan, struct replug_error *err);
void replug_injection_plan_free(struct replug_injection_plan *plan);

/* ---- plans as files: mutate_file.c; their JSON is recov.faults/1 ---- */

/* As replug_coverage_read(). */
int replug_injection_plan_read(const char *path, struct replug_injection_plan **ret_plan,
			       struct replug_error *err);
int replug_injection_plan_parse(const char *name, const void *bytes, size_t size,
				struct replug_injection_plan **ret_plan, struct replug_error *err);
char *replug_injection_plan_format(const struct replug_injection_plan *plan);
/* Is it one for this build of this driver, armed or not? -ESTALE and a sentence: no. */
int replug_injection_plan_check(const struct replug_injection_plan *plan, const char *driver,
				const char *build_id, struct replug_error *err);
/* The bytes to expect and those to plant, with what the loader wrote taken from memory: length bytes
 * at the fault's place. False: something else is in memory than the plan expects. */
bool replug_injection_bytes(const struct replug_injection *injection, const uint8_t *memory,
			    uint8_t old[REPLUG_INSTRUCTION_MAX],
			    uint8_t new[REPLUG_INSTRUCTION_MAX]);

#endif /* REPLUG_MUTATE_H */
