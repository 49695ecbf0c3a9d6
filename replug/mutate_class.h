/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the classes of faults do to an instruction.
 */
#ifndef REPLUG_MUTATE_CLASS_H
#define REPLUG_MUTATE_CLASS_H

#include "mutate_text.h"

/* An instruction that a class is tried on, and its decoding. */
struct mutation {
	const struct replug_text *text;
	const struct text_section *section;
	const struct text_instruction *at;
	const uint8_t *bytes;  /* of the instruction */
	cs_insn *insn, *other; /* it, and what it becomes or another one: belong to who tries */
};

struct mutation_class {
	struct replug_injection_class is;
	/* How many ways there may be to change the instruction; 0: the class has none. */
	unsigned (*variants)(const struct mutation *m);
	/* Changes a copy of the instruction. False: there is no such variant. */
	bool (*change)(const struct mutation *m, unsigned variant, uint8_t *bytes);
	/* NULL, or whether m->other is what the class wants instead of m->insn. */
	bool (*fits)(const struct mutation *m);
	bool replaces;	 /* nothing is left of what the loader has written into it */
	bool any_length; /* what comes out need not be an instruction of the same length */
};

#define INT3 0xcc

/* What follows is the member "device" of the fault. */
#define DEVICE_CLASS "device:"

extern const struct mutation_class mutation_classes[];
extern const size_t n_mutation_classes;

#define MUTATION_VARIANTS_MAX (8 * REPLUG_INSTRUCTION_MAX)

/* Reads the instruction at m->at. False: it is none. */
bool mutation_decode(struct mutation *m);
/* What the variant makes of it, and which bytes of that the loader has written. False: there is no
 * such variant, or it does not make what the class wants. */
bool mutation_apply(const struct mutation *m, const struct mutation_class *class, unsigned variant,
		    uint8_t *new, uint16_t *ret_loader);
/* Bit i: the loader has written byte i of the instruction. */
uint16_t mutation_loader_bytes(const struct mutation *m);

/* mutate_operands.c: bits of registers and memory operands. */
unsigned register_variants(const struct mutation *m);
bool register_change(const struct mutation *m, unsigned variant, uint8_t *bytes);
bool source_fits(const struct mutation *m);
bool destination_fits(const struct mutation *m);
unsigned pointer_variants(const struct mutation *m);
bool pointer_change(const struct mutation *m, unsigned variant, uint8_t *bytes);
bool pointer_fits(const struct mutation *m);

/* mutate_calls.c: calls of imports, and what comes before a call. */
unsigned release_variants(const struct mutation *m);
unsigned allocation_variants(const struct mutation *m);
bool allocation_change(const struct mutation *m, unsigned variant, uint8_t *bytes);
unsigned lock_variants(const struct mutation *m);
unsigned unlock_variants(const struct mutation *m);
unsigned argument_variants(const struct mutation *m);
/* The import that a call's failure can be told by, and the value that tells it; NULL: none. */
const char *mutation_failing_call(const struct mutation *m, int64_t *ret_result);

/* The instruction's bytes become the processor's own instruction that does nothing, of size bytes. */
void nop_write(uint8_t *bytes, size_t size);

#endif /* REPLUG_MUTATE_CLASS_H */
