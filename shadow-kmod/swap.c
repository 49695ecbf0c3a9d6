// SPDX-License-Identifier: GPL-2.0
/* The machine's one swap: its slots, their states, the owner, the deadline, and letting go. */
#include <linux/device/bus.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "release.h"
#include "shadow.h"
#include "tap.h"

#define TICK_MS	      20   /* between looks at devices that are being let go */
#define LINK_LIMIT_MS 6000 /* for a device that was usable to be so again */
#define BUSES_MAX     4	   /* that one driver module may sit on */

struct bus_watch {
	struct notifier_block nb;
	struct bus_type *bus;
};

struct swap {
	char driver[RECOV_NAME_LEN];
	const struct recov_class *class;
	const struct recov_session *owner;
	pid_t owner_pid;
	enum recov_swap_state state;
	bool letting_go;		  /* the kernel ends it by itself */
	const struct task_struct *caller; /* of the driver, now; compared only */
	unsigned int drain_ms;
	u64 deadline_ns;
	u32 n_slots;
	struct list_head slots;
	struct bus_watch watches[BUSES_MAX];
	unsigned int n_watches;
};

static const struct recov_class *const classes[] = {&net_class};

static DEFINE_MUTEX(swap_mutex); /* all below; taken before any class's locks */
static struct swap *swap;
static u32 swaps_begun;
static struct recov_device *last_devices; /* of the swap that ended last */
static u32 n_last_devices;

static struct list_head *published_slots; /* for hooks and twins; under RCU */
static atomic_t events = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(events_wait);

static void swap_tick(struct work_struct *work);
static void swap_end(struct work_struct *work);
static void swap_cut(struct work_struct *work);
static DECLARE_DELAYED_WORK(tick_work, swap_tick);
static DECLARE_DELAYED_WORK(cut_work, swap_cut); /* as long as there is a swap */
static DECLARE_WORK(end_work, swap_end);

unsigned int swap_events(void)
{
	return atomic_read(&events);
}

wait_queue_head_t *swap_wait_queue(void)
{
	return &events_wait;
}

struct list_head *recov_swap_slots(void)
{
	return READ_ONCE(published_slots);
}

/* ---- slots ---- */

void recov_slot_mark(struct recov_slot *slot, enum recov_mark mark)
{
	slot->mark_ns[mark] = ktime_get_ns();
	atomic_inc(&events);
	wake_up_all(&events_wait);
}

bool recov_slot_move(struct recov_slot *slot, int from, int to)
{
	static const s8 marks[RECOV_DEV_STATES] = {
		[RECOV_DEV_LIVE] = RECOV_MARK_RESUMED,
		[RECOV_DEV_HELD] = RECOV_MARK_HELD,
		[RECOV_DEV_DETACHED] = RECOV_MARK_DETACHED,
		[RECOV_DEV_KEPT] = RECOV_MARK_KEPT,
		[RECOV_DEV_PROBING] = RECOV_MARK_PROBING,
		[RECOV_DEV_ADOPTED] = RECOV_MARK_ADOPTED,
		[RECOV_DEV_REGISTERED] = RECOV_MARK_REGISTERED,
		[RECOV_DEV_BOUND] = RECOV_MARK_BOUND,
		[RECOV_DEV_REPLAYED] = RECOV_MARK_REPLAYED,
		[RECOV_DEV_RELEASED] = RECOV_MARK_RESUMED,
	};

	if (!atomic_try_cmpxchg(&slot->state, &from, to))
		return false;
	recov_slot_mark(slot, marks[to]);
	return true;
}

int swap_match(const char *driver, struct recov_device **ret_devices, u32 *ret_n)
{
	struct recov_device *devices;
	struct recov_slot *slot;
	LIST_HEAD(slots);
	unsigned int i;
	int err = 0;
	u32 n;

	if (!ksym_module_loaded(driver))
		return -ENOENT;
	mutex_lock(&swap_mutex); /* match() looks at the slots of a swap under way */
	for (i = 0; i < ARRAY_SIZE(classes) && !err; i++)
		err = classes[i]->match(driver, &slots, true);
	mutex_unlock(&swap_mutex);
	list_for_each_entry(slot, &slots, list)
		slot->done = true; /* no swap holds these devices: they may go at any time */
	if (!err) {
		n = recov_slots_describe(&slots, &devices);
		if (devices) {
			*ret_devices = devices;
			*ret_n = n;
		} else {
			err = -ENOMEM;
		}
	}
	recov_slots_free(&slots);
	return err;
}

