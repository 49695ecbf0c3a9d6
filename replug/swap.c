// SPDX-License-Identifier: LGPL-2.1-or-later
/* The swap: carries a plan out as one transaction and rolls it back when it fails. */
#include <fcntl.h>
#include <poll.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "modules.h"
#include "swap.h"
#include "util.h"

#define DEADLINE_DEFAULT_MS 30000
#define LINK_DEFAULT_MS	    6000
#define ATTACH_MS	    3000 /* from the end of init_module(2) until every device is bound */

static const char *const phase_names[REPLUG_PHASES] = {
	[REPLUG_PLAN] = "plan",	    [REPLUG_HOLD] = "hold",	[REPLUG_DETACH] = "detach",
	[REPLUG_UNLOAD] = "unload", [REPLUG_LOAD] = "load",	[REPLUG_ATTACH] = "attach",
	[REPLUG_CHECK] = "check",   [REPLUG_REPLAY] = "replay", [REPLUG_RESUME] = "resume",
};

static const char *const outcome_names[] = {
	[REPLUG_SUCCESS] = "success",
	[REPLUG_ROLLED_BACK] = "rolled-back",
	[REPLUG_REFUSED] = "refused",
	[REPLUG_FAILED] = "failed",
};

const char *replug_released_name(unsigned what)
{
	static const char *const names[REPLUG_RELEASED] = {
		[RECOV_RELEASED_CALL] = "call",
		[RECOV_RELEASED_IRQ] = "irq",
		[RECOV_RELEASED_TIMER] = "timer",
		[RECOV_RELEASED_HRTIMER] = "hrtimer",
		[RECOV_RELEASED_WORK] = "work",
		[RECOV_RELEASED_NAPI] = "napi",
		[RECOV_RELEASED_PACKET] = "packet",
		[RECOV_RELEASED_MAPPING] = "mmio",
		[RECOV_RELEASED_MEMORY] = "vmalloc",
		[RECOV_RELEASED_DRIVER] = "driver",
		[RECOV_RELEASED_VECTORS] = "irq-vectors",
		[RECOV_RELEASED_REGION] = "pci-regions",
		[RECOV_RELEASED_ENABLE] = "pci-enable",
		[RECOV_RELEASED_RESET] = "reset",
		[RECOV_RELEASED_QUEUE] = "virtqueues",
		[RECOV_RELEASED_CPUHP] = "cpuhp",
		[RECOV_RELEASED_COHERENT] = "dma-coherent",
	};

	return names[what];
}

const char *replug_setting_name(unsigned setting)
{
	static const char *const names[RECOV_SETTING_COUNT] = {
#define X(name, text) [RECOV_SETTING_##name] = text,
		RECOV_SETTINGS(X)
#undef X
	};

	return setting < RECOV_SETTING_COUNT ? names[setting] : NULL;
}

const char *replug_phase_name(enum replug_phase phase)
{
	return phase_names[phase];
}

const char *replug_outcome_name(enum replug_outcome outcome)
{
	return outcome_names[outcome];
}

/* ---- phases ---- */

static void phase_begin_at(struct swap *s, enum replug_phase phase, uint64_t ns)
{
	s->phase_start_ns = ns;
	if (s->options.progress)
		s->options.progress(s->options.ctx, phase, s->rollback, false, 0);
}

static void phase_begin(struct swap *s, enum replug_phase phase)
{
	phase_begin_at(s, phase, swap_now_ns());
}

/* Phases may come twice: the parts add up. Returns ns, where the next phase begins. */
static uint64_t phase_end_at(struct swap *s, enum replug_phase phase, uint64_t ns)
{
	uint64_t took = ns > s->phase_start_ns ? ns - s->phase_start_ns : 0;

	s->result->phases_ns[phase] += took;
	if (s->options.progress)
		s->options.progress(s->options.ctx, phase, s->rollback, true, took);
	return ns;
}

static void phase_end(struct swap *s, enum replug_phase phase)
{
	phase_end_at(s, phase, swap_now_ns());
}

/* ---- modules ---- */

static int module_unload(const char *name)
{
	/* O_NONBLOCK: never wait for users to go, which might be for ever. */
	return syscall(SYS_delete_module, name, O_NONBLOCK) < 0 ? -errno : 0;
}

