// SPDX-License-Identifier: GPL-2.0
/* /dev/leaky, for those who hold the driver: it can be opened, asked, read and mapped. */
#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include "leaky.h"
#include "leaky_ioctl.h"

/* A file may stay open when leaky.0 is unbound, so all of it lives as long as the module. */
static struct page *leaky_page;
static atomic_t leaky_open_files = ATOMIC_INIT(0);
static DEFINE_MUTEX(leaky_state_lock);
static u32 leaky_mtu = 1500;
static u64 leaky_mtu_sets;

static int leaky_open(struct inode *inode, struct file *file)
{
	leaky_enter(LEAKY_OPEN);
	atomic_inc(&leaky_open_files);
	return 0;
}

static int leaky_release(struct inode *inode, struct file *file)
{
	leaky_enter(LEAKY_RELEASE);
	atomic_dec(&leaky_open_files);
	return 0;
}

static ssize_t leaky_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	leaky_enter(LEAKY_READ);
	return simple_read_from_buffer(to, len, pos, page_address(leaky_page), PAGE_SIZE);
}

static int leaky_mmap(struct file *file, struct vm_area_struct *vma)
{
	leaky_enter(LEAKY_MMAP);
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	return vm_insert_page(vma, vma->vm_start, leaky_page);
}

static long leaky_set_mtu(const u32 __user *from)
{
	u32 mtu;

	if (get_user(mtu, from))
		return -EFAULT;
	if (mtu < 68 || mtu > 9000)
		return -EINVAL;
	mutex_lock(&leaky_state_lock);
	leaky_mtu = mtu;
	leaky_mtu_sets++;
	mutex_unlock(&leaky_state_lock);
	return 0;
}

static long leaky_get_state(struct leaky_state __user *to)
{
	struct leaky_state state;

	if (copy_from_user(&state, to, sizeof(state)))
		return -EFAULT;
	mutex_lock(&leaky_state_lock);
	state.mtu = leaky_mtu;
	state.sets = leaky_mtu_sets;
	mutex_unlock(&leaky_state_lock);
	state.open = atomic_read(&leaky_open_files);
	return copy_to_user(to, &state, sizeof(state)) ? -EFAULT : 0;
}

static long leaky_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	leaky_enter(LEAKY_IOCTL);
	switch (command) {
	case LEAKY_SET_MTU:
		return leaky_set_mtu((const u32 __user *)arg);
	case LEAKY_GET_STATE:
		return leaky_get_state((struct leaky_state __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations leaky_fops = {
	.owner = THIS_MODULE,
	.open = leaky_open,
	.release = leaky_release,
	.read = leaky_read,
	.mmap = leaky_mmap,
	.unlocked_ioctl = leaky_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = default_llseek,
};

static struct miscdevice leaky_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "leaky",
	.fops = &leaky_fops,
};

int leaky_dev_init(void)
{
	leaky_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	return leaky_page ? 0 : -ENOMEM;
}

void leaky_dev_exit(void)
{
	__free_page(leaky_page);
}

int leaky_dev_register(void)
{
	return misc_register(&leaky_misc);
}

void leaky_dev_unregister(void)
{
	misc_deregister(&leaky_misc);
}
