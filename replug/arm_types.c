// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the image's types (BTF) say of the functions whose address it takes: how many words of
 * arguments they find on the stack, and what they are to answer when there is no driver.
 *
 * Arguments are given out as the System V ABI for x86-64 says: six words go into registers; what
 * does not fit there as a whole is on the stack. A function that cannot be followed so far is left
 * alone: better a call that has no tap than one that gets wrong arguments.
 */
#include <bpf/btf.h>
#include <string.h>
#include <sys/mman.h>

#include "arm.h"

#define SHARED_WORDS   8 /* on the stack, where it is not certain how many there are */
#define REGISTER_WORDS 6
#define BY_VALUE_MAX   16    /* bytes of a structure that can be in registers */
#define REFERENCES_MAX 32    /* typedefs and qualifiers of a type */
#define TAPS_MAX       65536 /* the largest drivers have some thousands */
#define MEMBERS_MAX    4096  /* of a structure that small, those of its members included */
#define NOINSTR_TEXT   ".noinstr.text"
#define LEFT_NOINSTR   "it is called where the kernel must not be entered"
#define LEFT_NO_TYPE   "no type is known of it"
#define LEFT_BAD_TYPE  "its type is damaged"
#define LEFT_TWO_TYPES "two functions of different types have its name"
#define LEFT_VARIADIC  "it takes a variable number of arguments"
#define LEFT_FLOAT     "it passes a floating-point value"
#define LEFT_LARGE     "it passes a structure that is too large for registers"
#define LEFT_PACKED    "it passes a structure with members that are not aligned"
#define LEFT_MANY      "it has too many arguments"

struct named {
	const char *name;
	__u32 id;
};

struct index {
	struct named *functions; /* sorted by name */
	size_t n;
};

struct types {
	struct btf *btf, *own_base;
	struct index image, base; /* base is filled in when first needed */
	const char **names;	  /* of the image's functions, sorted */
	size_t n_names;
};

/* What a prototype comes to. */
struct prototype {
	const char *left; /* why the function has to be left alone; then nothing else counts */
	__u16 answer, kind, stack_words;
};

static void types_close(struct types *types)
{
	free(types->image.functions);
	free(types->base.functions);
	free(types->names);
	btf__free(types->btf);
	btf__free(types->own_base);
}

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->id > y->id) - (x->id < y->id);
}

/* libbpf checks the rest; what it leaves is looked at type by type here. */
static bool is_btf(const struct elf_section *section)
{
	struct btf_header header;

	if (section->size < sizeof(header))
		return false;
	memcpy(&header, section->data, sizeof(header));
	return header.magic == BTF_MAGIC && header.hdr_len == sizeof(header) &&
	       header.type_off % sizeof(__u32) == 0 && section->size <= UINT32_MAX;
}

static int open_section(const struct arm *arm, const char *name, struct btf *base,
			struct btf **ret_btf)
{
	const struct elf_section *section = elf_view_section(&arm->view, name, NULL);
	_cleanup_close_ int fd = -1;
	struct btf *btf;
	char path[32];

	if (!section->data || !is_btf(section))
		return arm_refuse(arm, "its section %s holds no usable types", name);
	/* Debian 12's libbpf.so does not export btf__new_split(): it has to be a file. */
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < section->size;) {
		ssize_t n = write(fd, section->data + at, section->size - at);

		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	btf = btf__parse_raw_split(path, base);
	if (!btf && errno == ENOMEM)
		return -ENOMEM;
	if (!btf)
		return arm_refuse(arm, "its section %s holds no usable types", name);
	*ret_btf = btf;
	return 0;
}

/* The functions among the types from first up to end. */
static int index_functions(const struct btf *btf, __u32 first, __u32 end, struct index *ret_index)
{
	struct index index = {.functions = calloc(end - first + 1, sizeof(*index.functions))};

	if (!index.functions)
		return -ENOMEM;
	for (__u32 id = first; id < end; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name;

		if (!type || !btf_is_func(type))
			continue;
		name = btf__name_by_offset(btf, type->name_off);
		if (name && *name)
			index.functions[index.n++] = (struct named){name, id};
	}
	qsort(index.functions, index.n, sizeof(*index.functions), compare_named);
	*ret_index = index;
	return 0;
}

static int types_open(const struct arm *arm, struct types *types)
{
	struct btf *base = arm->options->types;
	int r = 0;

	if (!elf_view_section(&arm->view, ".BTF", NULL))
		return arm_refuse(arm, "it has no types (section .BTF)");
	/* Since "kbuild,bpf: Add module-specific pahole flags for distilled base BTF" (6.11) a
	 * module built outside of the kernel's tree brings what it needs of the kernel's types. */
	if (elf_view_section(&arm->view, ".BTF.base", NULL)) {
		r = open_section(arm, ".BTF.base", NULL, &types->own_base);
		base = types->own_base;
	}
	if (!r)
		r = open_section(arm, ".BTF", base, &types->btf);
	if (r)
		return r;
	return index_functions(types->btf, base ? btf__type_cnt(base) : 1,
			       btf__type_cnt(types->btf), &types->image);
}

