// SPDX-License-Identifier: GPL-2.0-or-later
/* Tells from sysfs, the modules' aliases and the kernel's tables whose a device is. */
#include "holders_device.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/utsname.h>

#include "cleanup.h"
#include "text.h"

#define ALIASES_MAX 1024
#define DEVICES_MAX 65536
#define ANY_MINOR   UINT32_MAX

/* A number that a table has under a name which looks like the driver's. */
struct number {
	enum device_type type;
	unsigned major, minor;
	bool certain;
};

struct device_table {
	struct device **list;
	size_t n, size;
	char **aliases; /* those of the driver that name devices */
	size_t n_aliases;
	struct number numbers[64];
	size_t n_numbers;
};

/* What an open file of a class does to the driver that its device is bound to; the class's core
 * takes the reference, so that it is the same for all drivers. */
static const struct {
	const char *class;
	enum {
		HOLDS,	    /* the driver */
		HOLDS_HOST, /* the driver of the SCSI host, not that of the SCSI device */
		HOLDS_NOT,
	} effect;
} classes[] = {
	{"block", HOLDS},	{"sound", HOLDS},
	{"nvme", HOLDS},	{"drm", HOLDS},
	{"video4linux", HOLDS}, {"rtc", HOLDS},
	{"watchdog", HOLDS},	{"ptp", HOLDS},
	{"uio", HOLDS},		{"i2c-dev", HOLDS},
	{"mtd", HOLDS},		{"usbmisc", HOLDS},
	{"misc", HOLDS},	{"scsi_generic", HOLDS_HOST},
	{"bsg", HOLDS_HOST},	{"input", HOLDS_NOT},
	{"hidraw", HOLDS_NOT},	{"usb", HOLDS_NOT},
	{"gpio", HOLDS_NOT},	{"spidev", HOLDS_NOT},
	{"leds", HOLDS_NOT},
};

/* The kernel's tables of numbers call these otherwise than their modules are called. */
static const struct {
	const char *listed, *module;
} listed_names[] = {
	{"device-mapper", "dm_mod"}, {"alsa", "snd"},	    {"nvme", "nvme_core"},
	{"ttyUSB", "usbserial"},     {"ttyACM", "cdc_acm"}, {"virtblk", "virtio_blk"},
};

/* ---- tables ---- */

static int read_aliases(const struct scan *scan, struct device_table *table)
{
	static const char *const wanted[] = {"char-major-", "block-major-", "rtnl-link-"};
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	char alias[256], module[64], **aliases;
	struct utsname uts;
	size_t size = 0, i;

	(void)uname(&uts);
	file = scan_open(scan, "/lib/modules/%s/modules.alias", uts.release);
	while (file && table->n_aliases < ALIASES_MAX && getline(&line, &size, file) > 0) {
		if (sscanf(line, "alias %255s %63s", alias, module) != 2 ||
		    !text_same_module(module, scan->driver))
			continue;
		for (i = 0; i < ARRAY_SIZE(wanted); i++) {
			if (strncmp(alias, wanted[i], strlen(wanted[i])) == 0)
				break;
		}
		if (i == ARRAY_SIZE(wanted))
			continue;
		aliases = reallocarray(table->aliases, table->n_aliases + 1, sizeof(*aliases));
		if (!aliases)
			return -ENOMEM;
		table->aliases = aliases;
		aliases[table->n_aliases] = strdup(alias);
		if (!aliases[table->n_aliases++])
			return -ENOMEM;
	}
	return 0;
}

static void add_number(const struct scan *scan, struct device_table *table, enum device_type type,
		       unsigned major, unsigned minor, const char *listed)
{
	bool certain = false, mapped = false;

	for (size_t i = 0; i < ARRAY_SIZE(listed_names); i++) {
		if (strcmp(listed, listed_names[i].listed) == 0) {
			mapped = true;
			certain = text_same_module(listed_names[i].module, scan->driver);
		}
	}
	if (!certain && (mapped || !text_same_module(listed, scan->driver)))
		return;
	if (table->n_numbers < ARRAY_SIZE(table->numbers))
		table->numbers[table->n_numbers++] = (struct number){type, major, minor, certain};
}

/* /proc/devices has majors by the names under which they were registered, /proc/misc minors. */
static void read_numbers(const struct scan *scan, struct device_table *table)
{
	_cleanup_fclose_ FILE *devices = scan_open(scan, "/proc/devices");
	_cleanup_fclose_ FILE *misc = scan_open(scan, "/proc/misc");
	enum device_type type = DEVICE_CHAR;
	char line[256], name[128];
	unsigned number;

	while (devices && fgets(line, sizeof(line), devices)) {
		if (strncmp(line, "Block", strlen("Block")) == 0)
			type = DEVICE_BLOCK;
		else if (sscanf(line, "%u %127s", &number, name) == 2)
			add_number(scan, table, type, number, ANY_MINOR, name);
	}
	while (misc && fgets(line, sizeof(line), misc)) {
		if (sscanf(line, "%u %127s", &number, name) == 2)
			add_number(scan, table, DEVICE_CHAR, 10, number, name);
	}
}