/* ---- a driver binds to a slot's parent ---- */

static int swap_bus_event(struct notifier_block *nb, unsigned long action, void *data)
{
	struct list_head *slots = recov_swap_slots();
	struct recov_slot *slot;

	if (!slots)
		return NOTIFY_DONE;
	list_for_each_entry_rcu(slot, slots, list, true) {
		if (slot->parent != data)
			continue;
		switch (action) {
		case BUS_NOTIFY_BIND_DRIVER:
			slot->class->adopt_begin(slot);
			break;
		case BUS_NOTIFY_BOUND_DRIVER:
			slot->class->adopt_end(slot, true);
			break;
		case BUS_NOTIFY_DRIVER_NOT_BOUND:
			slot->class->adopt_end(slot, false);
			break;
		case BUS_NOTIFY_REMOVED_DEVICE:
			/* Before the parent leaves sysfs, and all below it with it. */
			WRITE_ONCE(slot->gone, true);
			slot->class->abandon(slot);
			break;
		}
	}
	return NOTIFY_DONE;
}

static int swap_watch_buses(struct swap *s)
{
	struct recov_slot *slot;
	unsigned int i;
	int err;

	list_for_each_entry(slot, &s->slots, list) {
		struct bus_type *bus = (struct bus_type *)slot->parent->bus;

		for (i = 0; i < s->n_watches; i++)
			if (s->watches[i].bus == bus)
				break;
		if (i < s->n_watches)
			continue;
		if (i == BUSES_MAX || !bus)
			return -EOPNOTSUPP;
		s->watches[i].bus = bus;
		s->watches[i].nb.notifier_call = swap_bus_event;
		err = bus_register_notifier(bus, &s->watches[i].nb);
		if (err)
			return err;
		s->n_watches++;
	}
	return 0;
}

static void swap_unwatch_buses(struct swap *s)
{
	while (s->n_watches) {
		s->n_watches--;
		bus_unregister_notifier(s->watches[s->n_watches].bus, &s->watches[s->n_watches].nb);
	}
}

/* ---- the swap ---- */

/* All devices are served or gone: take the hooks out, outside of anybody's pause. */
static void swap_end(struct work_struct *work)
{
	struct recov_device *devices;
	struct swap *s = swap;
	u32 n;

	cancel_delayed_work_sync(&tick_work);
	cancel_delayed_work_sync(&cut_work);
	swap_unwatch_buses(s);
	recov_hooks_disarm();

	mutex_lock(&swap_mutex);
	WRITE_ONCE(published_slots, NULL);
	synchronize_rcu();
	n = recov_slots_describe(&s->slots, &devices);
	kvfree(last_devices);
	last_devices = devices;
	n_last_devices = n;
	recov_slots_free(&s->slots);
	kfree(s);
	swap = NULL;
	mutex_unlock(&swap_mutex);

	atomic_inc(&events);
	wake_up_all(&events_wait);
	module_put(THIS_MODULE);
}

static void swap_let_go(void)
{
	swap->owner = NULL;
	swap->owner_pid = 0;
	swap->letting_go = true;
	mod_delayed_work(system_wq, &tick_work, 0);
}

static bool slots_finish(struct list_head *slots)
{
	struct recov_slot *slot;
	bool finished = true;

	list_for_each_entry(slot, slots, list)
		finished &= slot->class->finish(slot);
	return finished;
}

static void swap_begin_end(void)
{
	if (!slots_finish(&swap->slots)) {
		swap_let_go(); /* a driver has just been unloaded again */
		return;
	}
	swap->owner = NULL;
	swap->owner_pid = 0;
	swap->state = RECOV_SWAP_ENDING;
	schedule_work(&end_work);
}

static bool slot_wait_over(const struct recov_slot *slot)
{
	return !slot->link_before || slot->class->usable(slot) ||
	       time_after(jiffies, slot->link_limit);
}

