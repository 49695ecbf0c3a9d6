// SPDX-License-Identifier: GPL-2.0
/* What is asked of network drivers, at the network core's dispatch points. */
#include "entry.h"

#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/sockios.h>

#define ETHTOOL_HEADER	   1 /* first attribute of all ethtool messages, with two of these */
#define ETHTOOL_DEV_INDEX  1
#define ETHTOOL_DEV_NAME   2
#define NLA_TYPE_MASK	   0x3fff
#define NLMSG_AND_GENL_LEN 20
#define ETHTOOL_IOCTL_LEN  192 /* as much as is read of a structure of any command's */

extern const void ethtool_genl_family __ksym;

/* Both halves of a call that has the device as its first argument and sets what `data` says. */
static __always_inline void net_begin(u32 kind, struct net_device *dev)
{
	entry_begin(slot_of_netdev(dev), kind, 0, parent_of_netdev(dev));
}

static __always_inline void net_end(u32 kind, struct net_device *dev, u64 what, s64 result,
				    const void *data, u32 size)
{
	int slot = slot_of_netdev(dev);
	u64 asked_ns;

	if (slot < 0)
		return;
	asked_ns = entry_end(slot, kind, result);
	request_log(&(struct request){.slot = slot,
				      .kind = kind,
				      .object = (u64)dev,
				      .what = what,
				      .result = result,
				      .data = data,
				      .size = size,
				      .asked_ns = asked_ns,
				      .device = parent_of_netdev(dev)});
}

SEC("fentry/__dev_open")
int BPF_PROG(on_dev_open, struct net_device *dev)
{
	net_begin(RECOV_ENTRY_NET_OPEN, dev);
	return 0;
}

SEC("fexit/__dev_open")
int BPF_PROG(on_dev_opened, struct net_device *dev, void *extack, int ret)
{
	net_end(RECOV_ENTRY_NET_OPEN, dev, 0, ret, NULL, 0);
	return 0;
}

/* Takes a list; nearly always it has one device on it. */
static __always_inline struct net_device *first_closed(struct list_head *head)
{
	struct list_head *next = BPF_CORE_READ(head, next);

	return next == head ? NULL
			    : (void *)next - bpf_core_field_offset(struct net_device, close_list);
}

SEC("fentry/__dev_close_many")
int BPF_PROG(on_dev_close, struct list_head *head)
{
	struct net_device *dev = first_closed(head);

	if (dev)
		net_begin(RECOV_ENTRY_NET_STOP, dev);
	return 0;
}

SEC("fexit/__dev_close_many")
int BPF_PROG(on_dev_closed, struct list_head *head)
{
	struct net_device *dev = first_closed(head);

	if (dev)
		net_end(RECOV_ENTRY_NET_STOP, dev, 0, 0, NULL, 0);
	return 0;
}

SEC("fentry/dev_set_mac_address")
int BPF_PROG(on_set_mac, struct net_device *dev)
{
	net_begin(RECOV_ENTRY_NET_MAC, dev);
	return 0;
}

SEC("fexit/dev_set_mac_address")
int BPF_PROG(on_mac_set, struct net_device *dev, const void *address, void *extack, int ret)
{
	/* Behind the family of the socket address. */
	net_end(RECOV_ENTRY_NET_MAC, dev, 0, ret, address + 2, BPF_CORE_READ(dev, addr_len));
	return 0;
}

SEC("fentry/dev_set_mtu_ext")
int BPF_PROG(on_set_mtu, struct net_device *dev)
{
	net_begin(RECOV_ENTRY_NET_MTU, dev);
	return 0;
}

SEC("fexit/dev_set_mtu_ext")
int BPF_PROG(on_mtu_set, struct net_device *dev, int mtu, void *extack, int ret)
{
	net_end(RECOV_ENTRY_NET_MTU, dev, 0, ret, &mtu, sizeof(mtu));
	return 0;
}

