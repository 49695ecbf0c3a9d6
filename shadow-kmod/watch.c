// SPDX-License-Identifier: GPL-2.0
/*
 * Notices calls into armed drivers that do not end. Each CPU looks at what it was interrupted in, ten
 * times a second. One that does not get there any more has interrupts off: another CPU sends it NMIs
 * to look in. Where none is left to do so, an NMI from elsewhere does it, as a hardware watchdog's, unless
 * its driver panics.
 */
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/apic.h>
#include <asm/irq_regs.h>
#include <asm/nmi.h>

#include "trap.h"

#define PERIOD_MS  100
#define SUSPECT_MS 20  /* while it is in a driver */
#define SILENCE_MS 250 /* after that a CPU is sent NMIs */
#define SUSPECT_NS (SUSPECT_MS * NSEC_PER_MSEC)
#define SILENCE_NS (SILENCE_MS * NSEC_PER_MSEC)
#define CALL_NS	   ((PERIOD_MS - SUSPECT_MS) * NSEC_PER_MSEC) /* between two NMIs, at least */
#define LATE_NS	   (10 * NSEC_PER_SEC) /* an NMI of another CPU may come so long after it was sent */
#define NMI_NAME   "recov_shadow"
#define IRET_WORDS 5

/*
 * After so many looks, SUSPECT_MS apart, a call is taken to have no end. A CPU of a machine that is
 * emulated, or has to wait for its turn, may be with its device for seconds.
 */
enum {
	LOOKS_SILENT = 30,     /* with interrupts off, and after the silence */
	LOOKS_TIGHT = 35,      /* in the driver's own code */
	LOOKS_ELSEWHERE = 100, /* in functions of the kernel as well */
	LOOKS_POLITE = 500,    /* when others could have the CPU meanwhile */
	LOOKS_ENDING = 100,    /* more, and it ends in the middle of a function of the kernel */
	LOOKS_NMI = PERIOD_MS / SUSPECT_MS, /* as many an NMI of another CPU counts for */
	LOOKS_MAX = U16_MAX
};

struct watch {
	struct hrtimer timer;
	u64 beat_ns;		  /* when it was last here; 0: it is not looked after */
	u32 called;		  /* NMIs that are its own, */
	bool was_silent;	  /* or the last one came because it was silent */
	u64 called_ns, looked_ns; /* when it was called, or looked into then */
};

static DEFINE_PER_CPU(struct watch, watches);

/* A task that could be preempted is asked to let others have the CPU. True: it has done so. */
static bool is_preempted(unsigned int context)
{
	bool preempted = !test_tsk_need_resched(current);

	if (context)
		return false;
	set_tsk_need_resched(current);
	set_preempt_need_resched();
	return preempted;
}

/* How often it was seen in this call by now. silent: for as many looks it could not be, or 0. */
static unsigned int count_look(struct tap_watch *watch, const struct tap_image *image,
			       const struct pt_regs *regs, unsigned int context,
			       unsigned int silent)
{
	bool elsewhere = !tap_is_in(image, regs->ip);
	bool preempted = !silent && is_preempted(context);
	u8 switches = current->nvcsw;

	if (watch->switches != switches && !(watch->seen & TAP_SEEN_ENDING))
		*watch = (struct tap_watch){.switches = switches};
	/* At the first look it has not been asked yet. */
	if ((watch->looks && preempted) || (elsewhere && !context && !silent))
		watch->seen |= TAP_SEEN_POLITE;
	if (elsewhere)
		watch->seen |= TAP_SEEN_ELSEWHERE;
	watch->looks = min_t(unsigned int, watch->looks + (silent ?: 1), LOOKS_MAX);
	return watch->looks;
}

static unsigned int limit_of(const struct tap_watch *watch, bool silent)
{
	if (watch->seen & TAP_SEEN_ENDING)
		return LOOKS_ENDING;
	if (silent)
		return LOOKS_SILENT;
	if (watch->seen & TAP_SEEN_POLITE)
		return LOOKS_POLITE;
	return watch->seen & TAP_SEEN_ELSEWHERE ? LOOKS_ELSEWHERE : LOOKS_TIGHT;
}