static int module_load(const struct replug_image *image, const char *options)
{
	size_t size;
	const void *bytes = replug_image_bytes(image, &size);

	if (syscall(SYS_init_module, bytes, size, options ? options : "") == 0)
		return 0;
	return errno == EEXIST ? 0 : -errno;
}

/* A file's name, as far as it fits a sentence with others. */
static const char *file_of(const struct replug_image *image)
{
	const char *slash = strrchr(replug_image_path(image), '/');

	return slash ? slash + 1 : replug_image_path(image);
}

static const struct replug_image *image_of(const struct swap *s, size_t i)
{
	return s->rollback ? s->modules[i].old_image : s->modules[i].new_image;
}

/* An armed driver that has failed is called again to be stopped and removed. */
static void set_armed(struct swap *s, uint32_t flags)
{
	struct recov_armed armed = {.flags = flags};

	strncpy(armed.driver, s->modules[0].name, sizeof(armed.driver) - 1);
	(void)swap_verb(s, RECOV_IOC_ARMED, &armed);
}

static bool is_armed(struct swap *s, struct recov_armed *ret_armed)
{
	*ret_armed = (struct recov_armed){};
	strncpy(ret_armed->driver, s->modules[0].name, sizeof(ret_armed->driver) - 1);
	return swap_verb(s, RECOV_IOC_ARMED, ret_armed) == 0;
}

static bool has_failed(struct swap *s)
{
	struct recov_armed armed;

	return is_armed(s, &armed) && armed.failed;
}

/* The image that is taken out next. */
static const struct replug_image *leaving(const struct swap *s)
{
	return s->rollback ? s->modules[0].new_image : s->modules[0].old_image;
}

static uint32_t trusting(const struct swap *s)
{
	return RECOV_ARMED_TRUST | (replug_image_registers(leaving(s)) ? 0 : RECOV_ARMED_RELEASE);
}

/* In place of what the driver does to leave. */
static int release(struct swap *s)
{
	struct recov_released released = {};
	int r = swap_verb(s, RECOV_IOC_RELEASE, NULL);

	s->released = !r;
	if (!r)
		return 0;
	(void)swap_verb(s, RECOV_IOC_RELEASED, &released);
	return swap_failed(s, r, "%s can't be taken out without being called: %.*s",
			   s->modules[0].name, (int)sizeof(released.reason),
			   released.error ? released.reason : strerror(-r));
}

static int take_driver_out(struct swap *s)
{
	int r;

	r = module_unload(s->modules[0].name);
	if (r)
		return swap_failed(s, r, "%s could not be unloaded: %s", s->modules[0].name,
				   strerror(-r));
	s->unloaded[0] = true;
	s->released = false;
	return 0;
}

/* The modules that only the driver needed. One that somebody began to use meanwhile simply stays. */
static void take_rest_out(struct swap *s)
{
	for (size_t i = 1; i < s->n_modules; i++)
		if (module_unload(s->modules[i].name) == 0)
			s->unloaded[i] = true;
}

static int unload_all(struct swap *s)
{
	uint64_t detached;
	int r;

	phase_begin(s, REPLUG_DETACH);
	/* When it was to be stopped, or, on the way back, in its probe(). One that has registered what
	 * nobody else takes back gets another try. */
	if (!s->released && has_failed(s) && !replug_image_registers(leaving(s))) {
		r = release(s);
		if (r)
			return r;
	}
	if (!s->released)
		set_armed(s, trusting(s));
	r = take_driver_out(s);
	if (r)
		return r;
	detached = phase_end_at(s, REPLUG_DETACH, swap_devices_mark(s, RECOV_MARK_KEPT));

	phase_begin_at(s, REPLUG_UNLOAD, detached);
	take_rest_out(s);
	phase_end(s, REPLUG_UNLOAD);
	return 0;
}

static const char *options_of(const struct swap *s, size_t i)
{
	const struct replug_module *module = &s->modules[i];

	return !s->rollback && module->new_options ? module->new_options : module->options;
}

static int put_in(struct swap *s)
{
	int r;

	for (size_t i = s->n_modules; i-- > 0;) {
		if (!s->unloaded[i])
			continue;
		r = module_load(image_of(s, i), options_of(s, i));
		if (r)
			return swap_failed(s, r, "%s could not be loaded: %s",
					   file_of(image_of(s, i)), strerror(-r));
		s->unloaded[i] = false;
	}
	return 0;
}