SEC("fentry/__dev_set_rx_mode")
int BPF_PROG(on_set_rx_mode, struct net_device *dev)
{
	net_begin(RECOV_ENTRY_NET_RX_MODE, dev);
	return 0;
}

SEC("fexit/__dev_set_rx_mode")
int BPF_PROG(on_rx_mode_set, struct net_device *dev)
{
	u32 flags = BPF_CORE_READ(dev, flags);

	net_end(RECOV_ENTRY_NET_RX_MODE, dev, 0, 0, &flags, sizeof(flags));
	return 0;
}

SEC("fentry/__netdev_update_features")
int BPF_PROG(on_set_features, struct net_device *dev)
{
	net_begin(RECOV_ENTRY_NET_FEATURES, dev);
	return 0;
}

SEC("fexit/__netdev_update_features")
int BPF_PROG(on_features_set, struct net_device *dev, int ret)
{
	u64 wanted = BPF_CORE_READ(dev, wanted_features);

	net_end(RECOV_ENTRY_NET_FEATURES, dev, 0, ret, &wanted, sizeof(wanted));
	return 0;
}

/* `what` is the VLAN; data: 1 added, 0 removed. */
SEC("fentry/vlan_vid_add")
int BPF_PROG(on_add_vid, struct net_device *dev)
{
	net_begin(RECOV_ENTRY_NET_VLAN, dev);
	return 0;
}

SEC("fexit/vlan_vid_add")
int BPF_PROG(on_vid_added, struct net_device *dev, u32 protocol, u32 id, int ret)
{
	u8 there = 1;

	net_end(RECOV_ENTRY_NET_VLAN, dev, (u16)id, ret, &there, sizeof(there));
	return 0;
}

SEC("fexit/vlan_vid_del")
int BPF_PROG(on_vid_removed, struct net_device *dev, u32 protocol, u32 id)
{
	u8 there = 0;

	net_end(RECOV_ENTRY_NET_VLAN, dev, (u16)id, 0, &there, sizeof(there));
	return 0;
}

/* ---- by name or index: ethtool and ioctls ---- */

struct wanted {
	char name[16];
	u32 index; /* 0: by name */
	struct net *net;
	struct list_head *head, *at;
	struct net_device *found;
};

static __always_inline bool same_name(const char *a, const char *b)
{
	for (int i = 0; i < 16; i++) {
		if (a[i] != b[i])
			return false;
		if (!a[i])
			break;
	}
	return true;
}

#define NETDEVS_MAX 1024 /* of a network namespace that are looked through */

static long look_at_netdev(u32 i, struct wanted *wanted)
{
	struct list_head *at = wanted->at;
	struct net_device *dev = (void *)at - bpf_core_field_offset(struct net_device, dev_list);
	char name[16] = {};

	if (at == wanted->head)
		return 1;
	if (wanted->index) {
		if (BPF_CORE_READ(dev, ifindex) == (int)wanted->index)
			wanted->found = dev;
	} else {
		bpf_probe_read_kernel_str(name, sizeof(name), dev->name);
		if (same_name(name, wanted->name))
			wanted->found = dev;
	}
	wanted->at = BPF_CORE_READ(at, next);
	return wanted->found || !wanted->at;
}

/* NULL, too, if its driver is not watched. */
static __always_inline struct net_device *find_netdev(struct wanted *wanted)
{
	struct net *net = wanted->net;

	if (!net)
		return NULL;
	wanted->head = __builtin_preserve_access_index(&net->dev_base_head);
	wanted->at = BPF_CORE_READ(net, dev_base_head.next);
	bpf_loop(NETDEVS_MAX, look_at_netdev, wanted, 0);
	return wanted->found && slot_of_netdev(wanted->found) >= 0 ? wanted->found : NULL;
}