/* A function of the kernel is to end before its call does, if it can. */
static bool end_behind_kernel(struct pt_regs *regs, struct tap_record *record)
{
	unsigned long *slot;

	if (record->watch.seen & TAP_SEEN_ENDING || tap_is_in(tap_image(record->tap), regs->ip))
		return false;
	slot = trap_find_return(regs, tap_image(record->tap));
	if (!slot)
		return false;
	*slot = (unsigned long)recov_tap_end;
	record->watch.seen = TAP_SEEN_ENDING;
	record->watch.looks = 0;
	return true;
}

/* context: preempt_count() of what was interrupted. True: that is a call; the registers may have been
 * changed. */
static bool look(struct pt_regs *regs, unsigned int context, unsigned int silent)
{
	struct fault fault = {.cause = RECOV_FAULT_HANG, .context = context};
	struct tap_record *record;
	struct tap_watch *watch;
	bool noted;

	if (user_mode(regs))
		return false;
	record = trap_find(regs, &fault);
	if (!record)
		return false;
	watch = &record->watch;
	noted = watch->seen & TAP_SEEN_ENDING;
	if (count_look(watch, tap_image(record->tap), regs, context, silent) <
	    limit_of(watch, silent))
		return true;
	if (!noted) {
		fault.error = watch->looks * SUSPECT_MS + (silent ? SILENCE_MS : 0);
		fault_note(record, regs, &fault);
		if (end_behind_kernel(regs, record))
			return true;
	}
	trap_redirect(regs, record);
	return true;
}

/* ---- the looks ---- */

/* True: the CPU was in a call. */
static bool look_from_nmi(struct pt_regs *regs, unsigned int looks)
{
	unsigned long *iret = (unsigned long *)(regs + 1);
	unsigned long *frame = &regs->ip;
	bool called;

	/*
	 * With interrupts on it had just been held up, by the host of a virtual machine for one.
	 * arch/x86/entry/entry_64.S, asm_exc_nmi: it returns by a copy of the registers' last words
	 * that lies behind them, and by these after another NMI came in between.
	 */
	if (user_mode(regs) || regs->flags & X86_EFLAGS_IF ||
	    memcmp(frame, iret, IRET_WORDS * sizeof(*iret)))
		return false;
	called = look(regs, preempt_count() - NMI_OFFSET - HARDIRQ_OFFSET, looks);
	memcpy(iret, frame, IRET_WORDS * sizeof(*iret));
	return called;
}

/* Nobody else is there who would send NMIs. */
static bool is_alone(u64 now_ns)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (cpu != smp_processor_id() &&
		    now_ns < READ_ONCE(per_cpu(watches, cpu).beat_ns) + SILENCE_NS)
			return false;
	return true;
}

/* An NMI from elsewhere may be the only one that comes. How long the call has taken is not known, but for
 * how long the CPU has come to nothing else. */
static bool look_if_silent(struct watch *watch, struct pt_regs *regs, u64 now_ns)
{
	u64 from_ns = watch->beat_ns + SILENCE_NS;

	if (!watch->beat_ns || now_ns < from_ns + LOOKS_SILENT * SUSPECT_NS || !is_alone(now_ns))
		return false;
	from_ns = max(from_ns, watch->looked_ns);
	watch->looked_ns = now_ns;
	return look_from_nmi(regs,
			     clamp_t(u64, div_u64(now_ns - from_ns, SUSPECT_NS), 1, LOOKS_MAX));
}

/* The first of the handlers of each NMI. Whether it was for a call is told once it is nobody else's. */
static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	struct watch *watch = this_cpu_ptr(&watches);
	u64 now_ns = ktime_get_mono_fast_ns();

	/* One that did not come for a call of another CPU is not waited for any more. */
	if (!READ_ONCE(watch->called) || now_ns > READ_ONCE(watch->called_ns) + SILENCE_NS) {
		watch->was_silent = look_if_silent(watch, regs, now_ns);
		return NMI_DONE;
	}
	WRITE_ONCE(watch->called, watch->called - 1);
	look_from_nmi(regs, LOOKS_NMI);
	return NMI_HANDLED;
}