static int load_all(struct swap *s)
{
	const char *missing;
	uint64_t probing;
	int r;

	phase_begin(s, REPLUG_LOAD);
	r = put_in(s);
	if (r)
		return r;
	s->new_is_in = !s->rollback;
	probing = phase_end_at(s, REPLUG_LOAD, swap_devices_first_mark(s, RECOV_MARK_PROBING));

	phase_begin_at(s, REPLUG_ATTACH, probing);
	r = swap_devices_wait(s, swap_test_bound, ATTACH_MS, &missing);
	if (r == -ETIMEDOUT)
		r = swap_failed(s, r, "%s did not come back within %d s of the load of %s", missing,
				ATTACH_MS / 1000, file_of(image_of(s, 0)));
	if (r)
		return r;
	phase_end(s, REPLUG_ATTACH);
	return 0;
}

/* ---- serving again ---- */

/* A device may serve and yet have lost a setting: that is an error of a new image, and the old
 * one gets a chance to do better. */
static int check_settings(struct swap *s)
{
	struct recov_device d;

	for (uint32_t i = 0; !swap_device(s, i, &d); i++)
		if (d.error)
			return swap_failed(s, d.error, "%s: %.*s", d.object, (int)sizeof(d.reason),
					   d.reason);
	return 0;
}

static int serve(struct swap *s, bool strict)
{
	const char *missing;
	int r;

	phase_begin(s, REPLUG_CHECK);
	r = strict ? check_settings(s) : 0;
	if (r)
		return r;
	phase_end(s, REPLUG_CHECK);

	phase_begin(s, REPLUG_REPLAY);
	r = swap_verb(s, RECOV_IOC_REPLAY, NULL);
	if (r) {
		if (!check_settings(s))
			swap_failed(s, r, "the devices of %s could not be restored: %s",
				    s->modules[0].name, strerror(-r));
		return r;
	}
	phase_end(s, REPLUG_REPLAY);

	phase_begin(s, REPLUG_CHECK);
	r = swap_devices_wait(s, swap_test_link, s->options.link_ms, &missing);
	if (r == -ETIMEDOUT)
		r = swap_failed(s, r,
				"%s had a link and has had none for %u ms since it was opened",
				missing, s->options.link_ms);
	if (!r)
		r = check_settings(s);
	if (r && strict)
		return r;
	phase_end(s, REPLUG_CHECK);

	phase_begin(s, REPLUG_RESUME);
	r = swap_verb(s, RECOV_IOC_RESUME, NULL);
	if (r)
		return swap_failed(s, r, "the devices of %s could not be resumed: %s",
				   s->modules[0].name, strerror(-r));
	phase_end_at(s, REPLUG_RESUME, swap_devices_mark(s, RECOV_MARK_RESUMED));
	return 0;
}

static void settle(struct swap *s, enum replug_outcome outcome)
{
	struct recov_released released = {};

	s->result->outcome = outcome;
	s->result->left_out = swap_devices_left_out(s);
	if (swap_verb(s, RECOV_IOC_RELEASED, &released) == 0 && released.images) {
		s->result->untrusted = true;
		memcpy(s->result->released, released.counts, sizeof(s->result->released));
	}
	if (s->hold_start_ns)
		s->result->pause_ns = swap_devices_mark(s, RECOV_MARK_RESUMED) - s->hold_start_ns;
}

/* Brings the old images back, whatever has been reached. The error that led here stays. */
static void roll_back(struct swap *s)
{
	struct replug_error first = s->result->error;
	const char *missing;
	int r = 0;

	s->rollback = true;
	memset(s->result->phases_ns, 0, sizeof(s->result->phases_ns));
	if (s->new_is_in) {
		r = unload_all(s);
		if (!r)
			r = swap_devices_wait(s, swap_test_kept, ATTACH_MS, &missing);
	}
	if (!r && s->unloaded[0])
		r = load_all(s);
	if (!r)
		r = serve(s, false);
	if (r) {
		struct replug_error second = s->result->error;

		(void)swap_verb(s, RECOV_IOC_ABANDON, NULL);
		settle(s, REPLUG_FAILED);
		replug_fail(&s->result->error, REPLUG_FAULT_FAILED, r,
			    "%.120s; and the old image did not come back: %.100s", first.text,
			    second.text);
		return;
	}
	settle(s, REPLUG_ROLLED_BACK);
	s->result->error = first;
}

