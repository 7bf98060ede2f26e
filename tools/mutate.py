"""The mutation check: change each criterion a little and see that a case notices.

    python tools/mutate.py [--content DIR]… [NCT…]

Prints, for each trial, how many changes of each kind were made and which of them no case noticed.
Exit status: 0 none survived, 1 some did, 2 the content cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from cds.content.bundled import bundled_content
from cds.content.cases import load_cases
from cds.content.fault import ContentFaults
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.mutants import mutants, survivors
from cds.content.trials import TrialFolder, load_trials


def main(arguments: list[str]) -> int:
    """Run the check for the named trials, or for all of them."""
    parser = argparse.ArgumentParser(description="Change each criterion and see a case fail.")
    parser.add_argument("trials", nargs="*", metavar="NCT", help="only these trials")
    parser.add_argument("--content", action="append", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    folders = options.content or [bundled_content()]
    try:
        terminology = load_terminology(folders)
        infos = concept_infos(terminology)
        loaded = load_trials(folders, infos, terminology.digest, only=options.trials)
        left = sum(_report(trial, len(load_cases(trial, infos))) for trial in loaded)
    except ContentFaults as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 1 if left else 0


def _report(loaded: TrialFolder, cases: int) -> int:
    """Print one trial's figures and survivors; returns how many survived."""
    made = Counter(mutant.what for c in loaded.trial.criteria for mutant in mutants(c))
    alive = survivors(loaded.trial, load_cases(loaded))
    lived = Counter(mutant.what for mutant in alive)
    total = f"{sum(made.values())} changes, {len(alive)} unnoticed by {cases} cases"
    sys.stdout.write(f"{loaded.trial.id}: {total}\n")
    for what, count in sorted(made.items()):
        sys.stdout.write(f"  {what:<12}{count:>5} made{lived[what]:>5} unnoticed\n")
    for mutant in alive:
        file, line = loaded.lines[mutant.criterion.id]
        sys.stdout.write(f"{file}:{line}: {mutant.criterion.id} {mutant.what}: {mutant.says}\n")
    return len(alive)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
