// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Holders of a driver, on a machine of ours: what is found in /proc and /sys, also when what is
 * there is made to mislead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "../../recoverd/cleanup.h"
#include "../../recoverd/holders.h"
#include "../../recoverd/worker_message.h"

#define CARD "sys/devices/pci0/0000:00:04.0"

static char root[] = "/tmp/test_holders.XXXXXX";
static json_t *found;
static unsigned batches;
static struct holders_summary summary;

/* Runs a shell line in the folder that is the machine. */
__attribute__((format(printf, 1, 2))) static void make(const char *format, ...)
{
	char line[4096];
	size_t used;
	va_list ap;

	used = (size_t)snprintf(line, sizeof(line), "set -e; cd %s; ", root);
	va_start(ap, format);
	vsnprintf(line + used, sizeof(line) - used, format, ap);
	va_end(ap);
	if (system(line) != 0)
		fail_msg("this test is wrong: %s", line);
}

static int collect(void *ctx, json_t *holders)
{
	(void)ctx;
	batches++;
	json_array_extend(found, holders);
	json_decref(holders);
	return 0;
}

static int scan(const char *driver)
{
	json_decref(found);
	found = json_array();
	batches = 0;
	return holders_scan(root, driver, collect, NULL, &summary);
}

static const char *text(const json_t *holder, const char *key)
{
	return json_string_value(json_object_get(holder, key));
}

/* The only one of its kind and name. */
static const json_t *holder(const char *kind, const char *name)
{
	const json_t *match = NULL, *one;
	size_t i;

	json_array_foreach(found, i, one) {
		if (strcmp(text(one, "kind"), kind) != 0 || strcmp(text(one, "name"), name) != 0)
			continue;
		assert_null(match);
		match = one;
	}
	if (!match) {
		json_dumpf(found, stdout, JSON_INDENT(1));
		fail_msg("no %s %s", kind, name);
	}
	return match;
}

static bool pins(const json_t *one)
{
	return json_is_true(json_object_get(one, "pins"));
}

static void assert_found(size_t n)
{
	if (json_array_size(found) != n) {
		json_dumpf(found, stdout, JSON_INDENT(1));
		fail_msg("%zu holders, not %zu", json_array_size(found), n);
	}
}

static void load(const char *module, int references)
{
	make("mkdir -p sys/module/%s/holders; echo live >sys/module/%s/initstate; "
	     "echo %d >sys/module/%s/refcnt",
	     module, module, references, module);
}

/* A folder of sysfs that a driver of the module is bound to. */
static void bind(const char *device, const char *module)
{
	make("mkdir -p %s sys/bus/b/drivers/%s-driver; "
	     "ln -sfn %s/sys/bus/b/drivers/%s-driver %s/driver; "
	     "ln -sfn ../../../../module/%s sys/bus/b/drivers/%s-driver/module",
	     device, module, root, module, device, module, module);
}

/* type: "char" or "block" */
static void node(const char *path, const char *type, const char *number, const char *class)
{
	make("mkdir -p %s sys/dev/%s sys/class/%s; echo %s >%s/dev; "
	     "echo DEVNAME=$(basename %s) >%s/uevent; ln -sfn %s/sys/class/%s %s/subsystem; "
	     "ln -sfn %s/%s sys/dev/%s/%s; ln -sfn %s/%s sys/class/%s/",
	     path, type, class, number, path, path, path, root, class, path, root, path, type,
	     number, root, path, class);
}

static void process(int pid, const char *comm)
{
	make("mkdir -p proc/%d/fd; printf '%s\\n' >proc/%d/comm", pid, comm, pid);
}

static int setup(void **state)
{
	strcpy(strrchr(root, '.'), ".XXXXXX");
	if (!mkdtemp(root))
		return -1;
	make("mkdir -p proc sys/devices sys/class lib/modules/$(uname -r)");
	return 0;
}