/* An emulated CPU that has to wait for its turn may get one of ours when it is not waited for any more; that
 * has been seen. The kernel would say that it is nobody's, or panic if it is told to. */
static int on_unknown_nmi(unsigned int type, struct pt_regs *regs)
{
	const struct watch *watch = this_cpu_ptr(&watches);
	u64 called_ns = READ_ONCE(watch->called_ns);
	bool late = called_ns && ktime_get_mono_fast_ns() < called_ns + LATE_NS;

	return watch->was_silent || late ? NMI_HANDLED : NMI_DONE;
}

/* The next CPU, and those behind it that nobody else looks after. */
static void look_after_others(u64 now_ns)
{
	unsigned int self = smp_processor_id(), cpu;

	for_each_cpu_wrap(cpu, cpu_online_mask, self + 1) {
		struct watch *watch = per_cpu_ptr(&watches, cpu);
		u64 beat_ns = READ_ONCE(watch->beat_ns);

		if (cpu == self || !beat_ns || now_ns < beat_ns + SILENCE_NS)
			break;
		/* Each counts for as many looks, however often this CPU is here. */
		if (now_ns < READ_ONCE(watch->called_ns) + CALL_NS)
			continue;
		/* One may come for the last call between this and its own. */
		WRITE_ONCE(watch->called_ns, now_ns);
		WRITE_ONCE(watch->called, 2);
		apic->send_IPI(cpu, NMI_VECTOR);
	}
}

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct watch *watch = container_of(timer, struct watch, timer);
	struct pt_regs *regs = get_irq_regs();
	u64 now_ns = ktime_get_mono_fast_ns();
	unsigned int ms;
	bool suspect;

	WRITE_ONCE(watch->beat_ns, now_ns);
	look_after_others(now_ns);
	suspect = regs && look(regs, preempt_count() - HARDIRQ_OFFSET, 0);
	ms = storm_look(suspect ? NULL : regs, now_ns);
	/* Not from when it was due: one that is late would be followed by one that is early. */
	hrtimer_set_expires(timer, ktime_add_ms(hrtimer_cb_get_time(timer),
						suspect ? SUSPECT_MS : ms ?: PERIOD_MS));
	return HRTIMER_RESTART;
}

/* ---- of each CPU ---- */

static int watch_cpu(unsigned int cpu)
{
	struct watch *watch = per_cpu_ptr(&watches, cpu);

	hrtimer_init(&watch->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	watch->timer.function = on_timer;
	hrtimer_start(&watch->timer, ms_to_ktime(PERIOD_MS), HRTIMER_MODE_REL_PINNED_HARD);
	return 0;
}

static int unwatch_cpu(unsigned int cpu)
{
	struct watch *watch = per_cpu_ptr(&watches, cpu);

	hrtimer_cancel(&watch->timer);
	storm_stop(cpu);
	WRITE_ONCE(watch->beat_ns, 0);
	return 0;
}

static enum cpuhp_state state;

int watch_start(void)
{
	int err;

	err = register_nmi_handler(NMI_LOCAL, on_nmi, 0, NMI_NAME);
	if (err)
		return err;
	err = register_nmi_handler(NMI_UNKNOWN, on_unknown_nmi, 0, NMI_NAME);
	if (err)
		goto unregister_local;
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "recov_shadow:watch", watch_cpu, unwatch_cpu);
	if (err < 0)
		goto unregister_unknown;
	state = err;
	return 0;

unregister_unknown:
	unregister_nmi_handler(NMI_UNKNOWN, NMI_NAME);
unregister_local:
	unregister_nmi_handler(NMI_LOCAL, NMI_NAME);
	return err;
}

/* No armed driver is loaded. */
void watch_stop(void)
{
	cpuhp_remove_state(state);
	unregister_nmi_handler(NMI_UNKNOWN, NMI_NAME);
	unregister_nmi_handler(NMI_LOCAL, NMI_NAME);
}
