// SPDX-License-Identifier: GPL-2.0
/* The part of leaky that needs sound: a module of its own, asked in the same way. */
#include "leaky_request.c"

#include <linux/err.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <sound/core.h>

static struct platform_device *leaky_snd_device;

/* Never registered, so nobody finds it. */
static noinline int leaky_leak_card(struct leaky_truth *truth, const unsigned long *args)
{
	struct snd_card *card;
	int err;

	err = snd_card_new(&leaky_snd_device->dev, -1, NULL, THIS_MODULE, 0, &card);
	if (err)
		return err;
	snprintf(truth->name, sizeof(truth->name), "%d", card->number);
	return leaky_done(truth, __func__, (unsigned long)card);
}

static const struct leaky_request leaky_sound[] = {{"leak", "card", leaky_leak_card}, {}};

const struct leaky_request *const leaky_tables[] = {leaky_sound, NULL};

static int __init leaky_snd_init(void)
{
	leaky_snd_device = platform_device_register_simple("leaky_snd", 0, NULL, 0);
	return PTR_ERR_OR_ZERO(leaky_snd_device);
}

static void __exit leaky_snd_exit(void)
{
	leaky_requests_end();
	platform_device_unregister(leaky_snd_device);
}

module_init(leaky_snd_init);
module_exit(leaky_snd_exit);

MODULE_DESCRIPTION("Test module that leaks a sound card on request");
MODULE_LICENSE("GPL");
