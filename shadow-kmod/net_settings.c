// SPDX-License-Identifier: GPL-2.0
/* Reads a net_device's ethtool settings at hold and writes back those that differ at replay. */
#include <linux/ethtool.h>
#include <linux/linkmode.h>
#include <linux/netdevice.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "net.h"

/* All of this runs under rtnl with the driver's own ethtool_ops in place. A setting is written
 * only if it differs, since many a driver resets its device for each. */

static bool settings_begin(struct net_device *dev)
{
	if (dev->dev.parent)
		pm_runtime_get_sync(dev->dev.parent);
	if (netif_device_present(dev) &&
	    (!dev->ethtool_ops->begin || !dev->ethtool_ops->begin(dev)))
		return true;
	if (dev->dev.parent)
		pm_runtime_put(dev->dev.parent);
	return false;
}

static void settings_end(struct net_device *dev)
{
	if (dev->ethtool_ops->complete)
		dev->ethtool_ops->complete(dev);
	if (dev->dev.parent)
		pm_runtime_put(dev->dev.parent);
}

static bool get_ring(struct net_device *dev, struct ethtool_ringparam *ring,
		     struct kernel_ethtool_ringparam *kernel_ring)
{
	if (!dev->ethtool_ops->get_ringparam || !dev->ethtool_ops->set_ringparam)
		return false;
	memset(ring, 0, sizeof(*ring));
	memset(kernel_ring, 0, sizeof(*kernel_ring));
	ring->cmd = ETHTOOL_GRINGPARAM;
	dev->ethtool_ops->get_ringparam(dev, ring, kernel_ring, NULL);
	return true;
}

static bool get_coalesce(struct net_device *dev, struct ethtool_coalesce *coalesce,
			 struct kernel_ethtool_coalesce *kernel_coalesce)
{
	if (!dev->ethtool_ops->get_coalesce || !dev->ethtool_ops->set_coalesce)
		return false;
	memset(coalesce, 0, sizeof(*coalesce));
	memset(kernel_coalesce, 0, sizeof(*kernel_coalesce));
	coalesce->cmd = ETHTOOL_GCOALESCE;
	return !dev->ethtool_ops->get_coalesce(dev, coalesce, kernel_coalesce, NULL);
}

static bool get_pause(struct net_device *dev, struct ethtool_pauseparam *pause)
{
	if (!dev->ethtool_ops->get_pauseparam || !dev->ethtool_ops->set_pauseparam)
		return false;
	memset(pause, 0, sizeof(*pause));
	pause->cmd = ETHTOOL_GPAUSEPARAM;
	dev->ethtool_ops->get_pauseparam(dev, pause);
	return true;
}

static bool get_wol(struct net_device *dev, struct ethtool_wolinfo *wol)
{
	if (!dev->ethtool_ops->get_wol || !dev->ethtool_ops->set_wol)
		return false;
	memset(wol, 0, sizeof(*wol));
	wol->cmd = ETHTOOL_GWOL;
	dev->ethtool_ops->get_wol(dev, wol);
	return true;
}

static bool get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	if (!dev->ethtool_ops->get_channels || !dev->ethtool_ops->set_channels)
		return false;
	memset(channels, 0, sizeof(*channels));
	channels->cmd = ETHTOOL_GCHANNELS;
	dev->ethtool_ops->get_channels(dev, channels);
	return true;
}

static bool get_link(struct net_device *dev, struct ethtool_link_ksettings *link)
{
	if (!dev->ethtool_ops->get_link_ksettings || !dev->ethtool_ops->set_link_ksettings)
		return false;
	memset(link, 0, sizeof(*link));
	return !dev->ethtool_ops->get_link_ksettings(dev, link);
}

static bool get_eee(struct net_device *dev, net_eee_t *eee)
{
	if (!dev->ethtool_ops->get_eee || !dev->ethtool_ops->set_eee)
		return false;
	memset(eee, 0, sizeof(*eee));
	return !dev->ethtool_ops->get_eee(dev, eee);
}

static bool get_rss(struct net_device *dev, struct net_rss *rss)
{
	const struct ethtool_ops *ops = dev->ethtool_ops;

	memset(rss, 0, sizeof(*rss));
	if (!ops->get_rxfh || !ops->set_rxfh)
		return false;
	rss->indir_size = ops->get_rxfh_indir_size ? ops->get_rxfh_indir_size(dev) : 0;
	rss->key_size = ops->get_rxfh_key_size ? ops->get_rxfh_key_size(dev) : 0;
	if (!rss->indir_size && !rss->key_size)
		return false;
	rss->indir = kcalloc(rss->indir_size, sizeof(*rss->indir), GFP_KERNEL);
	rss->key = kzalloc(rss->key_size, GFP_KERNEL);
	if (rss->indir && rss->key && !net_rss_get(dev, rss))
		return true;
	kfree(rss->indir);
	kfree(rss->key);
	memset(rss, 0, sizeof(*rss));
	return false;
}