static int teardown(void **state)
{
	char line[64];

	json_decref(found);
	found = NULL;
	snprintf(line, sizeof(line), "rm -rf %s", root);
	return system(line);
}

/* ---- what there is to be held ---- */

static void only_loaded_modules_are_held(void **state)
{
	assert_int_equal(scan("nothing"), -ENOENT);
	assert_int_equal(scan("../module"), -ENOENT);
	make("mkdir -p sys/module/printk; "
	     "echo kernel/drivers/virtio/virtio-ring.ko >lib/modules/$(uname -r)/modules.builtin");
	assert_int_equal(scan("printk"), -EOPNOTSUPP);
	assert_int_equal(scan("virtio_ring"), -EOPNOTSUPP);
	load("a_b", 0);
	assert_int_equal(scan("a-b"), 0);
	assert_found(0);
	assert_string_equal(summary.incomplete, "");
}

static void dependants_and_what_is_not_explained(void **state)
{
	load("mii", 3);
	make("mkdir sys/module/mii/holders/pcnet32");
	assert_int_equal(scan("mii"), 0);
	assert_found(2);
	assert_true(pins(holder("module", "pcnet32")));
	assert_int_equal(
		json_integer_value(json_object_get(holder("reference", "unknown"), "count")), 2);
	assert_int_equal(summary.references, 3);
	make("echo 1 >sys/module/mii/refcnt");
	assert_int_equal(scan("mii"), 0);
	assert_found(1);
}

/* ---- open files; this machine's own nodes stand for theirs ---- */

static void open_files_of_a_bound_device(void **state)
{
	const json_t *one;

	load("snd_card", 2);
	bind(CARD, "snd_card");
	node(CARD "/sound/card0/pcmC0D0p", "char", "1:3", "sound");
	process(5, "player");
	process(6, "other");
	make("ln -s /dev/null proc/5/fd/3; ln -s /dev/null proc/5/fd/9; ln -s /dev/zero "
	     "proc/6/fd/1");
	assert_int_equal(scan("snd_card"), 0);
	assert_found(1);
	one = holder("process", "/dev/pcmC0D0p");
	assert_int_equal(json_integer_value(json_object_get(one, "pid")), 5);
	assert_string_equal(text(one, "comm"), "player");
	assert_string_equal(text(one, "device"), "0000:00:04.0");
	assert_non_null(strstr(text(one, "detail"), "open as "));
	assert_true(pins(one));
	assert_true(json_is_null(json_object_get(one, "uncertain")));
}

static void some_classes_do_not_hold_their_driver(void **state)
{
	load("keyboard", 0);
	bind(CARD, "keyboard");
	node(CARD "/input/input0/event0", "char", "1:3", "input");
	node(CARD "/odd/odd0", "char", "1:5", "odd");
	process(5, "a");
	make("ln -s /dev/null proc/5/fd/3; ln -s /dev/zero proc/5/fd/4");
	assert_int_equal(scan("keyboard"), 0);
	assert_found(2);
	assert_false(pins(holder("process", "/dev/event0")));
	assert_true(pins(holder("process", "/dev/odd0")));
	assert_non_null(text(holder("process", "/dev/odd0"), "uncertain"));
	/* They hold the one that made the node. */
	load("evdev", 2);
	assert_int_equal(scan("evdev"), 0);
	assert_found(1);
	assert_true(pins(holder("process", "/dev/event0")));
}

