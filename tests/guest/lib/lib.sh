# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the guest tests share. A test has the line `# vm: --file tests/guest/lib --file
# tests/netstate` and begins with `. lib/lib.sh`, which makes it stop at the first error that it
# does not expect.
set -euo pipefail
# shellcheck source=../../vm/guest.sh
. guest.sh
# shellcheck source=nic.sh
. lib/nic.sh
# shellcheck source=flows.sh
. lib/flows.sh
# shellcheck source=daemon.sh
. lib/daemon.sh
# shellcheck source=image.sh
. lib/image.sh

# Where results are kept, each by the name its test gave it.
RESULTS=/tmp/results
mkdir -p "$RESULTS"

# show FILE: its lines as diagnostics.
show() {
	local line
	while IFS= read -r line; do
		note "$line"
	done <"$1"
}

# expect NAME COMMAND...: as check, but a test that cannot go on without it ends here.
expect() {
	local failed=$TESTS_FAILED
	check "$@"
	((TESTS_FAILED == failed)) || finish
}

# Lines of the kernel log that no test may cause.
COMPLAINTS='WARNING: |BUG: |Oops|general protection|soft lockup|hard LOCKUP|rcu: INFO'
COMPLAINTS+='|blocked for more than|refcount_t|unregister_netdevice: waiting|list_(add|del) corr'
COMPLAINTS+='|NMI received|scheduling while atomic|RTNL: assertion|[Ll]eaked|double free|Bad page state'

clean_log() {
	! dmesg | grep -E "$COMPLAINTS"
}

# check_clean_log: the kernel had nothing to complain about so far.
check_clean_log() {
	check "the kernel log is clean" clean_log
}