/* ---- Prototypes ---- */

/* The type behind typedefs and qualifiers; NULL: void, or damaged, which *id then tells. */
static const struct btf_type *resolve(const struct types *types, __u32 *id)
{
	for (int i = 0; i < REFERENCES_MAX && *id; i++) {
		const struct btf_type *type = btf__type_by_id(types->btf, *id);

		if (!type)
			return NULL;
		if (!btf_is_mod(type) && !btf_is_typedef(type) && !btf_is_type_tag(type))
			return type;
		*id = type->type;
	}
	return NULL;
}

static bool is_struct(const struct types *types, __u32 id, const char *name)
{
	const struct btf_type *type = resolve(types, &id);
	const char *own;

	if (!type || !(btf_is_struct(type) || btf_is_fwd(type)))
		return false;
	own = btf__name_by_offset(types->btf, type->name_off);
	return own && str_eq(own, name);
}

static bool is_pointer_to(const struct types *types, __u32 id, const char *name)
{
	const struct btf_type *type = resolve(types, &id);

	return type && btf_is_ptr(type) && is_struct(types, type->type, name);
}

static bool is_pointer_to_void(const struct types *types, __u32 id)
{
	const struct btf_type *type = resolve(types, &id);
	__u32 to;

	if (!type || !btf_is_ptr(type))
		return false;
	to = type->type;
	return !resolve(types, &to) && to == 0;
}

static bool is_enum(const struct types *types, __u32 id, const char *name)
{
	const struct btf_type *type = resolve(types, &id);
	const char *own;

	if (!type || !btf_is_enum(type))
		return false;
	own = btf__name_by_offset(types->btf, type->name_off);
	return own && str_eq(own, name);
}

static bool is_signed(const struct btf_type *type)
{
	return btf_is_int(type) && btf_int_encoding(type) == BTF_INT_SIGNED;
}

static bool is_int(const struct types *types, __u32 id)
{
	const struct btf_type *type = resolve(types, &id);

	return type && is_signed(type) && type->size == sizeof(int);
}

static bool is_size(const struct types *types, __u32 id)
{
	const struct btf_type *type = resolve(types, &id);

	return type && btf_is_int(type) && !is_signed(type) && type->size == sizeof(size_t);
}

static bool is_pointer_to_char(const struct types *types, __u32 id)
{
	const struct btf_type *type = resolve(types, &id);
	__u32 to;

	if (!type || !btf_is_ptr(type))
		return false;
	to = type->type;
	type = resolve(types, &to);
	return type && btf_is_int(type) && type->size == sizeof(char);
}

static const char *check_members(const struct types *types, const struct btf_type *outer,
				 __u32 base, int *left);

/* Whether a part of a structure that is at bit can be in a general register with its neighbours. */
static const char *check_member(const struct types *types, __u32 id, __u32 bit, bool bitfield,
				int *left)
{
	const struct btf_type *type = resolve(types, &id);

	if (!type || (*left)-- == 0)
		return LEFT_BAD_TYPE;
	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return check_members(types, type, bit, left);
	case BTF_KIND_ARRAY:
		return check_member(types, btf_array(type)->type, bit, false, left);
	case BTF_KIND_FLOAT:
		return LEFT_FLOAT;
	case BTF_KIND_PTR:
		return bit % 64 ? LEFT_PACKED : NULL;
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		if (type->size == 0 || type->size > BY_VALUE_MAX)
			return LEFT_BAD_TYPE;
		return !bitfield && bit % (type->size * 8) ? LEFT_PACKED : NULL;
	default:
		return LEFT_BAD_TYPE;
	}
}

static const char *check_members(const struct types *types, const struct btf_type *outer,
				 __u32 base, int *left)
{
	for (__u16 i = 0; i < btf_vlen(outer); i++) {
		const char *why = check_member(types, btf_members(outer)[i].type,
					       base + btf_member_bit_offset(outer, i),
					       btf_member_bitfield_size(outer, i) != 0, left);

		if (why)
			return why;
	}
	return NULL;
}

/* How many words of general registers a value takes; why there are none. */
static const char *count_words(const struct types *types, __u32 id, unsigned int *ret_words)
{
	const struct btf_type *type = resolve(types, &id);
	int left = MEMBERS_MAX;

	if (!type)
		return LEFT_BAD_TYPE;
	*ret_words = 1;
	switch (btf_kind(type)) {
	case BTF_KIND_PTR:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return NULL;
	case BTF_KIND_INT:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (type->size > BY_VALUE_MAX)
			return LEFT_LARGE;
		*ret_words = (type->size + 7) / 8;
		return btf_is_int(type) ? NULL : check_members(types, type, 0, &left);
	case BTF_KIND_FLOAT:
		return LEFT_FLOAT;
	default:
		return LEFT_BAD_TYPE;
	}
}