static void a_scsi_disk_holds_its_host_but_not_what_is_below(void **state)
{
	static const char disk[] = CARD "/virtio0/host2/target2:0:0/2:0:0:0";
	char path[256];

	load("pci_part", 0);
	load("host_part", 2);
	load("disk_part", 2);
	bind(CARD, "pci_part");
	bind(CARD "/virtio0", "host_part");
	bind(disk, "disk_part");
	snprintf(path, sizeof(path), "%s/scsi_generic/sg0", disk);
	node(path, "char", "1:3", "scsi_generic");
	snprintf(path, sizeof(path), "%s/bsg/other", disk);
	node(path, "char", "1:5", "sound");
	process(5, "a");
	make("ln -s /dev/null proc/5/fd/3; ln -s /dev/zero proc/5/fd/4");
	assert_int_equal(scan("disk_part"), 0);
	assert_false(pins(holder("process", "/dev/sg0")));
	assert_true(pins(holder("process", "/dev/other")));
	assert_int_equal(scan("host_part"), 0);
	assert_true(pins(holder("process", "/dev/sg0")));
	assert_true(pins(holder("process", "/dev/other")));
	assert_int_equal(scan("pci_part"), 0);
	assert_false(pins(holder("process", "/dev/sg0")));
	assert_false(pins(holder("process", "/dev/other")));
}

static void devices_without_a_driver_are_known_by_number_or_name(void **state)
{
	load("tun", 1);
	load("by_name", 1);
	node("sys/devices/virtual/misc/tun", "char", "1:3", "misc");
	node("sys/devices/virtual/misc/named", "char", "1:5", "misc");
	make("echo 'alias char-major-1-3 tun' >lib/modules/$(uname -r)/modules.alias; "
	     "printf 'Character devices:\\n  1 mem\\n 99 by-name\\n\\nBlock devices:\\n  1 "
	     "by-name\\n' "
	     ">proc/devices; printf '200 tun\\n' >proc/misc");
	process(5, "vpn");
	make("ln -s /dev/null proc/5/fd/3; ln -s /dev/zero proc/5/fd/4");
	assert_int_equal(scan("tun"), 0);
	assert_found(1);
	assert_true(pins(holder("process", "/dev/tun")));
	assert_true(json_is_null(json_object_get(holder("process", "/dev/tun"), "uncertain")));
	/* A block device's number is none of a character device. */
	assert_int_equal(scan("by-name"), 0);
	assert_found(1);
	assert_string_equal(text(json_array_get(found, 0), "kind"), "reference");
	make("printf 'Character devices:\\n  1 by-name\\n' >proc/devices");
	assert_int_equal(scan("by-name"), 0);
	assert_string_equal(text(holder("process", "/dev/named"), "uncertain"),
			    "known by its name alone");
}

static void mappings_without_a_descriptor(void **state)
{
	load("uio_card", 2);
	bind(CARD, "uio_card");
	node(CARD "/uio/uio0", "char", "1:3", "uio");
	process(5, "poller");
	process(6, "both");
	make("mkdir proc/5/map_files proc/6/map_files; "
	     "ln -s /dev/null proc/5/map_files/1000-2000; ln -s /dev/null "
	     "proc/6/map_files/1000-2000; "
	     "ln -s /dev/null proc/6/fd/3; "
	     "printf '1000-2000 rw-s 00000000 00:05 12 /dev/uio0\\n"
	     "2000-3000 rw-s 00000000 00:05 12 /dev/uio0\\n' | tee proc/5/maps >proc/6/maps");
	assert_int_equal(scan("uio_card"), 0);
	assert_found(2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *one = json_array_get(found, i);
		bool mapped = json_integer_value(json_object_get(one, "pid")) == 5;

		assert_string_equal(text(one, "name"), "/dev/uio0");
		assert_string_equal(text(one, "detail"),
				    mapped ? "mapped, without a descriptor" : "open as 3");
	}
}