/* Brings one device nearer to its end without an owner. True while there is more to do. */
static bool slot_let_go(struct recov_slot *slot, bool expired)
{
	switch (recov_slot_state(slot)) {
	case RECOV_DEV_LIVE:
	case RECOV_DEV_RELEASED:
		return false;
	case RECOV_DEV_HELD:
	case RECOV_DEV_BOUND:
		if (slot->class->replay(slot))
			slot->class->resume(slot); /* alive, but down */
		else
			slot->link_limit = jiffies + msecs_to_jiffies(LINK_LIMIT_MS);
		return true;
	case RECOV_DEV_REPLAYED:
		if (slot_wait_over(slot))
			slot->class->resume(slot);
		return true;
	case RECOV_DEV_KEPT:
		if (expired || READ_ONCE(slot->gone)) {
			pr_warn("recov_shadow: %s: no driver came back in time, unregistering\n",
				slot->object_name);
			slot->class->abandon(slot);
		}
		return true;
	}
	if (expired)
		recov_slot_fail(slot, -ETIMEDOUT, "its driver's remove() or probe() does not end");
	return true;
}

static void swap_tick(struct work_struct *work)
{
	struct recov_slot *slot;
	bool expired, more = false;
	u64 now;

	mutex_lock(&swap_mutex);
	if (!swap || swap->state == RECOV_SWAP_ENDING)
		goto out;
	now = ktime_get_ns();
	expired = now >= swap->deadline_ns;
	if (expired && !swap->letting_go) {
		pr_warn("recov_shadow: %s: the swap's deadline has passed\n", swap->driver);
		swap->owner = NULL;
		swap->owner_pid = 0;
		swap->letting_go = true;
	}
	if (!swap->letting_go) {
		schedule_delayed_work(&tick_work, nsecs_to_jiffies(swap->deadline_ns - now) + 1);
		goto out;
	}
	WRITE_ONCE(swap->caller, current);
	list_for_each_entry(slot, &swap->slots, list)
		more |= slot_let_go(slot, expired);
	WRITE_ONCE(swap->caller, NULL);
	if (more)
		schedule_delayed_work(&tick_work, msecs_to_jiffies(TICK_MS));
	else
		swap_begin_end();
out:
	mutex_unlock(&swap_mutex);
}

/* Without the mutex: who has it may wait for what ends here. */
static void swap_cut(struct work_struct *work)
{
	tap_cut_short(swap->driver, READ_ONCE(swap->caller), ktime_get_ns(), swap->deadline_ns);
	schedule_delayed_work(&cut_work, HZ);
}

/* The class of the driver's devices, or the reason why there is none. */
static const struct recov_class *swap_find_class(const char *driver)
{
	const struct recov_class *found = NULL;
	unsigned int i;
	int err;

	if (!ksym_module_loaded(driver))
		return ERR_PTR(-ENOENT);
	for (i = 0; i < ARRAY_SIZE(classes) && !found; i++) {
		LIST_HEAD(slots);

		err = classes[i]->match(driver, &slots, false);
		if (err)
			return ERR_PTR(err);
		if (!list_empty(&slots))
			found = classes[i];
		recov_slots_free(&slots);
	}
	return found ? found : ERR_PTR(-ENODEV);
}

static bool driver_has_failed(const char *driver)
{
	struct recov_armed armed = {};

	strscpy(armed.driver, driver, sizeof(armed.driver));
	return !tap_armed(&armed) && armed.failed;
}

/* What is known of them before the swap. */
static void slots_prepare(struct list_head *slots, const struct recov_arm *arm)
{
	bool failed = driver_has_failed(arm->driver);
	struct recov_slot *slot;

	list_for_each_entry(slot, slots, list) {
		slot->failed = failed;
		if (!strcmp(dev_name(slot->parent), arm->device))
			slot->leave_out = arm->leave_out;
	}
}