static int begin(struct swap *s, const struct replug_plan *plan, int fd,
		 const struct replug_options *options, struct replug_result *result)
{
	*result = (struct replug_result){.outcome = REPLUG_FAILED};
	*s = (struct swap){.plan = plan, .fd = fd, .result = result};
	if (options)
		s->options = *options;
	if (!s->options.deadline_ms)
		s->options.deadline_ms = DEADLINE_DEFAULT_MS;
	if (!s->options.link_ms)
		s->options.link_ms = LINK_DEFAULT_MS;
	s->modules = replug_plan_modules(plan, &s->n_modules);
	if (!s->n_modules || s->n_modules > ARRAY_SIZE(s->unloaded))
		return replug_fail(&result->error, REPLUG_FAULT_FAILED, -EINVAL,
				   "the plan has %zu modules", s->n_modules);
	/* The disk that this program lies on may be among the devices. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		return replug_fail(&result->error, REPLUG_FAULT_UNSUPPORTED, -errno,
				   "memory could not be locked: %s", strerror(errno));
	return 0;
}

static int arm(struct swap *s)
{
	struct recov_arm arm = {
		.deadline_ms = s->options.deadline_ms,
		.drain_ms = s->options.drain_ms,
		.leave_out = s->options.leave_out,
	};
	int r;

	strncpy(arm.driver, s->modules[0].name, sizeof(arm.driver) - 1);
	if (s->options.leave_out)
		strncpy(arm.device, s->options.leave_out_of, sizeof(arm.device) - 1);
	phase_begin(s, REPLUG_PLAN);
	r = swap_verb(s, RECOV_IOC_ARM, &arm);
	if (r == -EBUSY)
		return replug_fail(&s->result->error, REPLUG_FAULT_REFUSED, r,
				   "another swap is under way, or a livepatch has taken a function "
				   "that the shadow hooks");
	if (r)
		return replug_fail(&s->result->error, REPLUG_FAULT_REFUSED, r,
				   "the shadow can't take over the devices of %s: %s",
				   s->modules[0].name, strerror(-r));
	phase_end(s, REPLUG_PLAN);
	return 0;
}

/* Of a driver that is loaded, but was bound to no device before. */
static int wait_for_devices(struct swap *s)
{
	uint64_t limit = swap_now_ns() + ATTACH_MS * UINT64_C(1000000);
	struct replug_host host;
	size_t n = 0;
	int storage;

	replug_host_init(&host, s->fd, &storage);
	for (;;) {
		_cleanup_free_ struct replug_device *devices = NULL;

		if (has_failed(s))
			return swap_failed(s, -EIO, "%s has faulted as it was put in",
					   file_of(image_of(s, 0)));
		if (host.devices(host.ctx, s->modules[0].name, &devices, &n) == 0 && n)
			return 0;
		if (swap_now_ns() >= limit)
			return swap_failed(s, -ENODEV, "no device was bound to %s within %d s",
					   file_of(image_of(s, 0)), ATTACH_MS / 1000);
		(void)poll(NULL, 0, 50);
	}
}

static int reload(struct swap *s)
{
	int r;

	phase_begin(s, REPLUG_DETACH);
	set_armed(s, RECOV_ARMED_TRUST);
	r = take_driver_out(s);
	if (r) {
		set_armed(s, RECOV_ARMED_DISTRUST);
		return r;
	}
	phase_end(s, REPLUG_DETACH);
	phase_begin(s, REPLUG_UNLOAD);
	take_rest_out(s);
	phase_end(s, REPLUG_UNLOAD);
	phase_begin(s, REPLUG_LOAD);
	r = put_in(s);
	if (r)
		return r;
	phase_end(s, REPLUG_LOAD);
	phase_begin(s, REPLUG_ATTACH);
	r = wait_for_devices(s);
	if (!r)
		phase_end(s, REPLUG_ATTACH);
	return r;
}

/* What an earlier swap has failed to give back is still kept, until its deadline. */
static int reload_for_kept(struct swap *s)
{
	const char *missing;
	int r;

	r = unload_all(s);
	if (!r)
		r = swap_devices_wait(s, swap_test_kept, ATTACH_MS, &missing);
	if (!r)
		r = load_all(s);
	if (!r)
		r = serve(s, false);
	s->result->left_out = swap_devices_left_out(s);
	if (r)
		(void)swap_verb(s, RECOV_IOC_ABANDON, NULL);
	return r;
}

int replug_swap_run(const struct replug_plan *plan, int fd, const struct replug_options *options,
		    struct replug_result *ret_result)
{
	struct swap s;
	size_t n;
	int r;

	r = begin(&s, plan, fd, options, ret_result);
	(void)replug_plan_devices(plan, &n);
	/* There is nothing to hold, and no way back, as the old image serves nobody. */
	if (!r && n == 0) {
		r = swap_verb(&s, RECOV_IOC_TAKE, NULL) ? reload(&s) : reload_for_kept(&s);
		if (!r)
			ret_result->outcome = REPLUG_SUCCESS;
		return 0;
	}
	if (!r)
		r = arm(&s);
	if (r) {
		ret_result->outcome = REPLUG_REFUSED;
		return 0;
	}

	phase_begin(&s, REPLUG_HOLD);
	s.hold_start_ns = s.phase_start_ns;
	if (!s.options.untrusted) {
		set_armed(&s, trusting(&s));
		r = swap_verb(&s, RECOV_IOC_HOLD, NULL);
	} else {
		r = release(&s);
	}
	if (r && !s.options.untrusted)
		swap_devices_not_held(&s, r);
	else if (!r)
		phase_end(&s, REPLUG_HOLD);
	if (!r)
		r = unload_all(&s);
	if (!r)
		r = load_all(&s);
	if (!r)
		r = serve(&s, true);
	if (r) {
		roll_back(&s);
		/* If it never went. */
		set_armed(&s, RECOV_ARMED_DISTRUST);
		if (has_failed(&s))
			ret_result->outcome = REPLUG_FAILED;
	} else {
		settle(&s, REPLUG_SUCCESS);
	}
	return 0;
}

/* What an interrupted swap has left behind, by now and by whomever. */
static int look_around(struct swap *s)
{
	_cleanup_(modules_close) struct modules modules = {0};
	const struct replug_module *driver = &s->modules[0];
	struct recov_armed armed;
	struct replug_host host;
	int storage, r;

	replug_host_init(&host, s->fd, &storage);
	r = modules_open(&host, &modules);
	if (r)
		return r;
	for (size_t i = 0; i < s->n_modules; i++)
		s->unloaded[i] = module_state(&modules, s->modules[i].name) == MODULE_ABSENT;
	/* An armed image has the build id of the one that it was made from. */
	s->new_is_in = !s->unloaded[0] && driver->new_image != driver->old_image &&
		       is_armed(s, &armed) == replug_image_armed(driver->new_image) &&
		       module_is_image(&modules, driver->name, driver->new_image);
	return 0;
}

/* The kernel has let go: a driver is all that can be missing. */
static int load_missing(struct swap *s)
{
	int r = 0;

	for (size_t i = s->n_modules; i-- > 0 && !r;)
		if (s->unloaded[i])
			r = module_load(image_of(s, i), s->modules[i].options);
	if (r)
		swap_failed(s, r, "%s could not be loaded: %s", s->modules[0].name, strerror(-r));
	return r;
}

/* Forward if the new image is in already, back if undo says so, with what is missing. */
static int go_on(struct swap *s)
{
	int r = s->unloaded[0] ? load_all(s) : 0;

	if (!r)
		r = serve(s, false);
	if (r)
		(void)swap_verb(s, RECOV_IOC_ABANDON, NULL);
	return r;
}

int replug_swap_finish(const struct replug_plan *plan, int fd, bool undo,
		       const struct replug_options *options, struct replug_result *ret_result)
{
	struct swap s;
	int taken, r;

	r = begin(&s, plan, fd, options, ret_result);
	if (r)
		return 0;
	taken = swap_verb(&s, RECOV_IOC_TAKE, NULL);
	r = look_around(&s);
	if (taken && taken != -ENOENT)
		r = taken;
	if (r) {
		swap_failed(&s, r, "the swap of %s can't be taken over: %s", s.modules[0].name,
			    strerror(-r));
		return 0;
	}
	s.rollback = undo && !s.new_is_in;
	r = taken ? load_missing(&s) : go_on(&s);
	if (r)
		return 0;
	ret_result->outcome = s.rollback ? REPLUG_ROLLED_BACK : REPLUG_SUCCESS;
	replug_fail(&ret_result->error, REPLUG_FAULT_NONE, 0, "%s",
		    s.rollback ? "the swap was interrupted and has been undone"
			       : "the swap was interrupted and has been finished");
	return 0;
}