static void processes_may_mislead_or_vanish(void **state)
{
	const json_t *one;

	load("card", 2);
	bind(CARD, "card");
	node(CARD "/sound/x", "char", "1:3", "sound");
	process(5, "\\033[2J\\n\\377(");
	make("ln -s /dev/null proc/5/fd/3; ln -s /nonexistent proc/5/fd/4; "
	     "ln -s /dev/null proc/5/fd/nonsense; mkdir -p proc/6 proc/7/fd "
	     "proc/99999999999999/fd; "
	     "ln -s /dev/null proc/99999999999999/fd/1; echo 'nonsense' >proc/5/maps; "
	     "printf '0-%%s\\nffff' $(head -c 100000 /dev/zero | tr '\\0' x) >proc/7/maps; "
	     "seq -f '%%.0f-1 r 0 00:00 1 x' 1 50000 >proc/6/maps");
	assert_int_equal(scan("card"), 0);
	assert_found(1);
	one = holder("process", "/dev/x");
	assert_string_equal(text(one, "comm"), "\033[2J\n\xef\xbf\xbd(");
	assert_string_equal(text(one, "detail"), "open as 3");
}

static void more_than_can_be_told_is_counted(void **state)
{
	load("many", 0);
	make("cd sys/module/many/holders; seq -f 'm%%.0f' 1 %d | xargs mkdir", HOLDERS_MAX + 7);
	assert_int_equal(scan("many"), 0);
	assert_found(HOLDERS_MAX);
	assert_true(batches > 10);
	assert_string_equal(summary.incomplete, "7 more are not listed");
}

/* ---- network devices ---- */

static void network_devices_with_what_stands_on_them(void **state)
{
	const json_t *one;

	load("nic", 0);
	load("bridge", 0);
	bind(CARD, "nic");
	make("mkdir -p " CARD "/net/eth0 sys/devices/virtual/net/br0 sys/devices/virtual/net/veth0 "
	     "sys/class/net; cd sys/class/net; ln -s ../../../" CARD "/net/eth0; "
	     "ln -s ../../devices/virtual/net/br0; ln -s ../../devices/virtual/net/veth0; "
	     "ln -s ../.. eth0/device; echo 0x1003 >eth0/flags; echo 2 >eth0/ifindex; "
	     "ln -s ../../../../virtual/net/br0 eth0/master; ln -s x eth0/upper_br0; "
	     "ln -s x eth0/upper_vlan7; echo DEVTYPE=bridge >br0/uevent; echo 0x1002 >br0/flags");
	assert_int_equal(scan("nic"), 0);
	assert_found(1);
	one = holder("netdev", "eth0");
	assert_false(pins(one));
	assert_non_null(strstr(text(one, "detail"), "up, "));
	assert_non_null(strstr(text(one, "detail"), "port of br0"));
	assert_non_null(strstr(text(one, "detail"), "below vlan7"));
	assert_int_equal(scan("bridge"), 0);
	assert_found(1);
	assert_string_equal(text(holder("netdev", "br0"), "detail"), "down");
}

static void packet_sockets_without_a_process_are_told(void **state)
{
	load("nic", 0);
	bind(CARD, "nic");
	make("mkdir -p " CARD "/net/eth0 sys/class/net proc/self/net; "
	     "ln -s ../../../" CARD "/net/eth0 sys/class/net/eth0; echo 2 >" CARD
	     "/net/eth0/ifindex; "
	     "printf 'sk RefCnt Type Proto Iface R Rmem User Inode\\n"
	     "00 3 3 0003 2 1 0 0 4711\\n00 3 3 0003 3 1 0 0 4712\\nrubbish\\n' "
	     ">proc/self/net/packet");
	assert_int_equal(scan("nic"), 0);
	assert_found(2);
	assert_false(pins(holder("process", "packet socket on eth0")));
}

/* ---- mounts ---- */

static void disk(const char *name, const char *number)
{
	char path[128];

	snprintf(path, sizeof(path), CARD "/block/%s", name);
	node(path, "block", number, "block");
}

