/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of leaky share: a request, the truth about it, and what they make mistakes on. */
#ifndef LEAKY_H
#define LEAKY_H

#include <linux/interrupt.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/types.h>

/* What an observer should have seen of a request; the parameter `last` shows it as JSON. */
struct leaky_truth {
	const char *site; /* the function that contains the call */
	u64 object;	  /* the address or number by which the kernel knows it */
	size_t size;
	unsigned long count;
	unsigned long ms;
	char name[64];
	const char *also; /* the class of a second leak with the same object and site */
};

enum {
	LEAKY_ARGS = 2
};

/* One row a request; the tables are what there is to document. */
struct leaky_request {
	const char *verb;
	const char *class; /* NULL: the verb has none */
	int (*make)(struct leaky_truth *truth, const unsigned long *args);
	unsigned int args;     /* how many numbers come behind it */
	unsigned int optional; /* how many more may come, 0 when left out */
	const char *says;      /* what the kernel prints because of it: an extended regex */
	bool warns;	       /* it is a WARN() or worse, and taints the kernel */
	const char *when;      /* not at once, but at this */
};

/* leaky_request.c; a list of tables, all of which end with an empty row. */
extern const struct leaky_request *const leaky_tables[];
extern struct mutex leaky_lock; /* a request is being made, or a device comes or goes */
int leaky_done(struct leaky_truth *truth, const char *site, u64 object);
void leaky_requests_end(void);

/* The tables. */
extern const struct leaky_request leaky_leak_memory[];
extern const struct leaky_request leaky_leak_bus[];
extern const struct leaky_request leaky_leak_kernel[];
extern const struct leaky_request leaky_bad[];
extern const struct leaky_request leaky_busy[];
extern const struct leaky_request leaky_crash[];

/* leaky_main.c: the device leaky.0, there for as long as the module, bound or not. */
extern struct platform_device *leaky_device;
extern int leaky_soft_irq; /* a line without hardware, negative when leaky.0 is not bound */
irqreturn_t leaky_interrupt(void);

/* leaky_edu.c: under leaky_lock; NULL when there is no device or it is not bound. */
struct pci_dev *leaky_edu_device(void);
bool leaky_edu_interrupts(void);
void leaky_edu_raise(void);
int leaky_edu_register(void);
void leaky_edu_unregister(void);

/* leaky_dev.c: /dev/leaky. */
int leaky_dev_init(void);
void leaky_dev_exit(void);
int leaky_dev_register(void);
void leaky_dev_unregister(void);

/* leaky_busy.c */
enum leaky_entry {
	LEAKY_IRQ,
	LEAKY_TIMER,
	LEAKY_WORK,
	LEAKY_OPEN,
	LEAKY_RELEASE,
	LEAKY_READ,
	LEAKY_MMAP,
	LEAKY_IOCTL,
	LEAKY_PROBE,
	LEAKY_ENTRIES
};

void leaky_enter(enum leaky_entry entry); /* counts it, and hangs when asked to */
void leaky_calm_irq(void);
void leaky_calm(void);

#endif
