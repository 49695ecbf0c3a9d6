# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line."""

import argparse
import pathlib
import shutil
import signal
import sys

from . import device, kernel, report, runner, summary
from .error import FAILED, UNSUPPORTED, USAGE, CampaignError
from .plan import Planner
from .seeds import of_shard, shard
from .seeds import parse as parse_seeds
from .store import Store
from .template import BUILD, HERE

EPILOG = """A campaign's folder has its state, trials.jsonl with an object a trial: started again
with the same options, only what is missing is run. The reports are written there as well.

Exit status: 0 done, and within the thresholds, which report judges for shards; 1 a threshold is
exceeded, a golden run failed, a shard is not complete, or a replayed trial ended otherwise than before;
2 usage; 4 it cannot run here, or the guest never gets warm."""


MIN_VALID = 90    # %


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong."""

    def error(self, message):
        raise CampaignError(USAGE, f"{message}; see --help")


def share(text):
    """A percentage."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is no share from 0 to 100")
    return value


def count(text):
    """A positive number."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return int(text)


def thresholds(verb):
    """The options of a verb that judges."""
    limits = verb.add_argument_group("thresholds, in % of the valid trials with recoverd, or, "
                                     "without any, of the stock ones")
    limits.add_argument("--max-machine-lost", type=share, help="more is a failure")
    limits.add_argument("--min-served", type=share, help="fewer that serve at the end is one")
    limits.add_argument("--min-valid", type=share, help=f"of all trials ({MIN_VALID})")


def parser():
    """Of the whole command line."""
    top = Parser(prog="campaign", description=
                 "Plants faults into a driver, by seeds, in copies of a warm guest, and tells what "
                 "becomes of it.", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(dest="verb", required=True, parser_class=Parser)
    run = verbs.add_parser("run", help="run a campaign, or what is left of one")
    run.add_argument("--out", type=pathlib.Path, help="its folder (build/campaign/DRIVER-KERNEL)")
    run.add_argument("--driver", default="e1000", help=f"one of {' '.join(device.DEVICES)} (e1000)")
    run.add_argument("--kernel", default="6.1", help="6.1, 6.12, or a kernel's image file (6.1)")
    run.add_argument("--modules", type=pathlib.Path, help="of that image (/lib/modules/RELEASE)")
    run.add_argument("--headers", type=pathlib.Path, help="of that image (MODULES/build)")
    run.add_argument("--ko", type=pathlib.Path, help="the driver's module file, in place of its own")
    run.add_argument("--mode", choices=("stock", "recoverd", "paired"),
                     help="without recoverd, with it, or the same seeds with both (paired, or stock "
                          "if recoverd does not swap the driver)")
    run.add_argument("--seeds", default="20", help="N for 1..N, A-B, or a file (20)")
    run.add_argument("--faults", type=count, default=5, help="in each trial (5)")
    run.add_argument("--class", dest="classes", help="of faults, with commas between them")
    run.add_argument("--preset", help="a set of classes: nooks")
    run.add_argument("--coverage", type=pathlib.Path,
                     help="of an earlier campaign, or a file for all shards: the first one makes it")
    run.add_argument("--workload", type=pathlib.Path,
                     help="a script of your own, in place of that of the driver's class; see "
                          "tests/campaign.d/net.sh")
    run.add_argument("--golden", type=count, default=3, help="runs without faults before (3)")
    run.add_argument("--cpus", type=count, default=1, help="of a guest (1)")
    run.add_argument("-j", "--jobs", type=count, default=2, help="so many guests at a time (2)")
    run.add_argument("--shard", default="1/1", help="only the i-th of n parts: i/n")
    thresholds(run)
    merge = verbs.add_parser("report", help="write the reports of a campaign, or of its shards")
    merge.add_argument("folders", nargs="+", type=pathlib.Path, metavar="FOLDER")
    merge.add_argument("--out", type=pathlib.Path, help="into this folder (the first one)")
    thresholds(merge)
    replay = verbs.add_parser("replay", help="run one trial once more")
    replay.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    replay.add_argument("--trial", required=True, help="its name, such as stock-17")
    return top


def complete(options):
    """Check what the parser cannot, and fill in what follows from the rest."""
    options.modes = device.modes(options.driver, options.mode)
    options.seeds = parse_seeds(options.seeds)
    options.shard = shard(options.shard)
    if options.classes and options.preset:
        raise CampaignError(USAGE, "--class and --preset exclude each other")
    if options.shard[1] > 1 and (options.max_machine_lost, options.min_served,
                                 options.min_valid) != (None, None, None):
        raise CampaignError(USAGE, "thresholds are not for a shard: give them to report, which has "
                                   "all of them")
    if not of_shard(options.seeds, options.shard):
        raise CampaignError(USAGE, f"shard {options.shard[0]} has no seed: there are only "
                                   f"{len(options.seeds)}")
    for name in ("ko", "workload"):
        path = getattr(options, name)
        if path and not path.is_file():
            raise CampaignError(USAGE, f"--{name} {path}: there is no such file")
    if not options.workload:
        options.workload = HERE / device.find(options.driver).workload
    if options.coverage and not options.coverage.parent.is_dir():
        raise CampaignError(USAGE, f"--coverage {options.coverage}: there is no such folder")
    needs_qemu()
    if not (BUILD / "recovctl").exists():
        raise CampaignError(UNSUPPORTED, "nothing is built here: run make all kmod")
    options.kernel = kernel.find(options.kernel, options.modules, options.headers)
    if not options.out:
        options.out = BUILD / "campaign" / f"{options.driver}-{options.kernel}"


def needs_qemu():
    """CampaignError without it."""
    if not shutil.which("qemu-system-x86_64"):
        raise CampaignError(UNSUPPORTED, "no QEMU here: run scripts/setup vm")


def verdict(options, summaries):
    """The exit status, with the reason when it is not 0."""
    judged = summaries[-1]
    valid = summary.percent(judged["valid"], judged["trials"])
    lost = summary.percent(judged["machine_lost"], judged["valid"])
    gone = summary.percent(judged["machine_lost"] + judged["service_lost"], judged["valid"])
    reasons = [] if judged["valid"] else ["no trial is valid"]
    if valid < (MIN_VALID if options.min_valid is None else options.min_valid):
        reasons.append(f"only {valid:.1f}% of the trials are valid")
    if options.max_machine_lost is not None and lost > options.max_machine_lost:
        reasons.append(f"the machine was lost in {lost:.1f}% of them")
    if options.min_served is not None and 100 - gone < options.min_served:
        reasons.append(f"only {100 - gone:.1f}% of them served at the end")
    for reason in reasons:
        runner.say(f"{judged['mode']}: {reason}")
    return FAILED if reasons else 0


def run_campaign(options):
    """The verb run."""
    complete(options)
    # What is wrong with classes or image is told before anything takes time.
    Planner(options, None).plan(options.seeds[0])
    store = Store(options.out)
    store.open(options)
    try:
        runner.Campaign(options, store).run()
    except KeyboardInterrupt:
        runner.say("interrupted; the same command goes on from here")
        return 130
    trials, summaries = report.write([options.out], options.out)
    print(report.show(trials, summaries))
    runner.say(f"reports are in {options.out}")
    return verdict(options, summaries) if options.shard[1] == 1 else 0


def run_report(options):
    """The verb report."""
    trials, summaries = report.write(options.folders, options.out or options.folders[0])
    print(report.show(trials, summaries))
    missing = report.missing(options.folders)
    if missing:
        runner.say(f"{len(missing)} trials are missing, such as {missing[0]}: run that shard again")
    return FAILED if missing else verdict(options, summaries)


def run_replay(options):
    """The verb replay: the status tells whether it ended as before."""
    store = Store.existing(options.folder)
    wanted = store.find(options.trial)
    about = store.about()
    options.driver, options.kernel, options.cpus = about["driver"], about["kernel"], about["cpus"]
    options.workload, options.ko = store.file("workload"), store.file("ko")
    needs_qemu()
    result, evidence = runner.replay(options, wanted)
    print(evidence.console, end="")
    print(f"{result['id']}: {result['outcome']}{', ' if result['why'] else ''}{result['why']}; "
          f"before: {wanted['outcome']}")
    return 0 if result["outcome"] == wanted["outcome"] else FAILED


def interrupt(*_):
    """Guests end, and what has been found out is kept."""
    raise KeyboardInterrupt


def main(arguments):
    """Returns the exit status."""
    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:    # which nohup has it
        signal.signal(signal.SIGHUP, interrupt)
    verbs = {"run": run_campaign, "report": run_report, "replay": run_replay}
    try:
        options = parser().parse_args(arguments)
        return verbs[options.verb](options)
    except CampaignError as error:
        print(f"campaign: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        # Such as a full disk; what is complete is kept.
        where = f"{error.filename}: " if error.filename else ""
        print(f"campaign: {where}{error.strerror or error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("campaign: interrupted", file=sys.stderr)
        return 130
