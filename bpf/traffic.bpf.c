// SPDX-License-Identifier: GPL-2.0
/* Polls and transmissions of network drivers: a packet's path, so only while somebody looks. */
#include "entry.h"

SEC("tp_btf/napi_poll")
int BPF_PROG(on_poll, struct napi_struct *napi, int work)
{
	u64 poll = (u64)napi->poll;
	struct entering entering = {
		.slot = slot_of_code(poll), .kind = RECOV_ENTRY_POLL, .function = poll};

	/* The tracepoint comes after the poll: there is a count, but no time. */
	count_entry(&entering);
	return 0;
}

SEC("raw_tp/net_dev_start_xmit")
int BPF_PROG(on_xmit, const struct sk_buff *skb, const struct net_device *dev)
{
	cpu_entry_begin(slot_of_address((u64)BPF_CORE_READ(dev, netdev_ops)), RECOV_ENTRY_XMIT, 0);
	return 0;
}

SEC("raw_tp/net_dev_xmit")
int BPF_PROG(on_xmit_done, struct sk_buff *skb, int result, struct net_device *dev)
{
	if (slot_of_address((u64)BPF_CORE_READ(dev, netdev_ops)) >= 0)
		cpu_entry_end(RECOV_ENTRY_XMIT);
	return 0;
}
