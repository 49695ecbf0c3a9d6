/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libreplug: take a driver module out and put it, or another version, back in.
 *
 * Three objects: an *image* is a module file read into memory and looked into; a *plan* says what
 * a swap of one driver would do, or why it is refused; a *swap* carries a plan out as one
 * transaction. Functions return 0 or a negative errno and leave ret_ outputs untouched on failure.
 * Where a function takes a struct replug_error it fills in one plain sentence as well. The library
 * never logs, never exits, keeps no global state and is not thread-safe per object. Destructors
 * take NULL and return nothing.
 */
#ifndef REPLUG_H
#define REPLUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLUG_NAME_MAX 64 /* module names: the kernel's MODULE_NAME_LEN is 56 */

/* Why something did not happen: whose fault it is decides a program's exit code. */
enum replug_fault {
	REPLUG_FAULT_NONE = 0,
	REPLUG_FAULT_FAILED,	  /* tried and failed */
	REPLUG_FAULT_USAGE,	  /* what was named does not exist or is no module */
	REPLUG_FAULT_UNSUPPORTED, /* this machine can't: no shadow module, no privilege to load */
	REPLUG_FAULT_REFUSED,	  /* possible, but would not be safe */
};

struct replug_error {
	enum replug_fault fault;
	char text[256];
};

/* ---- image: image.c (file, decompression), elf.c (bounds-checked sections), private.c,
 * functions.c ---- */

struct replug_image;

struct replug_symbol {
	const char *name; /* owned by the image */
	uint32_t crc;
	bool has_crc;
	bool weak;
};

/* Reads, decompresses (xz, zstd, gzip by content) and parses a module file. Images are limited to
 * 256 MiB. -ENOENT, -EACCES: as open(2); -ENOEXEC: no module, damaged or hostile ELF. */
int replug_image_open(const char *path, struct replug_image **ret_image, struct replug_error *err);
/* The same from memory; the bytes are copied. */
int replug_image_parse(const char *path, const void *bytes, size_t size,
		       struct replug_image **ret_image, struct replug_error *err);
void replug_image_free(struct replug_image *image);

const char *replug_image_path(const struct replug_image *image);
const char *replug_image_name(const struct replug_image *image); /* as in /sys/module */
const char *replug_image_vermagic(const struct replug_image *image);
const char *replug_image_version(const struct replug_image *image); /* or srcversion, or "" */
bool replug_image_signed(const struct replug_image *image);
const void *replug_image_bytes(const struct replug_image *image, size_t *ret_size);
/* NULL-terminated arrays owned by the image. */
const char *const *replug_image_depends(const struct replug_image *image);
const char *const *replug_image_aliases(const struct replug_image *image);
const struct replug_symbol *replug_image_imports(const struct replug_image *image, size_t *ret_n);
const struct replug_symbol *replug_image_exports(const struct replug_image *image, size_t *ret_n);
/* Largest private area the image asks a known core allocator for, found by decoding the calls in
 * its text. 0: none found; -ENODATA: a size that is no constant. */
int replug_image_private_size(const struct replug_image *image, uint32_t *ret_bytes);
/* The names of the functions that the kernel lets be probed, sorted; not those of the module's exit,
 * parts of functions, and names that are not unique. The array is the caller's to free, the names
 * are the image's. -ENOMEM. */
int replug_image_functions(const struct replug_image *image, const char ***ret_names,
			   size_t *ret_n);
/* The name of an import by which the image registers something that is not taken back for a driver
 * that is not called; NULL: there is none. Such a driver has to leave by itself. */
const char *replug_image_registers(const struct replug_image *image);
/* The contents of the first section of that name, owned by the image; NULL: there is none. */
const void *replug_image_section(const struct replug_image *image, const char *name,
				 size_t *ret_size);

/* ---- armed images: arm.c; include/recov_tap.h says what they are ---- */

struct btf; /* of libbpf */

#define REPLUG_ARM_TWINS 101
/* The exports of the shadow module that take the place of imports; NULL at the end. */
extern const char *const replug_arm_twins[REPLUG_ARM_TWINS + 1];

/* The others that images may import of it. */
enum replug_arm_export {
	REPLUG_ARM_ENTER,
	REPLUG_ARM_ENTER_BALANCED,
	REPLUG_ARM_ENTER_STACK,
	REPLUG_ARM_STACKS,
	REPLUG_ARM_LOST,
	REPLUG_ARM_EXPORTS,
};
extern const char *const replug_arm_exports[REPLUG_ARM_EXPORTS];

