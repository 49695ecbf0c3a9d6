// SPDX-License-Identifier: GPL-2.0
/* The misc device: an open file is a session, its ioctls are the verbs of recov_shadow.h. */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "inject.h"
#include "release.h"
#include "shadow.h"
#include "trap.h"

struct recov_session {
	struct mutex lock;	      /* the fields below */
	struct recov_device *matched; /* result of the last MATCH */
	u32 n_matched;
	unsigned int events_seen;
	u64 faults_seen;
};

static int session_open(struct inode *inode, struct file *file)
{
	struct recov_session *s;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	s->events_seen = swap_events();
	file->private_data = s;
	return 0;
}

static int session_release(struct inode *inode, struct file *file)
{
	struct recov_session *s = file->private_data;

	swap_owner_gone(s);
	kvfree(s->matched);
	kfree(s);
	return 0;
}

/* A string from user space has to end within its array and not be empty. */
static bool string_ok(const char *string, size_t size)
{
	return string[0] && strnlen(string, size) < size;
}

static long session_info(void __user *arg)
{
	struct recov_info info;

	swap_info(&info);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long session_match(struct recov_session *s, void __user *arg)
{
	struct recov_device *devices;
	struct recov_match match;
	u32 n;
	int err;

	if (copy_from_user(&match, arg, sizeof(match)))
		return -EFAULT;
	if (match.devices || match.pad || !string_ok(match.driver, sizeof(match.driver)))
		return -EINVAL;
	err = swap_match(match.driver, &devices, &n);
	if (err)
		return err;
	mutex_lock(&s->lock);
	swap(s->matched, devices);
	s->n_matched = n;
	mutex_unlock(&s->lock);
	kvfree(devices);
	match.devices = n;
	return copy_to_user(arg, &match, sizeof(match)) ? -EFAULT : 0;
}

static long session_device(struct recov_session *s, void __user *arg)
{
	struct recov_device *device;
	u32 in[2];
	int err = 0;

	if (copy_from_user(in, arg, sizeof(in)))
		return -EFAULT;
	if (in[1] & ~RECOV_DEVICE_OF_SWAP)
		return -EINVAL;
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	if (in[1] & RECOV_DEVICE_OF_SWAP) {
		s->events_seen = swap_events();
		err = swap_device(in[0], device);
	} else {
		mutex_lock(&s->lock);
		if (in[0] < s->n_matched)
			*device = s->matched[in[0]];
		else
			err = -ENOENT;
		mutex_unlock(&s->lock);
	}
	device->flags = in[1];
	if (!err && copy_to_user(arg, device, sizeof(*device)))
		err = -EFAULT;
	kfree(device);
	return err;
}

static long session_symbol(void __user *arg)
{
	struct recov_symbol symbol;
	int err;

	if (copy_from_user(&symbol, arg, sizeof(symbol)))
		return -EFAULT;
	if (!string_ok(symbol.name, sizeof(symbol.name)))
		return -EINVAL;
	err = ksym_export(&symbol);
	if (err)
		return err;
	return copy_to_user(arg, &symbol, sizeof(symbol)) ? -EFAULT : 0;
}

static long session_fault(struct recov_session *s, void __user *arg)
{
	struct recov_fault *fault;
	u64 seq;
	int err;

	if (get_user(seq, (u64 __user *)arg))
		return -EFAULT;
	fault = kzalloc(sizeof(*fault), GFP_KERNEL);
	if (!fault)
		return -ENOMEM;
	err = fault_get(seq, fault);
	if (!err)
		WRITE_ONCE(s->faults_seen, max(s->faults_seen, seq));
	if (err == -EOVERFLOW && put_user(fault->seq, (u64 __user *)arg))
		err = -EFAULT;
	if (!err && copy_to_user(arg, fault, sizeof(*fault)))
		err = -EFAULT;
	kfree(fault);
	return err;
}

static long session_armed(void __user *arg)
{
	struct recov_armed armed;
	int err;

	if (copy_from_user(&armed, arg, sizeof(armed)))
		return -EFAULT;
	if (armed.flags & ~(RECOV_ARMED_TRUST | RECOV_ARMED_DISTRUST | RECOV_ARMED_RELEASE |
			    RECOV_ARMED_FAIL) ||
	    armed.pad || !string_ok(armed.driver, sizeof(armed.driver)))
		return -EINVAL;
	err = tap_armed(&armed);
	if (err)
		return err;
	return copy_to_user(arg, &armed, sizeof(armed)) ? -EFAULT : 0;
}

static long session_released(void __user *arg)
{
	struct recov_released released;

	release_report(&released);
	return copy_to_user(arg, &released, sizeof(released)) ? -EFAULT : 0;
}

static long session_arm(struct recov_session *s, void __user *arg)
{
	struct recov_arm arm;

	if (copy_from_user(&arm, arg, sizeof(arm)))
		return -EFAULT;
	if (arm.flags || !string_ok(arm.driver, sizeof(arm.driver)) ||
	    strnlen(arm.device, sizeof(arm.device)) == sizeof(arm.device) ||
	    arm.leave_out & (~0u << RECOV_SETTING_COUNT | BIT(RECOV_SETTING_NONE)) ||
	    (arm.leave_out && !arm.device[0]) || !arm.deadline_ms ||
	    arm.deadline_ms > RECOV_DEADLINE_MAX_MS || arm.drain_ms > RECOV_DRAIN_MAX_MS)
		return -EINVAL;
	return swap_arm(s, &arm);
}

static long session_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct recov_session *s = file->private_data;
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case RECOV_IOC_INFO:
		return session_info(p);
	case RECOV_IOC_MATCH:
		return session_match(s, p);
	case RECOV_IOC_DEVICE:
		return session_device(s, p);
	case RECOV_IOC_SYMBOL:
		return session_symbol(p);
	case RECOV_IOC_FAULT:
		return session_fault(s, p);
	case RECOV_IOC_ARMED:
		return session_armed(p);
	case RECOV_IOC_ARM:
		return session_arm(s, p);
	case RECOV_IOC_HOLD:
		return swap_hold(s);
	case RECOV_IOC_REPLAY:
		return swap_replay(s);
	case RECOV_IOC_RESUME:
		return swap_resume(s);
	case RECOV_IOC_ABANDON:
		return swap_abandon(s);
	case RECOV_IOC_RELEASED:
		return session_released(p);
	case RECOV_IOC_RELEASE:
		return swap_release(s);
	case RECOV_IOC_TAKE:
		return swap_take(s);
	}
	return inject_ioctl(cmd, p);
}

static __poll_t session_poll(struct file *file, poll_table *wait)
{
	struct recov_session *s = file->private_data;

	poll_wait(file, swap_wait_queue(), wait);
	poll_wait(file, fault_wait_queue(), wait);
	return (READ_ONCE(s->events_seen) != swap_events() ? EPOLLIN | EPOLLRDNORM : 0) |
	       (READ_ONCE(s->faults_seen) != fault_last() ? EPOLLPRI : 0);
}

static const struct file_operations session_fops = {
	.owner = THIS_MODULE,
	.open = session_open,
	.release = session_release,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = session_poll,
};

static struct miscdevice session_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "recov_shadow",
	.fops = &session_fops,
	.mode = 0600,
};

int __init session_init(void)
{
	return misc_register(&session_misc);
}

void session_uninit(void)
{
	misc_deregister(&session_misc);
}
