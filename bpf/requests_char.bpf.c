// SPDX-License-Identifier: GPL-2.0
/* What is asked of the files of character devices. */
#include "entry.h"

#define IOC_WRITE(command) ((command) >> 30 & 1)
#define IOC_SIZE(command)  ((command) >> 16 & 0x3fff)

#define FIONBIO	 0x5421
#define FIONCLEX 0x5450
#define FIOCLEX	 0x5451

static __always_inline int slot_of_file(struct file *file)
{
	return slot_of_module(BPF_CORE_READ(file, f_op, owner));
}

/* Whose file it is shows only when it is open: the device's numbers lead there by several ways. */
SEC("fentry/chrdev_open")
int BPF_PROG(on_open)
{
	if (state.span.end)
		entry_begin(RECOV_WATCH_MAX, RECOV_ENTRY_OPEN, 0, 0);
	return 0;
}

SEC("fexit/chrdev_open")
int BPF_PROG(on_opened, void *inode, struct file *file, int ret)
{
	int slot = slot_of_file(file);

	if (!state.span.end)
		return 0;
	entry_end(slot < 0 ? RECOV_WATCH_MAX : slot, RECOV_ENTRY_OPEN, ret);
	request_log(&(struct request){
		.slot = slot, .kind = RECOV_ENTRY_OPEN, .object = (u64)file, .result = ret});
	return 0;
}

/* These the kernel answers for the driver. */
static __always_inline bool is_for_kernel(u32 command)
{
	return command == FIONBIO || command == FIONCLEX || command == FIOCLEX;
}

/* Asked is a number or, where the size in the command says so, what it points to. */
static __always_inline void ioctl_begin(struct file *file, u32 command, u64 argument)
{
	bool pointer = IOC_WRITE(command) && IOC_SIZE(command);
	int slot = slot_of_file(file);

	if (slot < 0 || is_for_kernel(command))
		return;
	request_ask(&(struct request){.slot = slot,
				      .kind = RECOV_ENTRY_IOCTL,
				      .object = (u64)file,
				      .what = command,
				      .data = pointer ? (void *)argument : &argument,
				      .size = pointer ? IOC_SIZE(command) : sizeof(argument),
				      .user = pointer});
	entry_begin(slot, RECOV_ENTRY_IOCTL, 0, 0);
}

/* Where the system call asks whether it is allowed: vfs_ioctl() is a part of it in 6.1. */
SEC("fentry/security_file_ioctl")
int BPF_PROG(on_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	ioctl_begin(file, command, argument);
	return 0;
}

SEC("fentry/security_file_ioctl_compat")
int BPF_PROG(on_compat_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	ioctl_begin(file, command, argument);
	return 0;
}

static __always_inline void ioctl_end(long ret)
{
	if (!state.span.end)
		return;
	entry_end(-1, RECOV_ENTRY_IOCTL, ret);
	request_done(RECOV_ENTRY_IOCTL, ret);
}

SEC("fexit/__x64_sys_ioctl")
int BPF_PROG(on_ioctl_done, void *regs, long ret)
{
	ioctl_end(ret);
	return 0;
}

SEC("fexit/__ia32_compat_sys_ioctl")
int BPF_PROG(on_compat_ioctl_done, void *regs, long ret)
{
	ioctl_end(ret);
	return 0;
}

/* What a file was asked for ends with it. */
SEC("fentry/__fput")
int BPF_PROG(on_close, struct file *file)
{
	int slot = slot_of_file(file);
	u64 object = (u64)file;

	if (slot < 0)
		return 0;
	requests_forget_file(&object, slot);
	entry_begin(slot, RECOV_ENTRY_RELEASE, 0, 0);
	return 0;
}

SEC("fexit/__fput")
int BPF_PROG(on_closed, struct file *file)
{
	if (state.span.end)
		entry_end(-1, RECOV_ENTRY_RELEASE, 0);
	return 0;
}