static void free_rss(struct net_rss *rss)
{
	kfree(rss->indir);
	kfree(rss->key);
	memset(rss, 0, sizeof(*rss));
}

/* What flows are spread over the queues by. */
static const u32 flow_types[NET_FLOW_TYPES] = {
	TCP_V4_FLOW, UDP_V4_FLOW, SCTP_V4_FLOW, AH_ESP_V4_FLOW, IPV4_FLOW,
	TCP_V6_FLOW, UDP_V6_FLOW, SCTP_V6_FLOW, AH_ESP_V6_FLOW, IPV6_FLOW,
};

static bool get_flow_hash(struct net_device *dev, int i, u64 *hash)
{
	struct ethtool_rxnfc info = {.cmd = ETHTOOL_GRXFH, .flow_type = flow_types[i]};

	if (!dev->ethtool_ops->get_rxnfc || !dev->ethtool_ops->set_rxnfc ||
	    dev->ethtool_ops->get_rxnfc(dev, &info, NULL))
		return false;
	*hash = info.data;
	return true;
}

static bool get_fec(struct net_device *dev, u32 *fec)
{
	struct ethtool_fecparam param = {.cmd = ETHTOOL_GFECPARAM};

	if (!dev->ethtool_ops->get_fecparam || !dev->ethtool_ops->set_fecparam ||
	    dev->ethtool_ops->get_fecparam(dev, &param))
		return false;
	*fec = param.fec;
	return true;
}

/* The types that ethtool_tunable_valid() of net/ethtool/ioctl.c asks for. */
static void tunable_init(struct ethtool_tunable *tunable, u32 cmd, int i)
{
	bool is_short = i + 1 == ETHTOOL_PFC_PREVENTION_TOUT;

	memset(tunable, 0, sizeof(*tunable));
	tunable->cmd = cmd;
	tunable->id = i + 1;
	tunable->type_id = is_short ? ETHTOOL_TUNABLE_U16 : ETHTOOL_TUNABLE_U32;
	tunable->len = is_short ? sizeof(u16) : sizeof(u32);
}

static bool get_tunable(struct net_device *dev, int i, u32 *value)
{
	struct ethtool_tunable tunable;

	*value = 0;
	tunable_init(&tunable, ETHTOOL_GTUNABLE, i);
	return dev->ethtool_ops->get_tunable && dev->ethtool_ops->set_tunable &&
	       !dev->ethtool_ops->get_tunable(dev, &tunable, value);
}

u32 net_settings_rules(struct net_device *dev)
{
	struct ethtool_rxnfc info = {.cmd = ETHTOOL_GRXCLSRLCNT};
	u32 n = 0;

	if (!dev->ethtool_ops->get_rxnfc || !settings_begin(dev))
		return 0;
	if (!dev->ethtool_ops->get_rxnfc(dev, &info, NULL))
		n = info.rule_cnt;
	settings_end(dev);
	return n;
}

void net_settings_record(struct net_slot *ns)
{
	struct net_settings *s = &ns->settings;
	struct net_device *dev = ns->dev;
	const struct ethtool_ops *ops = dev->ethtool_ops;
	int i;

	net_settings_free(ns);
	if (!settings_begin(dev))
		return;
	s->has_ring = get_ring(dev, &s->ring, &s->kernel_ring);
	s->has_coalesce = get_coalesce(dev, &s->coalesce, &s->kernel_coalesce);
	s->has_pause = get_pause(dev, &s->pause);
	s->has_wol = get_wol(dev, &s->wol);
	s->has_channels = get_channels(dev, &s->channels);
	s->has_link = get_link(dev, &s->link);
	s->has_eee = get_eee(dev, &s->eee);
	s->has_rss = get_rss(dev, &s->rss);
	s->has_msglevel = ops->get_msglevel && ops->set_msglevel;
	if (s->has_msglevel)
		s->msglevel = ops->get_msglevel(dev);
	s->has_priv_flags = ops->get_priv_flags && ops->set_priv_flags;
	if (s->has_priv_flags)
		s->priv_flags = ops->get_priv_flags(dev);
	for (i = 0; i < NET_FLOW_TYPES; i++)
		s->has_flow_hash |= get_flow_hash(dev, i, &s->flow_hash[i]) << i;
	s->has_fec = get_fec(dev, &s->fec);
	for (i = 0; i < NET_TUNABLES; i++)
		s->has_tunable |= get_tunable(dev, i, &s->tunable[i]) << i;
	settings_end(dev);
}

static void replay_failed(struct net_slot *ns, const char *what, int err)
{
	if (err && err != -EOPNOTSUPP)
		recov_slot_fail(&ns->slot, err, "its %s could not be restored", what);
}

