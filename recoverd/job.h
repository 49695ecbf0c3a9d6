/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker process does. Whatever reads foreign images or enters the kernel where a driver
 * may hang runs here, so that neither can stop or kill the daemon.
 */
#ifndef RECOVERD_JOB_H
#define RECOVERD_JOB_H

#include "../replug/replug.h"
#include "intent.h"

enum job_kind {
	JOB_LOOK,	   /* the shadow module and the machine's swap */
	JOB_MATCH,	   /* the devices of some drivers, and whether each can be carried over */
	JOB_PLAN,	   /* what a swap would do, or why not */
	JOB_SWAP,	   /* plan, wait for "go", swap */
	JOB_FINISH,	   /* end the interrupted swap of an intent */
	JOB_HOLDERS,	   /* who holds a driver, with or without the shadow module */
	JOB_LOAD_PROGRAMS, /* a group of BPF programs */
	JOB_UNLOAD_PROGRAMS,
};

/* What a swap puts in. */
enum job_target {
	TARGET_INSTALLED, /* or the image that is named */
	TARGET_LOADED,	  /* what is loaded, once more */
	TARGET_ARMED,	  /* what is loaded, armed */
	TARGET_DISARMED,  /* what is installed, in place of an armed one */
	TARGET_ALIKE,	  /* the image that is named, armed if what is loaded is */
};

/* Everything is borrowed, and copied to the worker by fork(2). */
struct job {
	enum job_kind kind;
	const char *driver;
	enum job_target target;
	const char *image;	  /* NULL: as the target says */
	const char *kept_dir;	  /* of images that are loaded but not installed */
	const char *parameters;	  /* of the driver, besides modprobe's; NULL: none */
	bool without_devices;	  /* swap it even if no device is bound to it */
	uint32_t leave_out;	  /* JOB_SWAP: as in struct replug_options */
	const char *leave_out_of; /* likewise */
	uint32_t drain_ms, deadline_ms, link_ms;
	const char *const *drivers;  /* JOB_MATCH; ends with NULL */
	const struct intent *intent; /* JOB_FINISH */
	bool undo;		     /* JOB_FINISH: back to the old images */
	bool untrusted;		     /* JOB_SWAP: the driver that is taken out is not called */
	unsigned group;		     /* JOB_*LOAD_PROGRAMS: enum program_group */
};

/* The whole life of a worker; fd: its connection to the daemon. Returns its exit status. */
int job_run(const struct job *job, int fd);

#endif
