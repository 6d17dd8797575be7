"""What a scan does when its devices fail: each simulated fault, alone, in pairs, and at random.

One simulated microscope, one scan after the other; while a scan runs, faults come and go by a
seeded schedule, and now and then somebody pauses it. What the motors were sent is compared with
what the guard must let through, by other code; what was exposed, with what was recorded. A scan
that hangs ends the program. After that each process of a scan is killed at 50 moments: see
``reliability_kills.py``.

    python benchmarks/reliability.py                       # singles, pairs, 100 at random, kills
    python benchmarks/reliability.py --random 6 --no-pairs --kills 0 --json
    python benchmarks/reliability.py --write docs/reliability.md
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import logging
import math
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import reliability_kills
from reliability_judge import POINTS, SIDE, Outcome
from reliability_lab import FAULTS, Lab, Schedule, Strike, run

from skysteer.simulators import Ioc


def schedules(singles: bool, pairs: bool, number: int, seed: int) -> Iterator[Schedule]:
    """Each fault alone, each two together, and so many at random."""
    for fault in FAULTS if singles else ():
        for lasts in (0.7, math.inf):
            yield Schedule(seed, (Strike(fault, 8, lasts),), suspender=lasts < math.inf)
    for one, other in itertools.combinations(FAULTS, 2) if pairs else ():
        yield Schedule(seed, (Strike(one, 6, 0.8), Strike(other, 7, 0.8)))
    for k in range(number):
        chance = random.Random(1000 * seed + k)
        suspender = chance.random() < 0.5
        strikes = (_strike(chance, suspender) for _ in range(chance.randint(1, 4)))
        pauses = (chance.randrange(1, POINTS) for _ in range(chance.randint(0, 3)))
        yield Schedule(k, tuple(strikes), suspender, tuple(pauses))


def _strike(chance: random.Random, suspender: bool) -> Strike:
    fault, after = chance.choice(list(FAULTS)), chance.randrange(POINTS)
    # a suspender holds a scan for as long as there is no beam
    for_good = chance.random() < 0.1 and not (suspender and fault == "beam dump")
    return Strike(fault, after, math.inf if for_good else chance.uniform(0.05, 1.5))


def table(outcomes: list[Outcome]) -> str:
    """Make the table of docs/reliability.md."""
    columns = ("fault", "tried", "to the goal", "ended in order", "failed", "remedies")
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    groups = [(fault, [o for o in outcomes if o.faults == [fault]]) for fault in FAULTS]
    groups.append(("two or more together", [o for o in outcomes if len(o.faults) > 1]))
    groups.append(("all", outcomes))
    for name, mine in groups:
        ends = Counter(o.end if o.good else "failed" for o in mine)
        remedies: Counter[str] = Counter()
        for o in mine:
            remedies.update(o.remedies)
        how = ", ".join(f"{n} {kind}" for kind, n in remedies.most_common())
        counts = " | ".join(str(ends[end]) for end in ("goal", "in order", "failed"))
        rows.append(f"| {name} | {len(mine)} | {counts} | {how} |")
    exposures, events = sum(o.exposures for o in outcomes), sum(o.repeated for o in outcomes)
    rows.append("")
    rows.append(
        f"{len(outcomes)} scans, {sum(o.seconds for o in outcomes):.0f} s: "
        f"{sum(len(o.unguarded) for o in outcomes)} unguarded targets, "
        f"{sum(len(o.wrong) for o in outcomes)} disagreements between documents and devices, "
        f"0 hangs; {exposures} exposures, {events} of them repeated."
    )
    return "\n".join(rows)


def main() -> int:
    """Run the schedules, and print a line for each and the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--random", type=int, default=100, help="random schedules")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-singles", action="store_true", help="leave out each fault alone")
    parser.add_argument("--no-pairs", action="store_true", help="leave out each two together")
    parser.add_argument("--kills", type=int, default=50, help="moments to kill each process at")
    parser.add_argument("--json", action="store_true", help="one line of JSON a scan, no tables")
    parser.add_argument("--write", type=Path, help="put the tables into this file")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    outcomes = _with_faults(options)
    killed = _with_kills(options.kills, options.seed)
    tables = {"table": table(outcomes), "kills": reliability_kills.table(killed)}
    made = {name: tables[name] for name, of in (("table", outcomes), ("kills", killed)) if of}
    for name, text in made.items():
        if not options.json:
            print(f"\n{text}")
        if options.write:
            _put(options.write, name, text)
    good = [*(outcome.good for outcome in outcomes), *(not each["why"] for each in killed)]
    return 0 if all(good) else 1


def _with_faults(options: argparse.Namespace) -> list[Outcome]:
    outcomes: list[Outcome] = []
    singles, pairs = not options.no_singles, not options.no_pairs
    to_try = list(schedules(singles, pairs, options.random, options.seed))
    if not to_try:
        return outcomes
    with Ioc(kind="gradients", shape=(SIDE, SIDE), noise="none", velocity=100.0) as ioc:
        os.environ.update(ioc.environment)  # before the first PV: libca reads it once
        lab = Lab(ioc)
        for schedule in to_try:
            with contextlib.redirect_stdout(sys.stderr):  # the RunEngine talks of pauses
                outcomes.append(run(lab, schedule))
            said = {**asdict(outcomes[-1]), "good": outcomes[-1].good}
            print(json.dumps(said) if options.json else _line(outcomes[-1]), flush=True)
        os.kill(ioc.pid, signal.SIGCONT)
    return outcomes


def _with_kills(moments: int, seed: int) -> list[dict[str, Any]]:
    scans = []
    for scan in reliability_kills.kill_and_compare(moments, seed) if moments else ():
        scans.append(scan)
        print(json.dumps(scan), flush=True)
    return scans


def _line(o: Outcome) -> str:
    faults = " + ".join(o.faults) or "none"
    flaws = "; ".join([*o.wrong, *(f"unguarded {target}" for target in o.unguarded)])
    return f"{o.end:9} {o.points:3} points {o.seconds:5.1f} s  {faults}: {o.reason} {flaws}"


def _put(file: Path, name: str, text: str) -> None:
    before, rest = file.read_text().split(f"<!-- {name} -->\n")
    after = rest.split("<!-- end -->", 1)[1]
    file.write_text(f"{before}<!-- {name} -->\n{text}\n<!-- end -->{after}")


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # Channel Access threads of two clients do not end by themselves