static void mounts_of_a_disk_and_of_what_stands_on_it(void **state)
{
	const json_t *one;

	load("blk", 5);
	bind(CARD, "blk");
	disk("vda", "254:0");
	disk("vda/vda1", "254:1");
	disk("vda/vda2", "254:2");
	disk("vda/vda3", "254:3");
	node("sys/devices/virtual/block/dm-0", "block", "253:0", "block");
	node("sys/devices/virtual/block/md0", "block", "9:0", "block");
	make("mkdir -p " CARD "/block/vda/vda2/holders/dm-0 " CARD "/block/vda/vda3/holders/md0 "
	     "sys/class/block/dm-0/dm proc/1; echo 'vg-root\033' >sys/class/block/dm-0/dm/name; "
	     "cat >proc/1/mountinfo <<'END'\n"
	     "25 1 254:1 / /boot rw - ext4 /dev/vda1 rw\n"
	     "26 1 254:1 /x /a\\040b rw shared:1 master:2 - ext4 /dev/vda1 rw\n"
	     "27 1 253:0 / / rw - xfs /dev/mapper/vg-root rw\n"
	     "28 1 8:1 / /other rw - ext4 /dev/sda1 rw\n"
	     "29 1 254:1 /\n"
	     "rubbish - - -\n"
	     "END\n"
	     "printf 'Filename Type\\n/dev/vda3 partition 1 0 -2\\n' >proc/swaps");
	assert_int_equal(scan("blk"), 0);
	assert_found(7);
	assert_true(pins(holder("mount", "/boot")));
	one = holder("mount", "/a b");
	assert_string_equal(text(one, "object"), "vda1");
	assert_string_equal(text(one, "free"), "umount '/a b'");
	one = holder("mount", "/");
	assert_string_equal(text(one, "detail"), "xfs on /dev/dm-0, which stands on /dev/vda2");
	assert_true(pins(one));
	assert_string_equal(text(holder("mount", "/dev/vda3"), "free"), "swapoff /dev/vda3");
	(void)holder("mount", "/dev/mapper/vg-root\033");
	(void)holder("mount", "/dev/md0");
	/* One for vda1, dm-0, md0 and the swap area each. */
	assert_int_equal(
		json_integer_value(json_object_get(holder("reference", "unknown"), "count")), 1);
}

/* ---- what the daemon believes ---- */

static void the_message_of_a_worker_is_checked(void **state)
{
	struct worker_message message;
	json_t *body;

	load("mii", 3);
	make("mkdir sys/module/mii/holders/pcnet32");
	assert_int_equal(scan("mii"), 0);
	body = worker_message_holders(json_incref(found), &summary);
	assert_int_equal(worker_message_parse(body, &message), 0);
	assert_int_equal(message.type, WORKER_HOLDERS);
	json_object_set_new(json_array_get(found, 0), "pid", json_integer(-1));
	assert_int_equal(worker_message_parse(body, &message), -EBADMSG);
	json_object_set_new(json_array_get(found, 0), "pid", json_null());
	json_object_set_new(json_array_get(found, 0), "kind", json_string("nonsense"));
	assert_int_equal(worker_message_parse(body, &message), -EBADMSG);
	json_decref(body);
	body = worker_message_holders(json_array(), NULL);
	assert_int_equal(worker_message_parse(body, &message), 0);
	json_object_set_new(body, "summary", json_integer(1));
	assert_int_equal(worker_message_parse(body, &message), -EBADMSG);
	json_decref(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_loaded_modules_are_held),
		TEST(dependants_and_what_is_not_explained),
		TEST(open_files_of_a_bound_device),
		TEST(some_classes_do_not_hold_their_driver),
		TEST(a_scsi_disk_holds_its_host_but_not_what_is_below),
		TEST(devices_without_a_driver_are_known_by_number_or_name),
		TEST(mappings_without_a_descriptor),
		TEST(processes_may_mislead_or_vanish),
		TEST(more_than_can_be_told_is_counted),
		TEST(network_devices_with_what_stands_on_them),
		TEST(packet_sockets_without_a_process_are_told),
		TEST(mounts_of_a_disk_and_of_what_stands_on_it),
		TEST(the_message_of_a_worker_is_checked),
	};

	return cmocka_run_group_tests_name("holders", tests, NULL, NULL);
}
