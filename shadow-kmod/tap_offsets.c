// SPDX-License-Identifier: GPL-2.0
/* Offsets in structures, for tap_entry.S: kbuild makes tap_offsets.h of this. */
#include <linux/kbuild.h>
#include <linux/sched.h>
#include <linux/skbuff.h>

#include "tap.h"

int main(void)
{
	DEFINE(TAP_FUNCTION, offsetof(struct recov_tap, function));
	DEFINE(TAP_STACK_WORDS, offsetof(struct recov_tap, stack_words));
	DEFINE(TAP_IMAGE, offsetof(struct recov_tap, kernel));
	DEFINE(TAP_DRIVERS, offsetof(struct recov_tap, kernel[1]));
	DEFINE(IMAGE_TEXT, offsetof(struct tap_image, text));
	DEFINE(IMAGE_TEXT_SIZE, offsetof(struct tap_image, text_size));
	DEFINE(IMAGE_LOOKED_AT, offsetof(struct tap_image, looked_at));
	DEFINE(IMAGE_LENT, offsetof(struct tap_image, lent));
	DEFINE(RECORD_TAP, offsetof(struct tap_record, tap));
	DEFINE(RECORD_PREEMPT_COUNT, offsetof(struct tap_record, preempt_count));
	DEFINE(RECORD_SAVED, offsetof(struct tap_record, r15));
	DEFINE(RECORD_CALLER, offsetof(struct tap_record, caller));
	DEFINE(RECORD_SIZE,
	       sizeof(struct tap_record)); /* to where the stack is when the call has ended */
	DEFINE(TAP_MAGIC, TAP_MAGIC);
	DEFINE(TAP_GAP, TAP_GAP);
	DEFINE(TAP_GUARD, TAP_GUARD);
	DEFINE(SKB_SK, offsetof(struct sk_buff, sk));
	DEFINE(TASK_RCU_NESTING, offsetof(struct task_struct, rcu_read_lock_nesting));
	DEFINE(TASK_PAGEFAULT_DISABLED, offsetof(struct task_struct, pagefault_disabled));
	return 0;
}
