# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line."""

import argparse
import pathlib
import shutil
import signal
import sys

from . import kernel, report, runner, summary
from .error import FAILED, UNSUPPORTED, USAGE, CampaignError
from .plan import Planner
from .seeds import parse as parse_seeds
from .seeds import shard
from .store import Store
from .template import BUILD, CARDS, HERE

EPILOG = """A campaign's folder has its state, trials.jsonl with an object a trial: started again
with the same options, only what is missing is run. The reports are written there as well.

Exit status: 0 done, and within the thresholds; 1 a threshold is exceeded, or a golden run failed;
2 usage; 4 it cannot run here, or the guest never gets warm."""


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong."""

    def error(self, message):
        raise CampaignError(USAGE, f"{message}; see --help")


def share(text):
    """A percentage."""
    value = float(text)
    if not 0 <= value <= 100:
        raise ValueError
    return value


def count(text):
    """A positive number."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def parser():
    """Of the whole command line."""
    top = Parser(prog="campaign", description=
                 "Plants faults into a driver, by seeds, in copies of a warm guest, and tells what "
                 "becomes of it.", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(dest="verb", required=True, parser_class=Parser)
    run = verbs.add_parser("run", help="run a campaign, or what is left of one")
    run.add_argument("--out", type=pathlib.Path, help="its folder (build/campaign/DRIVER-KERNEL)")
    run.add_argument("--driver", default="e1000", help=f"one of {' '.join(CARDS)} (e1000)")
    run.add_argument("--kernel", default="6.1", help="6.1, 6.12, or a kernel's image file (6.1)")
    run.add_argument("--modules", type=pathlib.Path, help="of that image (/lib/modules/RELEASE)")
    run.add_argument("--headers", type=pathlib.Path, help="of that image (MODULES/build)")
    run.add_argument("--ko", type=pathlib.Path, help="the driver's module file, in place of its own")
    run.add_argument("--mode", default="paired", choices=("stock", "recoverd", "paired"),
                     help="without recoverd, with it, or the same seeds with both (paired)")
    run.add_argument("--seeds", default="20", help="N for 1..N, A-B, or a file (20)")
    run.add_argument("--faults", type=count, default=5, help="in each trial (5)")
    run.add_argument("--class", dest="classes", help="of faults, with commas between them")
    run.add_argument("--preset", help="a set of classes: nooks")
    run.add_argument("--coverage", type=pathlib.Path, help="of an earlier campaign or another shard")
    run.add_argument("--workload", type=pathlib.Path, default=HERE / "net.sh",
                     help="a script of your own; see tests/campaign.d/net.sh")
    run.add_argument("--golden", type=count, default=3, help="runs without faults before (3)")
    run.add_argument("-j", "--jobs", type=count, default=2, help="so many guests at a time (2)")
    run.add_argument("--shard", default="1/1", help="only the i-th of n parts: i/n")
    limits = run.add_argument_group("thresholds, in %% of the valid trials with recoverd, or, "
                                    "without any, of the stock ones")
    limits.add_argument("--max-machine-lost", type=share, help="more is a failure")
    limits.add_argument("--min-served", type=share, help="fewer that serve at the end is one")
    limits.add_argument("--min-valid", type=share, default=90, help="of all trials (90)")
    merge = verbs.add_parser("report", help="write the reports of a campaign, or of its shards")
    merge.add_argument("folders", nargs="+", type=pathlib.Path, metavar="FOLDER")
    merge.add_argument("--out", type=pathlib.Path, help="into this folder (the first one)")
    replay = verbs.add_parser("replay", help="run one trial once more")
    replay.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    replay.add_argument("--trial", required=True, help="its name, such as stock-17")
    return top


def complete(options):
    """Check what the parser cannot, and fill in what follows from the rest."""
    options.modes = list(summary.MODES) if options.mode == "paired" else [options.mode]
    options.seeds = parse_seeds(options.seeds)
    options.shard = shard(options.shard)
    if options.driver not in CARDS:
        raise CampaignError(USAGE, f"no card is known for the driver '{options.driver}'; there are: "
                                   f"{' '.join(CARDS)}")
    if options.classes and options.preset:
        raise CampaignError(USAGE, "--class and --preset exclude each other")
    for name in ("ko", "workload", "coverage"):
        path = getattr(options, name)
        if path and not path.is_file():
            raise CampaignError(USAGE, f"--{name} {path}: there is no such file")
    needs_qemu()
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
    reasons = []
    if valid < options.min_valid:
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
    return verdict(options, summaries)


def run_report(options):
    """The verb report."""
    trials, summaries = report.write(options.folders, options.out or options.folders[0])
    print(report.show(trials, summaries))
    return 0


def run_replay(options):
    """The verb replay: the status tells whether it ended as before."""
    store = Store.existing(options.folder)
    wanted = store.find(options.trial)
    about = store.about()
    options.driver, options.kernel = about["driver"], about["kernel"]
    options.workload = pathlib.Path(about["paths"]["workload"])
    options.ko = about["paths"]["ko"] and pathlib.Path(about["paths"]["ko"])
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
    verbs = {"run": run_campaign, "report": run_report, "replay": run_replay}
    try:
        options = parser().parse_args(arguments)
        return verbs[options.verb](options)
    except CampaignError as error:
        print(f"campaign: {error}", file=sys.stderr)
        return error.status