int device_table_new(struct scan *scan, struct device_table **ret_table)
{
	struct device_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	r = read_aliases(scan, table);
	if (r < 0) {
		device_table_free(table);
		return r;
	}
	read_numbers(scan, table);
	*ret_table = table;
	return 0;
}

void device_table_free(struct device_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		free(table->list[i]);
	for (size_t i = 0; i < table->n_aliases; i++)
		free(table->aliases[i]);
	free(table->list);
	free(table->aliases);
	free(table);
}

bool device_has_alias(const struct scan *scan, const char *alias)
{
	for (size_t i = 0; i < scan->devices->n_aliases; i++) {
		if (fnmatch(scan->devices->aliases[i], alias, 0) == 0)
			return true;
	}
	return false;
}

/* ---- the way up in sysfs ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool link_base(const char *folder, const char *link, char *ret_name, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", folder, link) >= (int)sizeof(path))
		return false;
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	return snprintf(ret_name, size, "%s", base_name(target)) < (int)size;
}

struct ancestry {
	unsigned depth; /* drivers passed on the way */
	bool past_host; /* the first driver above a SCSI host */
	char on[128];
	char bus[64];
};

static bool is_scsi_host(const char *name)
{
	return strncmp(name, "host", 4) == 0 && isdigit((unsigned char)name[4]);
}

/* path: a folder below /sys/devices, without links in it; it is shortened on the way. */
static bool climb(const struct scan *scan, char *path, struct ancestry *ret_ancestry)
{
	size_t top = strlen(scan->root) + strlen("/sys/devices");
	struct ancestry ancestry = {};
	char driver[128], module[128];

	for (; strlen(path) > top; *strrchr(path, '/') = '\0') {
		const char *name = base_name(path);

		if (is_scsi_host(name))
			ancestry.past_host = true;
		if (!link_base(path, "driver", driver, sizeof(driver)))
			continue;
		if (link_base(path, "driver/module", module, sizeof(module)) &&
		    text_same_module(module, scan->driver)) {
			*ret_ancestry = ancestry;
			snprintf(ret_ancestry->on, sizeof(ret_ancestry->on), "%s", name);
			(void)link_base(path, "subsystem", ret_ancestry->bus,
					sizeof(ret_ancestry->bus));
			return true;
		}
		ancestry.depth++;
		/* Only the first one above the host is what the host was made by. */
		if (ancestry.past_host && !is_scsi_host(name))
			ancestry.past_host = false;
	}
	return false;
}

static bool resolve(const struct scan *scan, const char *path, char ret_real[PATH_MAX])
{
	char full[PATH_MAX];

	if (scan_path(scan, full, "%s", path) < 0 || !realpath(full, ret_real))
		return false;
	return strncmp(ret_real + strlen(scan->root), "/sys/devices/", strlen("/sys/devices/")) ==
	       0;
}

/* With several paths to a namespace, its block device stands on no controller but beside them. */
static bool climb_nvme_paths(const struct scan *scan, char *path, struct ancestry *ret_ancestry)
{
	_cleanup_closedir_ DIR *folder = NULL;
	char real[PATH_MAX], link[PATH_MAX];
	const struct dirent *entry;
	char *subsystem, *end;

	subsystem = strstr(path, "/nvme-subsys");
	if (!subsystem)
		return false;
	subsystem = strstr(subsystem + 1, "/nvme-subsys") ?: subsystem;
	end = strchr(subsystem + 1, '/');
	if (end)
		*end = '\0';
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (entry->d_type == DT_LNK && strncmp(entry->d_name, "nvme", 4) == 0 &&
		    snprintf(link, sizeof(link), "%s/%s", path, entry->d_name) <
			    (int)sizeof(link) &&
		    realpath(link, real) && climb(scan, real, ret_ancestry))
			return true;
	}
	return false;
}

bool device_is_driven(const struct scan *scan, const char *path, char *ret_on, size_t size,
		      unsigned *ret_depth)
{
	struct ancestry ancestry;
	char real[PATH_MAX];

	if (!resolve(scan, path, real) || !climb(scan, real, &ancestry))
		return false;
	snprintf(ret_on, size, "%s", ancestry.on);
	*ret_depth = ancestry.depth;
	return true;
}

/* ---- one device ---- */