/* Commands that set a state. What acts once (a reset, a flash, a test) is none. */
static __always_inline bool sets_state(u32 command)
{
	switch (command) {
	case ETHTOOL_SSET:
	case ETHTOOL_SWOL:
	case ETHTOOL_SMSGLVL:
	case ETHTOOL_SCOALESCE:
	case ETHTOOL_SRINGPARAM:
	case ETHTOOL_SPAUSEPARAM:
	case ETHTOOL_SRXCSUM:
	case ETHTOOL_STXCSUM:
	case ETHTOOL_SSG:
	case ETHTOOL_STSO:
	case ETHTOOL_SUFO:
	case ETHTOOL_SGSO:
	case ETHTOOL_SFLAGS:
	case ETHTOOL_SPFLAGS:
	case ETHTOOL_SRXFH:
	case ETHTOOL_SGRO:
	case ETHTOOL_SRXCLSRLDEL:
	case ETHTOOL_SRXCLSRLINS:
	case ETHTOOL_SRXNTUPLE:
	case ETHTOOL_SRXFHINDIR:
	case ETHTOOL_SFEATURES:
	case ETHTOOL_SCHANNELS:
	case ETHTOOL_SEEE:
	case ETHTOOL_SRSSH:
	case ETHTOOL_STUNABLE:
	case ETHTOOL_SLINKSETTINGS:
	case ETHTOOL_PHY_STUNABLE:
	case ETHTOOL_SFECPARAM:
		return true;
	}
	return false;
}

/* Of these a second number says what is set. */
static __always_inline bool is_numbered(u32 command)
{
	return command == ETHTOOL_SRXFH || command == ETHTOOL_STUNABLE ||
	       command == ETHTOOL_PHY_STUNABLE;
}

/* The same of messages; the last two are younger than the headers (6.3, 6.4). */
static __always_inline bool message_sets_state(u32 command)
{
	switch (command) {
	case ETHTOOL_MSG_LINKINFO_SET:
	case ETHTOOL_MSG_LINKMODES_SET:
	case ETHTOOL_MSG_DEBUG_SET:
	case ETHTOOL_MSG_WOL_SET:
	case ETHTOOL_MSG_FEATURES_SET:
	case ETHTOOL_MSG_PRIVFLAGS_SET:
	case ETHTOOL_MSG_RINGS_SET:
	case ETHTOOL_MSG_CHANNELS_SET:
	case ETHTOOL_MSG_COALESCE_SET:
	case ETHTOOL_MSG_PAUSE_SET:
	case ETHTOOL_MSG_EEE_SET:
	case ETHTOOL_MSG_FEC_SET:
	case ETHTOOL_MSG_MODULE_SET:
	case ETHTOOL_MSG_PSE_SET:
	case 40: /* PLCA */
	case 43: /* MAC merge */
		return true;
	}
	return false;
}

/* What is set, before the answer overwrites it: the command, and above it the number of what. */
SEC("fentry/dev_ethtool")
int BPF_PROG(on_ethtool, struct net *net, const char *ifr, const void *argument)
{
	struct wanted wanted = {.net = net};
	u32 command[2] = {};
	struct net_device *dev;

	if (!state.span.end || bpf_probe_read_user(command, sizeof(command), argument) ||
	    !sets_state(command[0]))
		return 0;
	bpf_probe_read_kernel_str(wanted.name, sizeof(wanted.name), ifr);
	dev = find_netdev(&wanted);
	if (!dev)
		return 0;
	request_ask(&(struct request){
		.slot = slot_of_netdev(dev),
		.kind = RECOV_ENTRY_NET_ETHTOOL,
		.object = (u64)dev,
		.what = is_numbered(command[0]) ? (u64)command[1] << 32 | command[0] : command[0],
		.data = argument,
		.size = ETHTOOL_IOCTL_LEN,
		.user = true,
		.device = parent_of_netdev(dev)});
	return 0;
}

SEC("fexit/dev_ethtool")
int BPF_PROG(on_ethtool_done, struct net *net, const char *ifr, const void *argument, int ret)
{
	if (state.span.end)
		request_done(RECOV_ENTRY_NET_ETHTOOL, ret);
	return 0;
}

/* The other ioctls of network devices that only ask. */
static __always_inline bool just_asks(u32 command)
{
	return command == SIOCGMIIPHY || command == SIOCGMIIREG || command == SIOCGHWTSTAMP;
}

