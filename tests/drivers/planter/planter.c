// SPDX-License-Identifier: GPL-2.0
/*
 * Plants a fault in a loaded driver: "MODULE:FUNCTION ARGUMENT" written to the parameter `fault`
 * has that function called once with NULL for its first, second or third argument. What the driver
 * then does with it is its own.
 */
#include <linux/atomic.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#define ARGUMENTS 3

static char planter_function[64];
static unsigned int planter_argument;
static atomic_t planter_due = ATOMIC_INIT(0);

static int planter_before(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long *const arguments[ARGUMENTS] = {&regs->di, &regs->si, &regs->dx};

	if (atomic_xchg(&planter_due, 0))
		*arguments[planter_argument] = 0;
	return 0;
}
NOKPROBE_SYMBOL(planter_before);

static struct kprobe planter_probe;
static bool planter_is_set;

static void planter_unset(void)
{
	if (!planter_is_set)
		return;
	atomic_set(&planter_due, 0);
	unregister_kprobe(&planter_probe);
	planter_is_set = false;
}

/* Under the kernel's lock for the parameters of a module. "none" just takes the last one back. */
static int planter_set(const char *value, const struct kernel_param *param)
{
	char function[sizeof(planter_function)];
	unsigned int argument;
	int err;

	planter_unset();
	if (sysfs_streq(value, "none"))
		return 0;
	if (sscanf(value, "%63s %u", function, &argument) != 2 || !argument || argument > ARGUMENTS)
		return -EINVAL;
	strscpy(planter_function, function, sizeof(planter_function));
	planter_argument = argument - 1;
	planter_probe = (struct kprobe){
		.symbol_name = planter_function,
		.pre_handler = planter_before,
	};
	err = register_kprobe(&planter_probe);
	if (err)
		return err;
	planter_is_set = true;
	atomic_set(&planter_due, 1);
	return 0;
}

static const struct kernel_param_ops planter_ops = {.set = planter_set};

module_param_cb(fault, &planter_ops, NULL, 0200);
MODULE_PARM_DESC(fault, "plant one: MODULE:FUNCTION ARGUMENT, or none");

static int __init planter_init(void)
{
	return 0;
}

static void __exit planter_exit(void)
{
	planter_unset();
}

module_init(planter_init);
module_exit(planter_exit);

MODULE_DESCRIPTION("Test module that plants faults in loaded drivers");
MODULE_LICENSE("GPL");
