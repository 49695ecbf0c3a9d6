// SPDX-License-Identifier: GPL-2.0
/*
 * A driver for the device faulty_char of faulty_bus: /dev/faulty, a page that can be read, written
 * and mapped. It fails for whoever calls it when it is told to.
 */
#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>

#include "faulty.h"
#include "faulty_ioctl.h"

/* A file may stay open when the device is unbound, so all of it lives as long as the module. */
static struct page *faulty_page;
static DEFINE_MUTEX(faulty_page_lock);
static atomic64_t faulty_calls = ATOMIC64_INIT(0);

const unsigned long faulty_contexts = BIT(FAULTY_PROCESS) | BIT(FAULTY_PROBE) | BIT(FAULTY_REMOVE) |
				      BIT(FAULTY_OPEN) | BIT(FAULTY_STOP);

/* faulty_kick: all of them wait for somebody who calls. */
void faulty_kick(enum faulty_context context)
{
}

static void faulty_char_enter(enum faulty_context context)
{
	atomic64_inc(&faulty_calls);
	faulty_point(context);
}

static int faulty_char_open(struct inode *inode, struct file *file)
{
	faulty_char_enter(FAULTY_OPEN);
	return 0;
}

static int faulty_char_release(struct inode *inode, struct file *file)
{
	faulty_char_enter(FAULTY_STOP);
	return 0;
}

static ssize_t faulty_char_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	ssize_t n;

	faulty_char_enter(FAULTY_PROCESS);
	mutex_lock(&faulty_page_lock);
	n = simple_read_from_buffer(to, len, pos, page_address(faulty_page), PAGE_SIZE);
	mutex_unlock(&faulty_page_lock);
	return n;
}

static ssize_t faulty_char_write(struct file *file, const char __user *from, size_t len,
				 loff_t *pos)
{
	ssize_t n;

	faulty_char_enter(FAULTY_PROCESS);
	if (len && *pos >= PAGE_SIZE)
		return -ENOSPC;
	mutex_lock(&faulty_page_lock);
	n = simple_write_to_buffer(page_address(faulty_page), PAGE_SIZE, pos, from, len);
	mutex_unlock(&faulty_page_lock);
	return n;
}

static int faulty_char_mmap(struct file *file, struct vm_area_struct *vma)
{
	faulty_char_enter(FAULTY_PROCESS);
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	return vm_insert_page(vma, vma->vm_start, faulty_page);
}

static long faulty_char_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	faulty_char_enter(FAULTY_PROCESS);
	switch (command) {
	case FAULTY_CHAR_CLEAR:
		mutex_lock(&faulty_page_lock);
		clear_page(page_address(faulty_page));
		mutex_unlock(&faulty_page_lock);
		return 0;
	case FAULTY_CHAR_CALLS:
		return put_user(atomic64_read(&faulty_calls), (u64 __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations faulty_char_fops = {
	.owner = THIS_MODULE,
	.open = faulty_char_open,
	.release = faulty_char_release,
	.read = faulty_char_read,
	.write = faulty_char_write,
	.mmap = faulty_char_mmap,
	.unlocked_ioctl = faulty_char_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = default_llseek,
};

static struct miscdevice faulty_misc = {
	.name = "faulty",
	.fops = &faulty_char_fops,
};

static int faulty_char_probe(struct platform_device *device)
{
	faulty_point(FAULTY_PROBE);
	/* The number that it had when it was bound before is no longer its own. */
	faulty_misc.minor = MISC_DYNAMIC_MINOR;
	faulty_misc.parent = &device->dev;
	return misc_register(&faulty_misc);
}

static void faulty_char_remove(struct platform_device *device)
{
	faulty_point(FAULTY_REMOVE);
	misc_deregister(&faulty_misc);
	faulty_finish();
}

static struct platform_driver faulty_char_driver = {
	.driver.name = "faulty_char",
	.probe = faulty_char_probe,
	.remove_new = faulty_char_remove,
};

static int __init faulty_char_init(void)
{
	int err;

	faulty_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!faulty_page)
		return -ENOMEM;
	err = platform_driver_register(&faulty_char_driver);
	if (err)
		__free_page(faulty_page);
	return err;
}

static void __exit faulty_char_exit(void)
{
	platform_driver_unregister(&faulty_char_driver);
	__free_page(faulty_page);
}

module_init(faulty_char_init);
module_exit(faulty_char_exit);

MODULE_DESCRIPTION("Test driver of a character device that fails on command");
MODULE_LICENSE("GPL");
MODULE_ALIAS("platform:faulty_char");
