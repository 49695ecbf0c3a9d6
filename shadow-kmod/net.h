/* SPDX-License-Identifier: GPL-2.0 */
/* The net class: a slot's net_device, what is remembered of it, and its internal functions. */
#ifndef SHADOW_NET_H
#define SHADOW_NET_H

#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/sched.h>

#include "shadow.h"
#include "net_compat.h"

/* Pointers of a net_device that a driver sets and that lead into it. */
#define NET_POINTERS_MAX 16

/* What a driver keeps privately and ethtool can read and write. Filled in at hold. */
#define NET_FLOW_TYPES 10
#define NET_TUNABLES   4 /* ids from 1 on */

struct net_settings {
	bool has_ring, has_coalesce, has_pause, has_wol, has_channels, has_link, has_msglevel;
	bool has_priv_flags, has_eee, has_rss;
	struct ethtool_ringparam ring;
	struct kernel_ethtool_ringparam kernel_ring;
	struct ethtool_coalesce coalesce;
	struct kernel_ethtool_coalesce kernel_coalesce;
	struct ethtool_pauseparam pause;
	struct ethtool_wolinfo wol;
	struct ethtool_channels channels;
	struct ethtool_link_ksettings link;
	net_eee_t eee;
	u32 msglevel;
	u32 priv_flags;
	struct net_rss rss; /* its arrays belong to the slot */
	u16 has_flow_hash;  /* a bit for each of the types */
	u64 flow_hash[NET_FLOW_TYPES];
	bool has_fec;
	u32 fec;
	u8 has_tunable; /* a bit each */
	u32 tunable[NET_TUNABLES];
};

/* Writes to dev under rtnl, as does all below unless said otherwise. */
struct net_slot {
	struct recov_slot slot;
	struct net_device *dev;
	char driver[RECOV_NAME_LEN];
	struct task_struct *prober; /* runs probe() for the parent */
	bool rtnl;		    /* the prober holds it until the end of its probe() */
	int node;		    /* NUMA node of the parent while its probe() begins */

	bool running;	 /* the driver has been opened and not stopped */
	bool remembered; /* the fields from addr to wanted_features */
	bool hidden;	 /* the driver's pointers are in pointers[] */
	const void *pointers[NET_POINTERS_MAX];
	const struct attribute_group *rx_group; /* driver's group on each rx queue's kobject */

	char name[IFNAMSIZ];
	u8 addr[MAX_ADDR_LEN];
	u8 driver_addr[MAX_ADDR_LEN]; /* the one that the returned driver works with */
	unsigned char addr_assign_type;
	unsigned int mtu;
	unsigned int gso_max_size;
	unsigned short gso_max_segs;
	unsigned int real_num_tx, real_num_rx;
	netdev_features_t hw_features, wanted_features;
	int carrier_up, carrier_down;
	void __percpu *pcpu_stats;
	enum netdev_stat_type pcpu_type;
	struct rtnl_link_stats64 stats; /* shown while held */
	struct net_settings settings;
};

static inline struct net_slot *to_net_slot(struct recov_slot *slot)
{
	return container_of(slot, struct net_slot, slot);
}

static inline const struct net_slot *to_net_slot_const(const struct recov_slot *slot)
{
	return container_of(slot, struct net_slot, slot);
}

/* Functions of the kernel that are not exported, looked up once. */
struct net_ksyms {
	void (*run_linkwatch)(struct net_device *dev);
	struct vm_struct *(*find_vm_area)(const void *addr);
};
extern struct net_ksyms net_ksyms;

/* The slot of dev in the swap under way, or NULL. Any context; takes no lock. */
struct net_slot *net_slot_of(const struct net_device *dev);

/* The slot whose parent this task is probing, or NULL. Any context. */
struct net_slot *net_probing_slot(void);

/* In place of unregister_netdevice(). Under rtnl, in the driver's remove() or failing probe(). False:
 * the device has to go the stock way. */
bool net_detach(struct net_slot *ns);
/* In place of free_netdev(), once detached: the driver refers to dev no longer. */
void net_kept(struct net_slot *ns);

/* Stops the driver, if it runs; one that is not trusted is not called. The qdiscs stay active and fill
 * up. */
void net_stop(struct net_slot *ns, unsigned int drain_ms);

