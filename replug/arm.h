/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files that make an armed image have in common; include/recov_tap.h says what such an
 * image has in it.
 */
#ifndef REPLUG_ARM_H
#define REPLUG_ARM_H

#include "elfview.h"
#include "error.h"
#include "image.h"
#include "recov_tap.h"

#define ARM_THUNK_SIZE	 16
#define ARM_THUNK_JMP	 12 /* and that of jmp */
#define ARM_STUB_SIZE	 32
#define ARM_STUB_CMP	 3  /* where the displacements of cmp, */
#define ARM_STUB_JB	 9  /* jb */
#define ARM_STUB_JMP	 14 /* and jmp are */
#define ARM_HELPER	 "recov_shadow"
#define ARM_TAP_SUFFIX	 ".tap"
#define ARM_ORC_SIZE	 6 /* struct orc_entry */
#define ARM_ORC_IP_SIZE	 4
#define ARM_VERSION_SIZE 64 /* struct modversion_info: an unsigned long and a name */
#define ARM_BUILD_ID	 ".note.gnu.build-id"
#define ARM_NOTE_HEAD	 16 /* bytes before a build id: three lengths, and the name GNU */

/* The place where functions begin, under one or more names. */
struct arm_function {
	const char **names; /* of the image; the array is part of arm.names */
	size_t n_names;
	size_t symbol; /* the first name's */
	size_t section;
	uint64_t value;
	bool taken; /* the image takes its address */
	/* Where that is done in a way that is not known, so that there cannot be a thunk in its
	 * place; section NULL: nowhere. */
	struct {
		const char *section;
		uint64_t offset;
		uint32_t type;
	} odd;

	const char *name; /* the one its type was found under, or the first */
	const char *left; /* why it is left alone, or NULL */
	struct recov_tap tap;
	size_t slot; /* of its thunk and its tap, unless left alone */
};

/* A relocation that takes a function's address. */
struct arm_ref {
	size_t section; /* of relocations */
	size_t index;	/* in there */
	size_t function;
	int64_t addend; /* against the start of the function, or of its thunk */
};

/* A relocation by which an import is called. */
struct arm_call {
	size_t section; /* of relocations */
	size_t index;	/* in there */
	size_t stub;
};

struct arm {
	const struct replug_image *image;
	const struct replug_arm_options *options;
	const char *helper;
	struct replug_error *err;
	struct elf_view view;
	const Elf64_Shdr *headers; /* view.n_sections */

	const char **names;
	struct arm_function *functions; /* sorted by section and value */
	size_t n_functions;
	struct arm_ref *refs; /* in the order of the file */
	size_t n_refs, refs_room;
	struct arm_call *calls;
	size_t n_calls, calls_room;
	size_t *stubs;	 /* by symbol: the number of its stub from 1, 0: none */
	size_t *imports; /* the other way round: each stub's symbol */
	size_t n_stubs;
	size_t n_taps, n_left;
	bool uses[REPLUG_ARM_EXPORTS]; /* which the image imports */
};

/* What a section's relocations are to the rewriter. */
enum arm_section {
	ARM_SECTION_TEXT,
	ARM_SECTION_DATA,    /* holds addresses that somebody will call */
	ARM_SECTION_EXPORTS, /* __ksymtab */
	ARM_SECTION_SITES,   /* tells the kernel of places in the text: means the function itself */
	ARM_SECTION_OTHER,   /* does not get into memory */
	ARM_SECTION_UNKNOWN, /* must not refer to text */
};

/* Where the thunk jumps to. */
static inline enum replug_arm_export arm_enter(const struct recov_tap *tap)
{
	if (tap->stack_words)
		return REPLUG_ARM_ENTER_STACK;
	return recov_tap_is_balanced(tap->kind) ? REPLUG_ARM_ENTER_BALANCED : REPLUG_ARM_ENTER;
}

/* With the suffix of a thunk's name it is as long as the kernel's own names can be. */
#define ARM_NAME_MAX (511 - (sizeof(ARM_TAP_SUFFIX) - 1))

/* arm_sections.c */
enum arm_section arm_section_kind(const char *name, uint64_t flags);
/* A name that is no function of its own: a part of one, or its padding. */
bool arm_is_part(const char *name);

/* arm_refs.c: fills in functions, and refs; functions that are referred to are taken. */
int arm_refs_find(struct arm *arm);
/* Refuses if a function that is to have a tap is taken in an unknown way. */
int arm_refs_check(const struct arm *arm);
/* arm_types.c: fills in the taps of functions that are taken, or why they are left alone. */
int arm_types_find(struct arm *arm);
/* arm_twins.c: the name that an import has instead, and its version; or NULL. */
const char *arm_twin(const struct replug_arm_options *options, const char *import,
		     uint32_t *ret_crc);
/* arm_calls.c: fills in calls and stubs. */
int arm_calls_find(struct arm *arm);
/* Is it a call, in that section of code, that has to go by a stub? */
bool arm_is_call(const struct elf_view *view, const struct elf_section *text,
		 const struct elf_relocation *relocation);
/* arm_orc.c: the unwinder's entry for code that has pushed nothing: the caller's stack pointer is 8
 * above, and where it returns to lies there. Every function begins like that. Since "x86,objtool:
 * Split UNWIND_HINT_EMPTY in two" (6.4) the type of a call's frame is 2, not 0. NULL: neither. */
const uint8_t *arm_orc_of_call(const struct elf_section *entries);
/* arm_write.c: the file, malloc'ed. */
int arm_write(const struct arm *arm, uint8_t **ret_bytes, size_t *ret_size);
/* arm_check.c: looks at both images with its own eyes. n_left: functions whose address is taken and
 * that have no tap. -EBADMSG: armed is not what it should be. */
int arm_check(const struct replug_image *image, const struct replug_image *armed,
	      const struct replug_arm_options *options, size_t n_left, struct replug_error *err);

/* Says in err why the image is refused; returns -EOPNOTSUPP. */
int arm_refuse(const struct arm *arm, const char *fmt, ...) _printf_(2, 3);

#endif /* REPLUG_ARM_H */