static void replay_channels(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct ethtool_channels now, want = ns->settings.channels;

	if (!ns->settings.has_channels || !get_channels(dev, &now))
		return;
	if (now.rx_count == want.rx_count && now.tx_count == want.tx_count &&
	    now.combined_count == want.combined_count && now.other_count == want.other_count)
		return;
	want.cmd = ETHTOOL_SCHANNELS;
	replay_failed(ns, "number of channels", dev->ethtool_ops->set_channels(dev, &want));
}

static void replay_ring(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct kernel_ethtool_ringparam kernel_now, kernel_want = ns->settings.kernel_ring;
	struct ethtool_ringparam now, want = ns->settings.ring;

	if (!ns->settings.has_ring || !get_ring(dev, &now, &kernel_now))
		return;
	if (now.rx_pending == want.rx_pending && now.tx_pending == want.tx_pending &&
	    now.rx_mini_pending == want.rx_mini_pending &&
	    now.rx_jumbo_pending == want.rx_jumbo_pending &&
	    !memcmp(&kernel_now, &kernel_want, sizeof(kernel_now)))
		return;
	want.cmd = ETHTOOL_SRINGPARAM;
	replay_failed(ns, "ring sizes",
		      dev->ethtool_ops->set_ringparam(dev, &want, &kernel_want, NULL));
}

static void replay_pause(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct ethtool_pauseparam now, want = ns->settings.pause;

	if (!ns->settings.has_pause || !get_pause(dev, &now))
		return;
	/* While both negotiate, rx and tx tell the outcome and not the wish. */
	if (now.autoneg == want.autoneg &&
	    (want.autoneg || (now.rx_pause == want.rx_pause && now.tx_pause == want.tx_pause)))
		return;
	want.cmd = ETHTOOL_SPAUSEPARAM;
	replay_failed(ns, "pause parameters", dev->ethtool_ops->set_pauseparam(dev, &want));
}

static void replay_wol(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct ethtool_wolinfo now, want = ns->settings.wol;

	if (!ns->settings.has_wol || !get_wol(dev, &now))
		return;
	if (now.wolopts == want.wolopts && !memcmp(now.sopass, want.sopass, sizeof(now.sopass)))
		return;
	want.cmd = ETHTOOL_SWOL;
	replay_failed(ns, "wake-on-lan", dev->ethtool_ops->set_wol(dev, &want));
}

static void replay_link(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct ethtool_link_ksettings now, want = ns->settings.link;
	bool same;

	if (!ns->settings.has_link || !get_link(dev, &now))
		return;
	/* Speed and duplex are wishes only without autonegotiation. */
	same = now.base.autoneg == want.base.autoneg && now.base.port == want.base.port;
	if (want.base.autoneg == AUTONEG_ENABLE)
		same &= linkmode_equal(now.link_modes.advertising, want.link_modes.advertising);
	else
		same &= now.base.speed == want.base.speed && now.base.duplex == want.base.duplex;
	if (same || (!want.base.autoneg && want.base.speed == (u32)SPEED_UNKNOWN))
		return;
	want.base.cmd = ETHTOOL_SLINKSETTINGS;
	replay_failed(ns, "link settings", dev->ethtool_ops->set_link_ksettings(dev, &want));
}

static void replay_eee(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	net_eee_t now, want = ns->settings.eee;

	if (!ns->settings.has_eee || !get_eee(dev, &now) || net_eee_same(&now, &want))
		return;
	replay_failed(ns, "EEE settings", dev->ethtool_ops->set_eee(dev, &want));
}

static void replay_coalesce(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct kernel_ethtool_coalesce kernel_now, kernel_want = ns->settings.kernel_coalesce;
	struct ethtool_coalesce now, want = ns->settings.coalesce;

	if (!ns->settings.has_coalesce || !get_coalesce(dev, &now, &kernel_now))
		return;
	want.cmd = now.cmd;
	if (!memcmp(&now, &want, sizeof(now)) &&
	    !memcmp(&kernel_now, &kernel_want, sizeof(kernel_now)))
		return;
	want.cmd = ETHTOOL_SCOALESCE;
	replay_failed(ns, "coalescing",
		      dev->ethtool_ops->set_coalesce(dev, &want, &kernel_want, NULL));
}

static void replay_rss(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct net_rss now, *want = &ns->settings.rss;

	if (!ns->settings.has_rss || !get_rss(dev, &now))
		return;
	if (now.indir_size != want->indir_size || now.key_size != want->key_size)
		replay_failed(ns, "RSS table, of another size now,", -EINVAL);
	else if (now.hfunc != want->hfunc ||
		 memcmp(now.indir, want->indir, now.indir_size * sizeof(*now.indir)) ||
		 memcmp(now.key, want->key, now.key_size))
		replay_failed(ns, "RSS table", net_rss_set(dev, want));
	free_rss(&now);
}

