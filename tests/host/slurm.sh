#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A campaign as an array job of a Slurm of one node, which is set up on loopback for this test, by
# whoever runs it, and taken down again.
#
# Usage: slurm.sh KERNEL
# vm-kernel: 6.1
# shellcheck disable=SC2317	# check calls these functions
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../../scripts/lib.sh
. scripts/lib.sh
# shellcheck source=../vm/guest.sh
. tests/vm/guest.sh

kernel=$1
for program in mungekey munged slurmctld slurmd sbatch; do
	command -v $program >/dev/null || {
		say "no $program here: run scripts/setup cluster"
		exit 4
	}
done

mkdir -p build
home=$(mktemp -d "$PWD/build/slurm.XXXXXX")
daemons=()

cleanup() {
	local pid
	[[ ! -e $home/slurm.conf ]] || scancel --user="$(id -un)" --full 2>/dev/null || true
	eventually 20 no_jobs || true
	for pid in "${daemons[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait
	rm -rf "$home"
}
trap cleanup EXIT
trap 'exit 143' TERM HUP INT

# free_ports N: ports that nobody listens at.
free_ports() {
	python3 - "$1" <<-'END'
		import socket, sys
		sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
		print(*(one.getsockname()[1] for one in sockets))
	END
}

configure() {
	local ports
	read -ra ports < <(free_ports 2)
	mkdir "$home"/{state,spool}
	cat >"$home/slurm.conf" <<-END
		ClusterName=test
		SlurmctldHost=$(hostname -s)(127.0.0.1)
		SlurmctldPort=${ports[0]}
		SlurmdPort=${ports[1]}
		SlurmUser=$(id -un)
		SlurmdUser=$(id -un)
		AuthType=auth/munge
		CredType=cred/munge
		# How long a requeued job has to wait.
		AuthInfo=socket=$home/munge.socket,cred_expire=5
		StateSaveLocation=$home/state
		SlurmdSpoolDir=$home/spool
		SlurmctldPidFile=$home/slurmctld.pid
		SlurmdPidFile=$home/slurmd.pid
		SlurmctldLogFile=$home/slurmctld.log
		SlurmdLogFile=$home/slurmd.log
		MpiDefault=none
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		SlurmdParameters=config_overrides
		NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=2 RealMemory=16384
		PartitionName=all Nodes=ALL Default=YES
	END
	export SLURM_CONF=$home/slurm.conf
}

# start COMMAND [ARG...]: a daemon.
start() {
	"$@" >>"$home/$1.out" 2>&1 &
	daemons+=($!)
}

idle() {
	[[ $(sinfo --noheader --format %t) == idle ]]
}

no_jobs() {
	[[ ! $(squeue --noheader) ]]
}

# trials FILE: those with seeds, golden runs left out.
trials() {
	jq -r 'select(.schema == "recov.trial/1" and .seed != null) | .id' "$1" 2>/dev/null
}

has_trial() {
	[[ $(trials "$home/c/shard-1/trials.jsonl") ]]
}

# ended_well JOB: all of its tasks.
ended_well() {
	[[ $(squeue --noheader --states=all --array --format %T --job "$1" | sort -u) == COMPLETED ]]
}

no_trial_twice() {
	local shard
	for shard in 1 2; do
		[[ ! $(trials "$home/c/shard-$shard/trials.jsonl" | sort | uniq -d) ]] || return 1
	done
}

same_coverage() {
	cmp "$home/c/coverage.json" "$home/c/shard-1/coverage.json" &&
		cmp "$home/c/coverage.json" "$home/c/shard-2/coverage.json"
}

# restarted JOB: how often.
restarted() {
	scontrol show job "$1" | grep -o 'Restarts=[0-9]*'
}

configure
mungekey --create --keyfile="$home/munge.key"
# Its folder may be one that a group can write to.
start munged --foreground --force --key-file="$home/munge.key" --socket="$home/munge.socket" \
	--pid-file="$home/munged.pid" --log-file="$home/munged.log" --seed-file="$home/munge.seed"
eventually 10 test -S "$home/munge.socket" || die "munged: $(tail -n 1 "$home/munged.out")"
start slurmctld -D
start slurmd -D
eventually 30 idle || die "Slurm: $(grep -h 'error:' "$home"/slurm*.log | tail -n 1)"

job=$(sbatch --parsable --array=1-2 --cpus-per-task=1 --output="$home/task-%a" \
	tests/campaign.d/campaign.sbatch "$home/c" --kernel "$kernel" --seeds 8 --mode stock --golden 1)
report=$(sbatch --parsable --dependency="afterok:$job" --kill-on-invalid-dep=yes \
	--output="$home/report" \
	--wrap "tests/campaign report $home/c/shard-* --out $home/c --min-valid 100")
check "a shard runs" eventually 150 has_trial
check "which is preempted" scontrol requeue "${job}_1"
check "the array job and the report after it come to an end" eventually 200 no_jobs
check "each shard ended well" ended_well "$job"
check "so did the report" ended_well "$report"
check "one shard was started again" test "$(restarted "${job}_1")" = Restarts=1
check "it went on where it was" no_trial_twice
check "the shards have the same coverage" same_coverage
check "the report has all trials" jq -es 'map([.mode, .trials, .valid, .seeds]) ==
	[["stock", 8, 8, "1-8"]]' "$home/c/summary.jsonl"
if ((TESTS_FAILED)); then
	tail -n 20 "$home"/task-* "$home/report" "$home"/slurm*.log 2>&1 | sed 's/^/# /' || true
fi
finish