/* net_release.c */
int net_release_init(void);
int net_take(struct recov_slot *slot, unsigned int *ret_n);
void net_give_up(struct recov_slot *slot);
void *net_private_area(const struct recov_slot *slot, size_t *ret_size);
/* Do packets come out of that cache? Any context. */
extern struct kmem_cache *net_packet_cache, *net_pair_cache;
static inline bool net_is_packet_cache(const struct kmem_cache *cache)
{
	return cache == net_packet_cache || cache == net_pair_cache;
}
/* In the time stamp of packets that the driver has given back. Whoever gets the memory next clears it. */
#define NET_PACKET_FREED ((ktime_t)0x5d1f7c0ba3e96248)
bool net_in_flight(const struct tap_image *image, const struct recov_slot *slot,
		   unsigned long word);
void net_drop(unsigned long word);

/* net_lock.c */
/* Finds those NAPIs of dev for which napi_disable() would wait for ever: scheduled, and nobody will poll
 * them; or off, and the driver's call that was to switch them on again was cut short. True: somebody did
 * wait. May sleep; with rtnl or without. */
bool net_find_napis(struct net_device *dev, const char *driver);
/* The same of all devices of the driver. */
bool net_find_all_napis(const char *driver);
/* Deletes all NAPIs of dev. Under rtnl; synchronize_net() has to follow. */
void net_forget_napis(struct net_device *dev);
/* rtnl, if it is there within that time. May sleep. */
#define NET_LOCK_MS 15000 /* the patience of a swap */
bool net_lock_within(unsigned int ms);
/* Are its spinlocks such that all of them were free at some time by then? May sleep. */
#define NET_SPIN_MS 5000 /* most calls that loop with one have been ended by then */
bool net_locks_come_free(struct net_device *dev, unsigned int ms);
/* From begin to end all NAPIs of the driver are found, each second: whoever waits for one is not
 * waited for in vain. On the caller's stack, as is driver. May sleep; with rtnl or without. */
struct net_finder {
	struct delayed_work work;
	const char *driver;
};
void net_finder_begin(struct net_finder *finder, const char *driver);
void net_finder_end(struct net_finder *finder);

/* net_match.c */
int net_match(const char *driver, struct list_head *slots, bool asks);
/* Does a driver of that module run it? Under rtnl or RCU: a module goes a grace period later. */
bool net_is_of(const struct net_device *dev, const char *driver);
/* Why the device can't be carried over, or NULL. Under rtnl. */
const char *net_obstacle(struct net_device *dev);

/* net_pointers.c: the driver's pointers in dev, to nothing and back. Both do nothing when called
 * twice. */
void net_hide(struct net_slot *ns);
void net_show(struct net_slot *ns);
const struct net_device_ops *net_driver_ops(struct net_slot *ns);
extern const struct net_device_ops net_shadow_ops;
bool net_pointer_known(size_t offset);
/* A driver's attributes in the kobject of each rx queue. */
void net_remove_rx_group(struct net_device *dev);
void net_add_rx_group(struct net_device *dev, const struct attribute_group *group);

/* net_adopt.c */
void net_adopt_begin(struct recov_slot *slot);
void net_adopt_end(struct recov_slot *slot, bool bound);
/* Takes rtnl for the rest of this task's probe(), unless it holds it already. Held from the first
 * moment at which the driver works on dev, which everybody can see, or takes rtnl itself. */
void net_probe_lock(struct net_slot *ns);
bool net_probe_trylock(struct net_slot *ns); /* likewise, if nobody else has it */
/* In place of alloc_netdev_mqs(), in probe(), under its rtnl. NULL as there. */
struct net_device *net_adopt(struct net_slot *ns, int sizeof_priv, const char *name,
			     unsigned char name_assign_type, void (*setup)(struct net_device *),
			     unsigned int txqs, unsigned int rxqs);
/* In place of register_netdevice(). */
int net_adopt_registered(struct net_slot *ns);
/* In place of free_netdev() by a driver that has not registered; net_kept() follows. */
void net_unadopt(struct net_slot *ns);

/* net_hooks.c */
#define N_NET_HOOKS 12
extern struct recov_hook net_hooks[N_NET_HOOKS];

/* net_settings.c */
void net_settings_record(struct net_slot *ns);
/* What a driver takes only before it is opened, and what it takes after. Failures are noted in
 * the slot. False: as recov_slot_restore(). */
bool net_settings_replay_closed(struct net_slot *ns);
bool net_settings_replay_open(struct net_slot *ns);
void net_settings_free(struct net_slot *ns);
/* Number of ethtool flow rules; their contents can't be carried over yet. */
u32 net_settings_rules(struct net_device *dev);

#endif /* SHADOW_NET_H */