static const char *count_stack(const struct types *types, const struct btf_type *proto,
			       __u16 *ret_words)
{
	const struct btf_param *params = btf_params(proto);
	unsigned int used = 0, stack = 0;

	for (__u16 i = 0; i < btf_vlen(proto); i++) {
		unsigned int words;
		const char *why;

		if (params[i].type == 0)
			return LEFT_VARIADIC;
		why = count_words(types, params[i].type, &words);
		if (why)
			return why;
		if (used + words <= REGISTER_WORDS) {
			used += words;
			continue;
		}
		/* Two words may have to be aligned there, which copies are not. */
		if (words > 1)
			return LEFT_LARGE;
		stack += words;
	}
	if (stack > RECOV_TAP_STACK_MAX)
		return LEFT_MANY;
	*ret_words = (__u16)stack;
	return NULL;
}

static const char *find_answer(const struct types *types, __u32 id, __u16 *ret_answer)
{
	const struct btf_type *type = resolve(types, &id);
	unsigned int words;

	*ret_answer = RECOV_TAP_ZERO;
	if (!type)
		return id ? LEFT_BAD_TYPE : NULL;
	if (is_signed(type) && (type->size == 4 || type->size == 8))
		*ret_answer = RECOV_TAP_ERROR;
	return count_words(types, id, &words);
}

static enum recov_tap_kind find_kind(const struct types *types, const struct btf_type *proto)
{
	const struct btf_param *params = btf_params(proto);
	__u32 answer = proto->type;
	bool is_void = !resolve(types, &answer) && answer == 0;

	if (btf_vlen(proto) == 1 && is_void) {
		if (is_pointer_to(types, params[0].type, "timer_list"))
			return RECOV_TAP_TIMER;
		if (is_pointer_to(types, params[0].type, "work_struct"))
			return RECOV_TAP_WORK;
		if (is_pointer_to(types, params[0].type, "virtio_device"))
			return RECOV_TAP_VIRTIO;
	}
	if (btf_vlen(proto) == 1 && is_pointer_to(types, proto->type, "net_device_stats") &&
	    is_pointer_to(types, params[0].type, "net_device"))
		return RECOV_TAP_STATS;
	if (btf_vlen(proto) != 2)
		return RECOV_TAP_OTHER;
	if (is_enum(types, proto->type, "irqreturn") && is_int(types, params[0].type) &&
	    is_pointer_to_void(types, params[1].type))
		return RECOV_TAP_IRQ;
	if (is_int(types, proto->type) && is_pointer_to(types, params[0].type, "napi_struct") &&
	    is_int(types, params[1].type))
		return RECOV_TAP_POLL;
	if (is_enum(types, proto->type, "netdev_tx") &&
	    is_pointer_to(types, params[0].type, "sk_buff") &&
	    is_pointer_to(types, params[1].type, "net_device"))
		return RECOV_TAP_XMIT;
	return RECOV_TAP_OTHER;
}

/* ndo_get_phys_port_name, ndo_get_phys_port_id, ndo_get_port_parent_id. */
static bool is_port_query(const struct types *types, const struct btf_type *proto)
{
	const struct btf_param *params = btf_params(proto);

	if (btf_vlen(proto) < 2 || !is_int(types, proto->type) ||
	    !is_pointer_to(types, params[0].type, "net_device"))
		return false;
	if (btf_vlen(proto) == 2)
		return is_pointer_to(types, params[1].type, "netdev_phys_item_id");
	return btf_vlen(proto) == 3 && is_pointer_to_char(types, params[1].type) &&
	       is_size(types, params[2].type);
}

static struct prototype read_prototype(const struct types *types, __u32 function)
{
	const struct btf_type *type = btf__type_by_id(types->btf, function);
	struct prototype p = {0};

	type = type ? btf__type_by_id(types->btf, type->type) : NULL;
	if (!type || !btf_is_func_proto(type))
		return (struct prototype){.left = LEFT_BAD_TYPE};
	p.left = count_stack(types, type, &p.stack_words);
	if (!p.left)
		p.left = find_answer(types, type->type, &p.answer);
	if (p.left)
		return p;
	p.kind = find_kind(types, type);
	/* How much it has polled. */
	if (p.kind == RECOV_TAP_POLL)
		p.answer = RECOV_TAP_ZERO;
	else if (is_port_query(types, type))
		p.answer = RECOV_TAP_UNSUPPORTED;
	return p;
}

