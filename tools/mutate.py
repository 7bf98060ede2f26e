"""The mutation check: change each criterion a little and see that a case notices.

    python tools/mutate.py [--content DIR]… [NCT…]

The content is that of TRIAL_CDS_CONTENT, else the bundled one, as for `trial-cds check`.
Prints, for each trial, how many changes of each kind were made and which of them no case noticed,
with a record that tells the change apart. A change that no record tried tells apart is listed as
without effect: the logic of the criterion hides it.
Exit status: 0 no change that matters survived, 1 some did, 2 the content cannot be read or does not
hold a trial that was named.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from cds.cli.site import content_folders, settings_of_site
from cds.content.cases import load_cases
from cds.content.fault import ContentFaults
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.mutants import mutants, survivors
from cds.content.trials import TrialFolder, load_trials, trial_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.content.cases import Case


def main(arguments: list[str]) -> int:
    """Run the check for the named trials, or for all of them."""
    parser = argparse.ArgumentParser(description="Change each criterion and see a case fail.")
    parser.add_argument("trials", nargs="*", metavar="NCT", help="only these trials")
    parser.add_argument("--content", action="append", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    folders = options.content or content_folders(settings_of_site())
    here = trial_folders(folders)
    for name in options.trials:
        if name not in here:
            sys.stderr.write(
                f"No trial is called '{name}'; there are {', '.join(here) or 'none'}.\n"
            )
            return 2
    try:
        terminology = load_terminology(folders)
        infos = concept_infos(terminology)
        loaded = load_trials(folders, infos, terminology.digest, only=options.trials)
        left = sum(_report(trial, load_cases(trial, infos)) for trial in loaded)
    except ContentFaults as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 1 if left else 0


def _report(loaded: TrialFolder, cases: Sequence[Case]) -> int:
    """Print one trial's figures and survivors; returns how many of them matter."""
    made = Counter(mutant.what for c in loaded.trial.criteria for mutant in mutants(c))
    lived: Counter[str] = Counter()
    idle: Counter[str] = Counter()
    lines: list[str] = []
    for mutant, record in survivors(loaded.trial, cases):
        key = mutant.criterion.id
        file, line = loaded.lines[key]
        (idle if record is None else lived)[mutant.what] += 1
        told = "without effect" if record is None else f"told apart by {record}"
        lines.append(f"{file}:{line}: {key} {mutant.what}: {mutant.says}; {told}\n")
    head = f"{sum(made.values())} changes by {len(cases)} cases: {sum(lived.values())} unnoticed"
    sys.stdout.write(f"{loaded.trial.id}: {head}, {sum(idle.values())} without effect\n")
    for what, count in sorted(made.items()):
        figures = f"{count:>5} made{lived[what]:>5} unnoticed{idle[what]:>5} without effect"
        sys.stdout.write(f"  {what:<12}{figures}\n")
    sys.stdout.writelines(lines)
    return sum(lived.values())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