struct replug_arm_options {
	/* The kernel's types, which the image's build upon; stay the caller's and are only read. NULL:
	 * the image's are complete. */
	struct btf *types;
	/* The module that the thunks call, as in /sys/module, and the versions (CRCs) of what is in
	 * replug_arm_exports. NULL: recov_shadow. */
	const char *helper;
	uint32_t export_crcs[REPLUG_ARM_EXPORTS];
	/* And of those in replug_arm_twins, in that order; 0: there is no such. NULL: imports are left
	 * as they are. */
	const uint32_t *twin_crcs;
	/* Called when the image has been armed, for each function whose address is taken and that is
	 * reached without a thunk nevertheless, with the reason. May be NULL. */
	void (*left_alone)(void *ctx, const char *function, const char *reason);
	void *ctx;
};

/* A copy of the image in which every function whose address is taken is reached through a thunk,
 * and without the image's signature; checked before it is given out. Fails with the place and the
 * reason in err: -EOPNOTSUPP: such an image cannot be armed; -ENOMEM; -EBADMSG: what came out is not
 * what was wanted. */
int replug_image_arm(const struct replug_image *image, const struct replug_arm_options *options,
		     struct replug_image **ret_armed, struct replug_error *err);

/* Is it one that replug_image_arm() has made? */
bool replug_image_armed(const struct replug_image *image);

/* ---- host: what the plan has to know of the machine; a test gives fakes ---- */

struct replug_device {
	char bus[REPLUG_NAME_MAX];
	char name[REPLUG_NAME_MAX];   /* "0000:00:03.0" */
	char object[REPLUG_NAME_MAX]; /* "eth0" */
	char object_class[16];	      /* "net" */
	uint32_t room, need;	      /* private area, bytes; need 0: not known */
	int verdict;		      /* 0 or negative errno with reason */
	char reason[160];
};

struct replug_host {
	const char *sysfs;   /* "/sys" */
	const char *procfs;  /* "/proc" */
	const char *modules; /* "/lib/modules/<release>"; NULL: of the running kernel */
	const char *kept;    /* directory of kept images, see below; NULL: none */
	/* What the running kernel exports: 0, or -ENOENT. owner gets "" for the kernel itself. */
	int (*symbol)(void *ctx, const char *name, uint32_t *ret_crc, bool *ret_has_crc,
		      char owner[REPLUG_NAME_MAX]);
	/* The driver's devices as the shadow sees them; -ENOENT: no such module loaded; -EBUSY: somebody
	 * keeps a lock for long; -EDEADLK: a call of the driver's has kept it for a second. The array is
	 * malloc'ed and the caller's. */
	int (*devices)(void *ctx, const char *driver, struct replug_device **ret, size_t *ret_n);
	/* How many references on the driver's module the shadow itself has, as on one that has failed,
	 * and gives back in time. NULL: never any. */
	unsigned (*pins)(void *ctx, const char *driver);
	/* Makes an armed driver fail, so that calls which wait in it end; -ENOENT: it is not armed. NULL:
	 * that can't be done. */
	int (*fail)(void *ctx, const char *driver);
	/* "" or the driver another swap is about. */
	int (*busy)(void *ctx, char driver[REPLUG_NAME_MAX]);
	void *ctx;
};

/* ---- kept images: kept.c ----
 *
 * A module loaded from a file that is not the installed one has no way back once that file is
 * built again. So its image is kept in a directory, best on a tmpfs, for as long as it is loaded;
 * plans find it there. */

/* Keeps a copy of the image. Creates the directory, not its parents. */
int replug_kept_add(const char *dir, const struct replug_image *image);
/* Removes what is kept of the module name, except that image (or NULL). */
void replug_kept_clean(const char *dir, const char *name, const struct replug_image *except);

/* ---- plan: plan.c ---- */

struct replug_plan;

struct replug_module {
	const char *name;
	const struct replug_image *old_image; /* what to go back to */
	const struct replug_image *new_image; /* what goes in; == old_image: the same */
	const char *options;		      /* load parameters, as modprobe would give */
	const char *new_options;	      /* of the new image; NULL: the same */
};

/* driver: module name ("-" and "_" alike). to: path of another image, or NULL for the installed
 * one. The way back is the image that is loaded now, installed or kept. Everything is read into
 * memory here. Fails with the reason of refusal in err. */
int replug_plan_new(const struct replug_host *host, const char *driver, const char *to,
		    struct replug_plan **ret_plan, struct replug_error *err);

/* What is to be put in, in all detail. */
struct replug_target {
	const char *image; /* its path; NULL: the installed one */
	bool loaded;	   /* without an image: the very one that is loaded, installed or not */
	/* It is armed before: replug_image_arm(). Without an image: the one that is loaded. */
	const struct replug_arm_options *arm;
	const char *parameters; /* load parameters besides modprobe's; NULL: none */
	/* A driver that has none is just taken out and put in; devices that a swap of it which has
	 * failed still keeps go to the image that is put in. */
	bool without_devices;
	/* It is about to be taken out without being called: refused where that can't be. If a call in it
	 * keeps its devices from being known, it is made to fail for that. */
	bool untrusted;
};