/* Arms the hooks, then collects the slots, so that no device can leave in between unseen. */
static int swap_collect(struct swap *s)
{
	struct recov_slot *slot;
	int err;

	err = recov_hooks_arm(s->class->hooks, s->class->n_hooks);
	if (err)
		return err;
	WRITE_ONCE(published_slots, &s->slots);
	err = s->class->match(s->driver, &s->slots, false);
	if (err)
		goto err_free;
	list_for_each_entry(slot, &s->slots, list) {
		s->n_slots++;
		if (slot->verdict) {
			err = -EOPNOTSUPP;
			goto err_free;
		}
	}
	err = !s->n_slots ? -ENODEV : s->n_slots > RECOV_DEVICES_MAX ? -E2BIG : 0;
	if (!err)
		err = swap_watch_buses(s);
	if (!err)
		return 0;

err_free:
	if (!slots_finish(&s->slots)) {
		s->letting_go = true; /* a driver has just been unloaded: see it through */
		s->deadline_ns = ktime_get_ns(); /* at once, as in stock */
		s->owner = NULL;
		return err;
	}
	swap_unwatch_buses(s);
	recov_hooks_disarm();
	WRITE_ONCE(published_slots, NULL);
	synchronize_rcu();
	recov_slots_free(&s->slots);
	return err;
}

int swap_arm(const struct recov_session *owner, const struct recov_arm *arm)
{
	struct swap *s;
	int err;

	flush_work(&end_work);
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	INIT_LIST_HEAD(&s->slots);
	strscpy(s->driver, arm->driver, sizeof(s->driver));
	s->owner = owner;
	s->owner_pid = task_tgid_nr(current);
	s->state = RECOV_SWAP_ARMED;
	s->drain_ms = arm->drain_ms;
	s->deadline_ns = ktime_get_ns() + (u64)arm->deadline_ms * NSEC_PER_MSEC;

	mutex_lock(&swap_mutex);
	if (swap) {
		err = -EBUSY;
		goto err_unlock;
	}
	s->class = swap_find_class(s->driver);
	if (IS_ERR(s->class)) {
		err = PTR_ERR(s->class);
		goto err_unlock;
	}
	err = swap_collect(s);
	if (err && !s->letting_go)
		goto err_unlock;
	slots_prepare(&s->slots, arm);
	swap = s;
	swaps_begun++;
	release_begin();
	__module_get(THIS_MODULE); /* until swap_end(): devices may be kept without a session */
	schedule_delayed_work(&tick_work, err ? 0 : msecs_to_jiffies(arm->deadline_ms) + 1);
	schedule_delayed_work(&cut_work, HZ);
	mutex_unlock(&swap_mutex);
	return err;

err_unlock:
	mutex_unlock(&swap_mutex);
	kfree(s);
	return err;
}

/* Takes the mutex if the session owns a swap that it may still steer. */
static int swap_lock_owned(const struct recov_session *owner)
{
	mutex_lock(&swap_mutex);
	if (swap && swap->owner == owner)
		return 0;
	mutex_unlock(&swap_mutex);
	return -EPERM;
}

int swap_hold(const struct recov_session *owner)
{
	struct recov_slot *slot;
	int err;

	err = swap_lock_owned(owner);
	if (err)
		return err;
	if (swap->state != RECOV_SWAP_ARMED) {
		err = -EINVAL;
		goto out;
	}
	swap->state = RECOV_SWAP_HELD;
	WRITE_ONCE(swap->caller, current);
	list_for_each_entry(slot, &swap->slots, list) {
		err = slot->class->hold(slot, swap->drain_ms);
		if (err)
			break; /* the owner's ABANDON or death lets the others go */
	}
	WRITE_ONCE(swap->caller, NULL);
out:
	mutex_unlock(&swap_mutex);
	return err;
}

int swap_replay(const struct recov_session *owner)
{
	struct recov_slot *slot;
	int err;

	err = swap_lock_owned(owner);
	if (err)
		return err;
	WRITE_ONCE(swap->caller, current);
	list_for_each_entry(slot, &swap->slots, list) {
		int state = recov_slot_state(slot);

		if (state == RECOV_DEV_REPLAYED || state == RECOV_DEV_LIVE)
			continue;
		if (state != RECOV_DEV_HELD && state != RECOV_DEV_BOUND)
			err = -EAGAIN;
		else
			err = slot->class->replay(slot);
		if (err)
			break;
		slot->link_limit = jiffies + msecs_to_jiffies(LINK_LIMIT_MS);
	}
	WRITE_ONCE(swap->caller, NULL);
	mutex_unlock(&swap_mutex);
	return err;
}

