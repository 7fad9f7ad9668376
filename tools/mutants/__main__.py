"""python -m tools.mutants: change a package in small ways, and report which changes its tests do not notice.

    make mutants ARGS="guard"                        100 mutants of the guard, the same ones each time
    make mutants ARGS="guard ledger --count 40 --seed 2 --at-least 90"
    make mutants ARGS=--known                        those that once lived

The exit status is 1 where fewer than --at-least percent are noticed. A mutant whose tests never end counts as noticed.
"""

import argparse
import random
import sys

from tools.mutants import known, operators, runner
from tools.mutants.targets import CHECKOUT, EQUIVALENT, TARGETS, Target, files


def main(arguments: "list[str]") -> int:
    options = _parser().parse_args(arguments)
    if options.known:
        return _judge_known(options.jobs)
    is_enough = True
    for name in options.targets or TARGETS:
        jobs = chosen(TARGETS[name], options.count, "%d %s" % (options.seed, name))
        is_enough = _judge(name, TARGETS[name], jobs, options.jobs) >= options.at_least and is_enough
    return 0 if is_enough else 1


def chosen(target: Target, count: int, seed: str) -> "list[runner.Job]":
    """The first `count` of all mutants of a target, shuffled by the seed."""
    jobs = [
        runner.Job(path, mutant)
        for name in target.modules
        for path in files(name)
        for mutant in operators.mutants((CHECKOUT / path).read_bytes())
    ]
    random.Random(seed).shuffle(jobs)
    return [job for job in jobs if (job.path, job.mutant.before, job.mutant.after) not in EQUIVALENT][:count]


def _judge(name: str, target: Target, jobs: "list[runner.Job]", at_once: int) -> float:
    """The percentage of mutants noticed; prints the others as they are found."""
    counts = {runner.KILLED: 0, runner.LIVED: 0, runner.TIMED_OUT: 0}

    def report(job: runner.Job, verdict: str) -> None:
        counts[verdict] += 1
        if verdict != runner.KILLED:
            mutant = job.mutant
            print(
                "%s: %s:%d\n  - %s\n  + %s" % (verdict, job.path, mutant.line, mutant.before, mutant.after), flush=True
            )
        elif sum(counts.values()) % 20 == 0:
            print("%s: %d of %d" % (name, sum(counts.values()), len(jobs)), flush=True)

    runner.judge(target, jobs, at_once, report)
    noticed = 100 * (len(jobs) - counts[runner.LIVED]) / max(1, len(jobs))
    summary = ", ".join("%d %s" % (count, verdict) for verdict, count in counts.items())
    print("%s: %d mutants: %s, %.0f %% noticed" % (name, len(jobs), summary, noticed), flush=True)
    return noticed


def _judge_known(at_once: int) -> int:
    """1 where one lives."""
    rows = known.jobs()
    lived = []
    for tests in sorted({target.tests for _, target, _ in rows}):
        group = [(row, job) for row, target, job in rows if target.tests == tests]
        names = {id(job): row.what for row, job in group}

        def report(job: runner.Job, verdict: str, names: "dict[int, str]" = names) -> None:
            print("%s: %s" % (verdict, names[id(job)]), flush=True)
            if verdict == runner.LIVED:
                lived.append(job)

        runner.judge(Target((), tests), [job for _, job in group], at_once, report)
    return 1 if lived else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutants", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", choices=[*TARGETS, []], help=", ".join(TARGETS))
    parser.add_argument("--count", type=int, default=100, help="how many mutants of each target (100)")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other mutants (1)")
    parser.add_argument("--at-least", type=float, default=90, help="the percentage that must be noticed (90)")
    parser.add_argument("--known", action="store_true", help="only the mutants that once lived")
    parser.add_argument("--jobs", type=int, default=2, help="how many run at once (2)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