static void read_node_name(const struct scan *scan, struct device *device)
{
	_cleanup_fclose_ FILE *file = NULL;
	char line[256];

	file = scan_open(scan, "/sys/dev/%s/%u:%u/uevent",
			 device->type == DEVICE_CHAR ? "char" : "block", device->major,
			 device->minor);
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "DEVNAME=", strlen("DEVNAME=")) == 0)
			snprintf(device->name, sizeof(device->name), "%.127s",
				 line + strlen("DEVNAME="));
	}
}

static void judge_bound(struct device *device, const struct ancestry *ancestry, const char *class)
{
	size_t i;

	snprintf(device->on, sizeof(device->on), "%s", ancestry->on);
	device->belongs = true;
	for (i = 0; i < ARRAY_SIZE(classes) && strcmp(classes[i].class, class) != 0; i++)
		;
	if (ancestry->past_host)
		device->pins = true;
	else if (ancestry->depth > 0)
		device->pins = false;
	else if (i < ARRAY_SIZE(classes))
		device->pins = classes[i].effect == HOLDS;
	else if (strcmp(class, "tty") == 0 && strcmp(ancestry->bus, "usb-serial") == 0)
		device->pins = true;
	else {
		device->pins = true;
		device->uncertain = "whether an open device of this class holds the driver's "
				    "module differs from driver to driver";
	}
}

/* Modules that make devices of this class out of those of others. */
static bool is_input_handler(const struct scan *scan, const char *class, const char *object)
{
	static const struct {
		const char *prefix, *module;
	} handlers[] = {
		{"event", "evdev"}, {"mouse", "mousedev"}, {"mice", "mousedev"}, {"js", "joydev"}};

	for (size_t i = 0; strcmp(class, "input") == 0 && i < ARRAY_SIZE(handlers); i++) {
		if (strncmp(object, handlers[i].prefix, strlen(handlers[i].prefix)) == 0)
			return strcmp(handlers[i].module, scan->driver) == 0;
	}
	return false;
}

static void judge_unbound(const struct scan *scan, struct device *device, const char *class)
{
	const struct device_table *table = scan->devices;
	char alias[64];

	snprintf(alias, sizeof(alias), "%s-major-%u-%u",
		 device->type == DEVICE_CHAR ? "char" : "block", device->major, device->minor);
	if (device_has_alias(scan, alias) || is_input_handler(scan, class, device->object)) {
		device->belongs = device->pins = true;
		return;
	}
	for (size_t i = 0; i < table->n_numbers; i++) {
		const struct number *number = &table->numbers[i];

		if (number->type != device->type || number->major != device->major ||
		    (number->minor != ANY_MINOR && number->minor != device->minor))
			continue;
		device->belongs = device->pins = true;
		if (!number->certain)
			device->uncertain = "known by its name alone";
		return;
	}
}

static void judge(const struct scan *scan, struct device *device)
{
	char path[64], real[PATH_MAX], climbing[PATH_MAX], class[64] = "";
	struct ancestry ancestry;

	device->references = device->type == DEVICE_BLOCK ? 1 : 2;
	snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u",
		 device->type == DEVICE_CHAR ? "char" : "block", device->major, device->minor);
	if (resolve(scan, path, real)) {
		snprintf(device->object, sizeof(device->object), "%.127s", base_name(real));
		(void)link_base(real, "subsystem", class, sizeof(class));
		strcpy(climbing, real);
		if (climb(scan, climbing, &ancestry) || climb_nvme_paths(scan, real, &ancestry))
			judge_bound(device, &ancestry, class);
	}
	if (!device->belongs)
		judge_unbound(scan, device, class);
	if (!device->belongs)
		return;
	if (!device->pins)
		device->references = 0;
	read_node_name(scan, device);
}

const struct device *device_find(struct scan *scan, enum device_type type, unsigned major,
				 unsigned minor)
{
	struct device_table *table = scan->devices;
	struct device **list, *device;

	for (size_t i = 0; i < table->n; i++) {
		device = table->list[i];
		if (device->type == type && device->major == major && device->minor == minor)
			return device->belongs ? device : NULL;
	}
	if (table->n == DEVICES_MAX)
		return NULL;
	if (table->n == table->size) {
		list = reallocarray(table->list, table->size ? 2 * table->size : 64, sizeof(*list));
		if (!list)
			return NULL;
		table->list = list;
		table->size = table->size ? 2 * table->size : 64;
	}
	device = calloc(1, sizeof(*device));
	if (!device)
		return NULL;
	device->type = type;
	device->major = major;
	device->minor = minor;
	judge(scan, device);
	table->list[table->n++] = device;
	return device->belongs ? device : NULL;
}