/* ---- Functions ---- */

static bool is_same(const struct prototype *a, const struct prototype *b)
{
	return !a->left && !b->left && a->answer == b->answer && a->kind == b->kind &&
	       a->stack_words == b->stack_words;
}

/* Adds one more type to what is known of a name. */
static void merge(struct prototype *known, bool *found, struct prototype next)
{
	if (*found && !is_same(known, &next))
		known->left = LEFT_TWO_TYPES;
	else
		*known = next;
	*found = true;
}

static bool find_in(const struct types *types, const struct index *index, const char *name,
		    struct prototype *ret)
{
	const struct named key = {.name = name};
	size_t low = 0, high = index->n;
	bool found = false;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_named(&index->functions[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < index->n && str_eq(index->functions[low].name, name); low++)
		merge(ret, &found, read_prototype(types, index->functions[low].id));
	return found;
}

/* 0, -ENOENT or -ENOMEM. The kernel's own types hold those of the image's functions that both have
 * with one name and one type: the image's then leave them out. */
static int find_prototype(struct types *types, const char *name, struct prototype *ret)
{
	const struct btf *base = btf__base_btf(types->btf);
	int r;

	if (find_in(types, &types->image, name, ret))
		return 0;
	if (base && !types->base.functions) {
		r = index_functions(base, 1, btf__type_cnt(base), &types->base);
		if (r)
			return r;
	}
	return find_in(types, &types->base, name, ret) ? 0 : -ENOENT;
}

static bool has_name(const struct arm_function *function, const char *name)
{
	for (size_t i = 0; i < function->n_names; i++)
		if (str_eq(function->names[i], name))
			return true;
	return false;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_names(const struct arm *arm, struct types *types)
{
	for (size_t i = 0; i < arm->n_functions; i++)
		types->n_names += arm->functions[i].n_names;
	types->names = calloc(types->n_names + 1, sizeof(*types->names));
	if (!types->names)
		return -ENOMEM;
	memcpy(types->names, arm->names, types->n_names * sizeof(*types->names));
	qsort(types->names, types->n_names, sizeof(*types->names), compare_names);
	return 0;
}

/* Types have names, not addresses: of two functions called the same, often only one has its type
 * written down. Both will have that type, as they play one role for two devices, so that their taps
 * are worth having. Should one have arguments on the stack nevertheless, they are handed on: words
 * too many do no harm. */
static bool is_shared(const struct types *types, const char *name)
{
	const char **found =
		bsearch(&name, types->names, types->n_names, sizeof(name), compare_names);

	return (found > types->names && str_eq(found[-1], name)) ||
	       (found + 1 < types->names + types->n_names && str_eq(found[1], name));
}

static int find_by_names(struct types *types, struct arm_function *function, struct prototype *ret)
{
	*ret = (struct prototype){.left = LEFT_NO_TYPE};
	/* The kernel calls these two by name, whatever their types may be said to be. */
	if (has_name(function, "init_module"))
		*ret = (struct prototype){.answer = RECOV_TAP_ERROR, .kind = RECOV_TAP_INIT};
	else if (has_name(function, "cleanup_module"))
		*ret = (struct prototype){.answer = RECOV_TAP_ZERO, .kind = RECOV_TAP_EXIT};

	function->name = function->names[0];
	for (size_t i = 0; i < function->n_names; i++) {
		struct prototype own = {0};
		int r = find_prototype(types, function->names[i], &own);

		if (r == -ENOENT)
			continue;
		if (r)
			return r;
		function->name = function->names[i];
		if (is_shared(types, function->name) && own.stack_words < SHARED_WORDS)
			own.stack_words = SHARED_WORDS;
		if (ret->left)
			*ret = own;
		break;
	}
	return 0;
}

int arm_types_find(struct arm *arm)
{
	_cleanup_(types_close) struct types types = {0};
	int r = types_open(arm, &types);

	if (!r)
		r = sort_names(arm, &types);
	for (size_t i = 0; i < arm->n_functions && !r; i++) {
		struct arm_function *function = &arm->functions[i];
		struct prototype p;

		if (!function->taken)
			continue;
		r = find_by_names(&types, function, &p);
		if (str_eq(arm->view.sections[function->section].name, NOINSTR_TEXT))
			p.left = LEFT_NOINSTR;
		if (!r && arm->n_taps == TAPS_MAX)
			r = arm_refuse(arm, "it takes the addresses of too many functions");
		if (r)
			break;
		if (p.left) {
			function->left = p.left;
			arm->n_left++;
			continue;
		}
		function->tap.answer = p.answer;
		function->tap.kind = p.kind;
		function->tap.stack_words = p.stack_words;
		function->slot = arm->n_taps++;
		arm->uses[arm_enter(&function->tap)] = true;
	}
	return r;
}
