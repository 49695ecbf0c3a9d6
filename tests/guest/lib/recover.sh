# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Recovers a driver, and looks at what was taken from it.

# recover_driver DRIVER [OPTION...]: the result stays in $RESULTS/swap.json.
recover_driver() {
	recovctl recover "$@" --json >"$RESULTS/swap.json" || {
		cat "$RESULTS/swap.json"
		dmesg | tail -n 5
		return 1
	}
	jq -cM '.released' "$RESULTS/swap.json"
}

# released FILTER: holds for the counts of what was taken.
released() {
	jq -cM .released "$RESULTS/swap.json"
	jq -e ".released | $1" "$RESULTS/swap.json"
}
