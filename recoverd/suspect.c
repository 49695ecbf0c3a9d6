// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks through a driver's request log for what it may have failed in. */
#include "suspect.h"

#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>

#include "../include/recov_observe.h"
#include "../include/recov_shadow.h"
#include "cleanup.h"
#include "observation.h"
#include "text.h"

#define IS_MESSAGE (UINT64_C(1) << 63) /* in `what`: a netlink message, not an ioctl */

static uint32_t setting_of_ioctl(uint32_t command)
{
	switch (command) {
	case ETHTOOL_SRXCSUM:
	case ETHTOOL_STXCSUM:
	case ETHTOOL_SSG:
	case ETHTOOL_STSO:
	case ETHTOOL_SUFO:
	case ETHTOOL_SGSO:
	case ETHTOOL_SGRO:
	case ETHTOOL_SFLAGS:
	case ETHTOOL_SFEATURES:
		return RECOV_SETTING_FEATURES;
	case ETHTOOL_SSET:
	case ETHTOOL_SLINKSETTINGS:
		return RECOV_SETTING_LINK;
	case ETHTOOL_SMSGLVL:
		return RECOV_SETTING_MSGLEVEL;
	case ETHTOOL_SPFLAGS:
		return RECOV_SETTING_PRIVATE_FLAGS;
	case ETHTOOL_SCHANNELS:
		return RECOV_SETTING_CHANNELS;
	case ETHTOOL_SRINGPARAM:
		return RECOV_SETTING_RINGS;
	case ETHTOOL_SWOL:
		return RECOV_SETTING_WOL;
	case ETHTOOL_SPAUSEPARAM:
		return RECOV_SETTING_PAUSE;
	case ETHTOOL_SFECPARAM:
		return RECOV_SETTING_FEC;
	case ETHTOOL_STUNABLE:
		return RECOV_SETTING_TUNABLES;
	case ETHTOOL_SCOALESCE:
		return RECOV_SETTING_COALESCE;
	case ETHTOOL_SRXFHINDIR:
	case ETHTOOL_SRSSH:
		return RECOV_SETTING_RSS;
	case ETHTOOL_SRXFH:
		return RECOV_SETTING_FLOW_HASH;
	case ETHTOOL_SEEE:
		return RECOV_SETTING_EEE;
	}
	return RECOV_SETTING_NONE;
}

static uint32_t setting_of_message(uint32_t command)
{
	switch (command) {
	case ETHTOOL_MSG_FEATURES_SET:
		return RECOV_SETTING_FEATURES;
	case ETHTOOL_MSG_LINKINFO_SET:
	case ETHTOOL_MSG_LINKMODES_SET:
		return RECOV_SETTING_LINK;
	case ETHTOOL_MSG_DEBUG_SET:
		return RECOV_SETTING_MSGLEVEL;
	case ETHTOOL_MSG_PRIVFLAGS_SET:
		return RECOV_SETTING_PRIVATE_FLAGS;
	case ETHTOOL_MSG_CHANNELS_SET:
		return RECOV_SETTING_CHANNELS;
	case ETHTOOL_MSG_RINGS_SET:
		return RECOV_SETTING_RINGS;
	case ETHTOOL_MSG_WOL_SET:
		return RECOV_SETTING_WOL;
	case ETHTOOL_MSG_PAUSE_SET:
		return RECOV_SETTING_PAUSE;
	case ETHTOOL_MSG_FEC_SET:
		return RECOV_SETTING_FEC;
	case ETHTOOL_MSG_COALESCE_SET:
		return RECOV_SETTING_COALESCE;
	case ETHTOOL_MSG_EEE_SET:
		return RECOV_SETTING_EEE;
	}
	return RECOV_SETTING_NONE;
}

/* The other ioctls of network devices. */
static uint32_t setting_of_net_ioctl(uint32_t command)
{
	switch (command) {
	case SIOCSIFMTU:
		return RECOV_SETTING_MTU;
	case SIOCSIFHWADDR:
		return RECOV_SETTING_MAC;
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return RECOV_SETTING_RX_MODE;
	}
	return RECOV_SETTING_NONE;
}

static uint32_t setting_of(const json_t *request)
{
	static const struct {
		enum recov_entry_kind kind;
		uint32_t setting;
	} table[] = {
		{RECOV_ENTRY_NET_FEATURES, RECOV_SETTING_FEATURES},
		{RECOV_ENTRY_NET_MAC, RECOV_SETTING_MAC},
		{RECOV_ENTRY_NET_MTU, RECOV_SETTING_MTU},
		{RECOV_ENTRY_NET_VLAN, RECOV_SETTING_VLANS},
		{RECOV_ENTRY_NET_RX_MODE, RECOV_SETTING_RX_MODE},
	};
	const char *kind = json_string_value(json_object_get(request, "kind"));
	const char *what = json_string_value(json_object_get(request, "what"));
	uint64_t command = what ? strtoull(what, NULL, 16) : 0;

	if (!kind)
		return RECOV_SETTING_NONE;
	if (strcmp(kind, observer_kind_name(RECOV_ENTRY_NET_ETHTOOL)) == 0)
		return command & IS_MESSAGE ? setting_of_message((uint32_t)command)
					    : setting_of_ioctl((uint32_t)command);
	if (strcmp(kind, observer_kind_name(RECOV_ENTRY_NET_IOCTL)) == 0)
		return setting_of_net_ioctl((uint32_t)command);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(kind, observer_kind_name(table[i].kind)) == 0)
			return table[i].setting;
	}
	return RECOV_SETTING_NONE;
}

static uint64_t asked_ns(const json_t *request)
{
	return (uint64_t)json_integer_value(json_object_get(request, "asked_ns"));
}

struct suspect suspect_find(struct manager *manager, const char *driver, uint64_t fault_ns,
			    uint32_t within_ms)
{
	json_auto_t *requests = observation_requests(manager, driver);
	const json_t *request, *last = NULL;
	struct suspect suspect = {};
	const char *device;
	size_t i;

	json_array_foreach(requests, i, request) {
		if (asked_ns(request) <= fault_ns && (!last || asked_ns(request) > asked_ns(last)))
			last = request;
	}
	device = json_string_value(json_object_get(last, "device"));
	/* A name of that length may have been cut. */
	if (!device || strlen(device) >= RECOV_LABEL_LEN - 1 ||
	    asked_ns(last) + within_ms * UINT64_C(1000000) < fault_ns)
		return suspect;
	suspect.setting = setting_of(last);
	strcpy(suspect.device, device);
	return suspect;
}

json_t *suspect_json(const struct suspect *suspect)
{
	if (!suspect || !suspect->setting)
		return json_null();
	return json_pack("{s:o, s:s}", "device", text_json(suspect->device), "setting",
			 replug_setting_name(suspect->setting));
}