int replug_plan_target(const struct replug_host *host, const char *driver,
		       const struct replug_target *target, struct replug_plan **ret_plan,
		       struct replug_error *err);
void replug_plan_free(struct replug_plan *plan);

/* One module of an interrupted swap, as its owner wrote it down before it touched anything. */
struct replug_module_path {
	const char *name;
	const char *old_path;
	const char *new_path; /* same as old_path: the same image */
	const char *options;
};

/* The plan of an interrupted swap again, from what was written down: the modules in the order of
 * unloading, any of which may be loaded or not by now. Reads the images, asks the machine nothing,
 * and is only good for replug_swap_finish(). */
int replug_plan_restore(const char *driver, const struct replug_module_path *modules, size_t n,
			struct replug_plan **ret_plan, struct replug_error *err);

const char *replug_plan_driver(const struct replug_plan *plan);
/* In the order of unloading: the driver first, then what only it keeps loaded. Load in reverse. */
const struct replug_module *replug_plan_modules(const struct replug_plan *plan, size_t *ret_n);
const struct replug_device *replug_plan_devices(const struct replug_plan *plan, size_t *ret_n);

/* ---- swap: swap.c ---- */

enum replug_phase {
	REPLUG_PLAN,
	REPLUG_HOLD,
	REPLUG_DETACH,
	REPLUG_UNLOAD,
	REPLUG_LOAD,
	REPLUG_ATTACH,
	REPLUG_CHECK,
	REPLUG_REPLAY,
	REPLUG_RESUME,
	REPLUG_PHASES
};

const char *replug_phase_name(enum replug_phase phase); /* "plan", ... */

enum replug_outcome {
	REPLUG_SUCCESS,
	REPLUG_ROLLED_BACK, /* the old image serves again; reason says why */
	REPLUG_REFUSED,	    /* nothing was touched */
	REPLUG_FAILED,	    /* neither image serves; reason says what is left */
};

const char *replug_outcome_name(enum replug_outcome outcome); /* "rolled-back", ... */

/* What is put back of a device, by RECOV_SETTING_*; "features", ... NULL: there is no such. */
const char *replug_setting_name(unsigned setting);

/* What may be taken from a driver that is not called, see RECOV_IOC_RELEASE. */
#define REPLUG_RELEASED 17

const char *replug_released_name(unsigned what); /* "irq", ... */

struct replug_options {
	/* The driver that is taken out is not called: it has to be armed. Without it that is the last
	 * resort for an armed one that fails while it is taken out. */
	bool untrusted;
	/* Settings (a bit each) of one device, named as on its bus, that are not put back. */
	uint32_t leave_out;
	const char *leave_out_of;
	uint32_t drain_ms;    /* for work in flight before the hold */
	uint32_t deadline_ms; /* of the whole swap, kept by the kernel; 0: default 30000 */
	uint32_t link_ms;     /* how long a device that was usable may take to be so again;
				   0: default 6000 */
	/* Called as each phase begins (ns 0) and ends; a rollback runs phases again. May not
	 * block; nothing it needs may live on the device being swapped. */
	void (*progress)(void *ctx, enum replug_phase phase, bool rollback, bool done, uint64_t ns);
	void *ctx;
};

struct replug_result {
	enum replug_outcome outcome;
	struct replug_error error;	    /* when not a success */
	uint64_t phases_ns[REPLUG_PHASES];  /* of the pass that ended the swap, plan included */
	uint32_t left_out;		    /* settings of any device that were not put back */
	uint64_t pause_ns;		    /* begin of hold to end of resume; 0: never held */
	bool untrusted;			    /* a driver was taken out without being called; then */
	uint32_t released[REPLUG_RELEASED]; /* how many of each were taken from it */
};

/* The host as libreplug itself sees it through /sys, /proc and an open shadow session. fd: of
 * RECOV_SHADOW_PATH, stays the caller's. */
void replug_host_init(struct replug_host *host, int fd, int *fd_storage);

/* Carries the plan out through the shadow session fd. Blocks for at most the deadline plus what
 * the kernel's own delete_module and init_module take. Needs CAP_SYS_MODULE and CAP_SYS_ADMIN,
 * and locks its memory. Always fills in *ret_result; the return value is 0 unless the arguments
 * are wrong. */
int replug_swap_run(const struct replug_plan *plan, int fd, const struct replug_options *options,
		    struct replug_result *ret_result);
/* Ends an interrupted swap (TAKE), with a restored plan: goes on if the new image is in already,
 * else loads what is missing, the old images if undo. ROLLED_BACK if the old image serves then. */
int replug_swap_finish(const struct replug_plan *plan, int fd, bool undo,
		       const struct replug_options *options, struct replug_result *ret_result);

#endif /* REPLUG_H */