SEC("fexit/dev_ifsioc")
int BPF_PROG(on_net_ioctl, struct net *net, const char *ifr, void *data, unsigned int command,
	     int ret)
{
	struct wanted wanted = {.net = net};
	struct net_device *dev;

	if (!state.span.end || just_asks(command))
		return 0;
	bpf_probe_read_kernel_str(wanted.name, sizeof(wanted.name), ifr);
	dev = find_netdev(&wanted);
	if (dev)
		request_log(&(struct request){.slot = slot_of_netdev(dev),
					      .kind = RECOV_ENTRY_NET_IOCTL,
					      .object = (u64)dev,
					      .what = command,
					      .result = ret,
					      .data = ifr + 16,
					      .size = 24,
					      .device = parent_of_netdev(dev)});
	return 0;
}

struct attribute {
	u16 len, type;
};

/* The device that an ethtool message is for: its first attribute, with an index or a name in it. */
static __always_inline void read_header(const char *message, struct wanted *wanted)
{
	const char *at = message + NLMSG_AND_GENL_LEN;
	struct attribute header = {}, inner = {};
	const char *end;

	bpf_probe_read_kernel(&header, sizeof(header), at);
	if ((header.type & NLA_TYPE_MASK) != ETHTOOL_HEADER)
		return;
	end = at + header.len;
	at += sizeof(header);
	for (int i = 0; i < 4 && at + sizeof(inner) <= end; i++) {
		bpf_probe_read_kernel(&inner, sizeof(inner), at);
		if ((inner.type & NLA_TYPE_MASK) == ETHTOOL_DEV_INDEX)
			bpf_probe_read_kernel(&wanted->index, sizeof(wanted->index),
					      at + sizeof(inner));
		if ((inner.type & NLA_TYPE_MASK) == ETHTOOL_DEV_NAME)
			bpf_probe_read_kernel_str(wanted->name, sizeof(wanted->name),
						  at + sizeof(inner));
		at += (inner.len + 3) & ~3;
	}
}

struct message {
	u32 len;
	u16 type, flags;
	u32 seq, port;
	u8 command, version;
	u16 reserved;
};

/* A message as it comes: sent again it sets the same. `what` is its command, above all ioctls'. */
SEC("fentry/genl_rcv_msg")
int BPF_PROG(on_genl, struct sk_buff *skb, const char *nlh)
{
	const struct genl_family *family = (const void *)&ethtool_genl_family;
	struct wanted wanted = {};
	struct message message = {};
	struct net_device *dev;

	if (!state.span.end)
		return 0;
	bpf_probe_read_kernel(&message, sizeof(message), nlh);
	if (message.type != BPF_CORE_READ(family, id) || !message_sets_state(message.command))
		return 0;
	wanted.net = BPF_CORE_READ(skb, sk, __sk_common.skc_net.net);
	read_header(nlh, &wanted);
	dev = find_netdev(&wanted);
	if (dev)
		request_ask(&(struct request){.slot = slot_of_netdev(dev),
					      .kind = RECOV_ENTRY_NET_ETHTOOL,
					      .object = (u64)dev,
					      .what = 1UL << 63 | message.command,
					      .data = nlh,
					      .size = message.len,
					      .device = parent_of_netdev(dev)});
	return 0;
}

SEC("fexit/genl_rcv_msg")
int BPF_PROG(on_genl_done, struct sk_buff *skb, const char *nlh, void *extack, int ret)
{
	if (state.span.end)
		request_done(RECOV_ENTRY_NET_ETHTOOL, ret);
	return 0;
}

/* Not free_netdev(): a swap keeps the device while its driver thinks that it is gone. */
SEC("fentry/netdev_release")
int BPF_PROG(on_netdev_release, struct device *device)
{
	u64 dev = (u64)device - bpf_core_field_offset(struct net_device, dev);

	if (state.span.end)
		requests_forget(&dev);
	return 0;
}