int swap_resume(const struct recov_session *owner)
{
	struct recov_slot *slot;
	int err;

	err = swap_lock_owned(owner);
	if (err)
		return err;
	list_for_each_entry(slot, &swap->slots, list) {
		int state = recov_slot_state(slot);

		if (state != RECOV_DEV_REPLAYED && state != RECOV_DEV_LIVE) {
			err = -EAGAIN;
			goto out;
		}
	}
	list_for_each_entry(slot, &swap->slots, list)
		if (recov_slot_state(slot) == RECOV_DEV_REPLAYED)
			slot->class->resume(slot);
	swap_begin_end();
out:
	mutex_unlock(&swap_mutex);
	return err;
}

int swap_abandon(const struct recov_session *owner)
{
	int err;

	err = swap_lock_owned(owner);
	if (err)
		return err;
	swap_let_go();
	mutex_unlock(&swap_mutex);
	return 0;
}

void swap_owner_gone(const struct recov_session *owner)
{
	swap_abandon(owner);
}

int swap_release(const struct recov_session *owner)
{
	int err;

	err = swap_lock_owned(owner);
	if (err)
		return err;
	swap->state = RECOV_SWAP_HELD;
	err = release_driver(swap->driver, swap->class, &swap->slots);
	mutex_unlock(&swap_mutex);
	return err;
}

int swap_release_at_exit(struct tap_image *image)
{
	int err = -EINVAL;

	mutex_lock(&swap_mutex);
	if (swap && swap->state == RECOV_SWAP_HELD && !strcmp(swap->driver, image->module->name))
		err = release_image(image, swap->class, &swap->slots);
	mutex_unlock(&swap_mutex);
	return err;
}

int swap_take(const struct recov_session *owner)
{
	int err = 0;

	mutex_lock(&swap_mutex);
	if (!swap || swap->state == RECOV_SWAP_ENDING || ktime_get_ns() >= swap->deadline_ns) {
		err = -ENOENT;
	} else if (swap->owner) {
		err = -EBUSY;
	} else {
		swap->owner = owner;
		swap->owner_pid = task_tgid_nr(current);
		swap->letting_go = false;
		swap->state = RECOV_SWAP_HELD;
		mod_delayed_work(system_wq, &tick_work, 0); /* sleeps until the deadline */
	}
	mutex_unlock(&swap_mutex);
	return err;
}

int swap_check_free(const char *driver)
{
	int err = 0;

	if (mutex_lock_killable(&swap_mutex))
		return -EINTR;
	if (swap && swap->state != RECOV_SWAP_ENDING && !strcmp(swap->driver, driver))
		err = -EBUSY;
	mutex_unlock(&swap_mutex);
	return err;
}

void swap_info(struct recov_info *info)
{
	u64 now = ktime_get_ns();

	memset(info, 0, sizeof(*info));
	info->abi = RECOV_SHADOW_ABI;
	mutex_lock(&swap_mutex);
	info->swaps = swaps_begun;
	info->devices = n_last_devices;
	/* Once every device is served the swap is over for everybody; ARM waits for the rest. */
	if (swap && swap->state != RECOV_SWAP_ENDING) {
		info->swap_state = swap->letting_go ? RECOV_SWAP_ENDING : swap->state;
		info->owner_pid = swap->owner_pid;
		info->devices = swap->n_slots;
		if (swap->deadline_ns > now)
			info->deadline_left_ns = swap->deadline_ns - now;
		strscpy(info->driver, swap->driver, sizeof(info->driver));
	}
	mutex_unlock(&swap_mutex);
}

int swap_device(u32 index, struct recov_device *device)
{
	struct recov_slot *slot;
	int err = -ENOENT;
	u32 i = 0;

	mutex_lock(&swap_mutex);
	if (swap) {
		list_for_each_entry(slot, &swap->slots, list) {
			if (i++ != index)
				continue;
			recov_slot_describe(slot, index, device);
			err = 0;
			break;
		}
	} else if (index < n_last_devices) {
		*device = last_devices[index];
		err = 0;
	}
	mutex_unlock(&swap_mutex);
	return err;
}

int __init swap_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		err = classes[i]->init();
		if (!err)
			err = recov_hooks_resolve(classes[i]->hooks, classes[i]->n_hooks);
		if (err)
			return err;
	}
	return 0;
}

/* No session is open and no swap is on: either would hold the module. */
void swap_uninit(void)
{
	cancel_delayed_work_sync(&tick_work);
	flush_work(&end_work);
	recov_hooks_uninit();
	kvfree(last_devices);
}