static void replay_flow_hash(struct net_slot *ns, struct net_device *dev, int i)
{
	struct ethtool_rxnfc want = {.cmd = ETHTOOL_SRXFH,
				     .flow_type = flow_types[i],
				     .data = ns->settings.flow_hash[i]};
	u64 now;

	if (!(ns->settings.has_flow_hash >> i & 1) || !get_flow_hash(dev, i, &now) ||
	    now == want.data)
		return;
	replay_failed(ns, "flow hash", dev->ethtool_ops->set_rxnfc(dev, &want));
}

static void replay_fec(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	struct ethtool_fecparam want = {.cmd = ETHTOOL_SFECPARAM, .fec = ns->settings.fec};
	u32 now;

	if (!ns->settings.has_fec || !get_fec(dev, &now) || now == want.fec)
		return;
	replay_failed(ns, "FEC mode", dev->ethtool_ops->set_fecparam(dev, &want));
}

static void replay_tunable(struct net_slot *ns, struct net_device *dev, int i)
{
	struct ethtool_tunable tunable;
	u32 now;

	if (!(ns->settings.has_tunable >> i & 1) || !get_tunable(dev, i, &now) ||
	    now == ns->settings.tunable[i])
		return;
	tunable_init(&tunable, ETHTOOL_STUNABLE, i);
	replay_failed(ns, "tunables",
		      dev->ethtool_ops->set_tunable(dev, &tunable, &ns->settings.tunable[i]));
}

static void replay_msglevel(struct recov_slot *slot)
{
	const struct net_settings *s = &to_net_slot(slot)->settings;
	struct net_device *dev = to_net_slot(slot)->dev;
	const struct ethtool_ops *ops = dev->ethtool_ops;

	if (s->has_msglevel && ops->set_msglevel && ops->get_msglevel &&
	    ops->get_msglevel(dev) != s->msglevel)
		ops->set_msglevel(dev, s->msglevel);
}

static void replay_priv_flags(struct recov_slot *slot)
{
	struct net_slot *ns = to_net_slot(slot);
	struct net_device *dev = ns->dev;
	const struct ethtool_ops *ops = dev->ethtool_ops;
	u32 want = ns->settings.priv_flags;

	if (ns->settings.has_priv_flags && ops->set_priv_flags && ops->get_priv_flags &&
	    ops->get_priv_flags(dev) != want)
		replay_failed(ns, "private flags", ops->set_priv_flags(dev, want));
}

static void replay_tunables(struct recov_slot *slot)
{
	int i;

	for (i = 0; i < NET_TUNABLES; i++)
		replay_tunable(to_net_slot(slot), to_net_slot(slot)->dev, i);
}

static void replay_flow_hashes(struct recov_slot *slot)
{
	int i;

	for (i = 0; i < NET_FLOW_TYPES; i++)
		replay_flow_hash(to_net_slot(slot), to_net_slot(slot)->dev, i);
}

struct replay {
	enum recov_setting setting;
	void (*put_back)(struct recov_slot *slot);
};

static bool settings_replay(struct net_slot *ns, const struct replay *replays, unsigned int n)
{
	bool serves = true;
	unsigned int i;

	if (!settings_begin(ns->dev))
		return true;
	for (i = 0; i < n && serves; i++)
		serves = recov_slot_restore(&ns->slot, replays[i].setting, replays[i].put_back);
	settings_end(ns->dev);
	return serves;
}

bool net_settings_replay_closed(struct net_slot *ns)
{
	static const struct replay replays[] = {
		{RECOV_SETTING_MSGLEVEL, replay_msglevel},
		{RECOV_SETTING_PRIVATE_FLAGS, replay_priv_flags},
		{RECOV_SETTING_CHANNELS, replay_channels},
		{RECOV_SETTING_RINGS, replay_ring},
		{RECOV_SETTING_WOL, replay_wol},
		{RECOV_SETTING_LINK, replay_link},
		{RECOV_SETTING_PAUSE, replay_pause},
		{RECOV_SETTING_FEC, replay_fec},
		{RECOV_SETTING_TUNABLES, replay_tunables},
	};

	return settings_replay(ns, replays, ARRAY_SIZE(replays));
}

bool net_settings_replay_open(struct net_slot *ns)
{
	static const struct replay replays[] = {
		{RECOV_SETTING_COALESCE, replay_coalesce},
		{RECOV_SETTING_RSS, replay_rss},
		{RECOV_SETTING_FLOW_HASH, replay_flow_hashes},
		{RECOV_SETTING_EEE, replay_eee},
	};

	return settings_replay(ns, replays, ARRAY_SIZE(replays));
}

void net_settings_free(struct net_slot *ns)
{
	free_rss(&ns->settings.rss);
	memset(&ns->settings, 0, sizeof(ns->settings));
}
