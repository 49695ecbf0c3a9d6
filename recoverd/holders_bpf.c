// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds BPF programs that are attached to functions of a driver or to its network devices. */
#include "holders_bpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <string.h>

#include "cleanup.h"
#include "text.h"

static int link_of_id(__u32 id, struct bpf_link_info *ret_info)
{
	_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
	__u32 size = sizeof(*ret_info);

	*ret_info = (struct bpf_link_info){};
	if (fd < 0)
		return -errno;
	return bpf_obj_get_info_by_fd(fd, ret_info, &size) < 0 ? -errno : 0;
}

static int program_of_id(__u32 id, struct bpf_prog_info *ret_info)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	__u32 size = sizeof(*ret_info);

	*ret_info = (struct bpf_prog_info){};
	if (fd < 0)
		return -errno;
	return bpf_obj_get_info_by_fd(fd, ret_info, &size) < 0 ? -errno : 0;
}

/* Types of the kernel's modules are named after them. */
static bool is_types_of_driver(const struct scan *scan, __u32 id)
{
	struct bpf_btf_info info = {};
	__u32 size = sizeof(info);
	char name[64] = "";
	_cleanup_close_ int fd = -1;

	if (!id)
		return false;
	fd = bpf_btf_get_fd_by_id(id);
	if (fd < 0)
		return false;
	info.name = (__u64)(uintptr_t)name;
	info.name_len = sizeof(name);
	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.kernel_btf &&
	       text_same_module(name, scan->driver);
}

static void say_program(char *text, size_t size, const char *what, const struct bpf_prog_info *info)
{
	snprintf(text, size, "%s program %u (%.*s)", what, info->id, (int)sizeof(info->name),
		 info->name);
}

/* ---- functions ---- */

/* Calls for every link. */
static int each_link(struct scan *scan,
		     int (*each)(struct scan *scan, const struct bpf_link_info *info, void *ctx),
		     void *ctx)
{
	struct bpf_link_info info;
	__u32 id = 0;
	int r = 0;

	while (r >= 0 && bpf_link_get_next_id(id, &id) == 0) {
		if (link_of_id(id, &info) == 0)
			r = each(scan, &info, ctx);
	}
	return r;
}

struct search {
	__u32 program;
	__u32 link; /* found */
	int ifindex;
};

static int find_tracing(struct scan *scan, const struct bpf_link_info *info, void *ctx)
{
	struct search *search = ctx;

	(void)scan;
	if (info->type == BPF_LINK_TYPE_TRACING && info->prog_id == search->program)
		search->link = info->id;
	return 0;
}

static int watch_tracing(struct scan *scan, const struct bpf_prog_info *program)
{
	struct search search = {.program = program->id};
	char name[96], detail[96], how[128];
	struct holder holder = {.kind = "bpf", .name = name, .detail = detail, .free = how};

	say_program(name, sizeof(name), "tracing", program);
	(void)each_link(scan, find_tracing, &search);
	holder.pins = true;
	holder.references = 1;
	if (search.link) {
		snprintf(detail, sizeof(detail), "attached to a function of %s by link %u",
			 scan->driver, search.link);
		snprintf(how, sizeof(how),
			 "end the processes that have link %u, and remove its pin in bpffs if it "
			 "has one",
			 search.link);
		return scan_watch(scan, WATCH_BPF_LINK, search.link, &holder);
	}
	snprintf(detail, sizeof(detail), "loaded for a function of %s, not attached by a link",
		 scan->driver);
	snprintf(
		how, sizeof(how),
		"end the processes that have program %u, and remove its pin in bpffs if it has one",
		program->id);
	holder.uncertain = "whether a program holds the module before it is attached differs from "
			   "kernel to kernel";
	return scan_watch(scan, WATCH_BPF_PROG, program->id, &holder);
}

int holders_bpf(struct scan *scan)
{
	struct bpf_prog_info info;
	__u32 id = 0;
	int r = 0;

	if (!scan->live)
		return 0;
	libbpf_set_print(NULL);
	while (r >= 0 && bpf_prog_get_next_id(id, &id) == 0) {
		if (program_of_id(id, &info) == 0 &&
		    is_types_of_driver(scan, info.attach_btf_obj_id))
			r = watch_tracing(scan, &info);
	}
	if (r >= 0 && errno != ENOENT)
		scan_incomplete(scan, "BPF programs can't be listed: %m");
	return r;
}

/* ---- network devices ---- */

static int find_xdp(struct scan *scan, const struct bpf_link_info *info, void *ctx)
{
	struct search *search = ctx;

	(void)scan;
	if (info->type == BPF_LINK_TYPE_XDP && info->prog_id == search->program &&
	    (int)info->xdp.ifindex == search->ifindex)
		search->link = info->id;
	return 0;
}

/* Where on its way a packet meets the program, and what ip calls that. */
struct xdp_mode {
	const char *where, *off;
};

static int add_xdp(struct scan *scan, const char *name, int ifindex, const char *on,
		   const char *where, __u32 id, const struct xdp_mode *mode)
{
	struct search search = {.program = id, .ifindex = ifindex};
	char title[96], detail[400], how[256], quoted[80];
	struct holder holder = {.kind = "bpf",
				.name = title,
				.detail = detail,
				.object = name,
				.device = on,
				.free = how};
	struct bpf_prog_info info;

	(void)program_of_id(id, &info);
	info.id = id;
	say_program(title, sizeof(title), "XDP", &info);
	snprintf(detail, sizeof(detail), "attached to %s %s%s%s", name, mode->where,
		 *where ? ", in " : "", where);
	(void)each_link(scan, find_xdp, &search);
	if (!search.link) {
		snprintf(how, sizeof(how),
			 "ip link set dev %s %s off%s; unloading the driver detaches it, too",
			 scan_quote(name, quoted, sizeof(quoted)), mode->off,
			 *where ? ", in its network namespace" : "");
		return scan_add(scan, &holder);
	}
	scan_append(detail, sizeof(detail), ", by link %u", search.link);
	snprintf(how, sizeof(how),
		 "end the processes that have link %u; unloading the driver detaches it, too",
		 search.link);
	return scan_watch(scan, WATCH_BPF_LINK, search.link, &holder);
}

int holders_bpf_xdp(struct scan *scan, const char *name, int ifindex, const char *on,
		    const char *where)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	static const struct xdp_mode driver = {"in its driver", "xdpdrv"};
	static const struct xdp_mode generic = {"before its driver", "xdpgeneric"};
	static const struct xdp_mode card = {"on the card", "xdpoffload"};
	int r = 0;

	if (bpf_xdp_query(ifindex, 0, &query) < 0)
		return 0;
	if (query.drv_prog_id)
		r = add_xdp(scan, name, ifindex, on, where, query.drv_prog_id, &driver);
	if (r >= 0 && query.skb_prog_id)
		r = add_xdp(scan, name, ifindex, on, where, query.skb_prog_id, &generic);
	if (r >= 0 && query.hw_prog_id)
		r = add_xdp(scan, name, ifindex, on, where, query.hw_prog_id, &card);
	return r;
}
