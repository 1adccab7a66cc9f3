"""Before a refactoring, `python -m tests.same_to_the_bit write`; after it, `python -m tests.same_to_the_bit compare`.

Both take the file's path, by default the committed one beside this file. About two minutes each.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch

from tests.same_to_the_bit.record import RECORD, differences, whole
from tests.same_to_the_bit.runs import RUNS, machine, observed


def main() -> int:
    """Write or compare; returns the exit status, 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("write", "compare"))
    parser.add_argument("path", type=Path, nargs="?", default=RECORD)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        for name in RUNS:
            print(name, file=sys.stderr)
            runs[name] = observed(name, Path(folder))
    if given.action == "write":
        given.path.write_text(json.dumps({"machine": machine(), "runs": runs}, indent=1) + "\n")
        return 0
    before = whole(given.path)
    if before["machine"] != machine():
        print(f"recorded on {before['machine']}, this is {machine()}: bits may differ")
    found = [f"{name}: {line}" for name in RUNS for line in differences(before["runs"][name], runs[name])]
    print("\n".join(found) or f"{len(RUNS)} runs: the same to the bit")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
