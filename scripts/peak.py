#!/usr/bin/env python3
"""The training memory that `estimate` works out, against what `bench` measures on the CPU.

  cargo build -p miras-train && scripts/peak.py [FILE.toml..]    default: all presets

Prints a line for each file and fails if an estimate is off by more than a quarter
of what was measured.  Not a test: what is measured depends on the machine.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/debug/miras-train"
LIMIT = 0.25


def ask(command, file, *more):
    """What the program prints as JSON."""
    words = [PROGRAM, command, file, "--json", *more]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)


def presets():
    """Every preset; `base.toml` is a part of the others."""
    files = sorted((ROOT / "configs/presets").glob("*.toml"))
    return [file for file in files if file.stem != "base"]


def main():
    far = 0
    print(f"{'configuration':24} {'estimate':>10} {'measured':>10} {'ratio':>6}")
    for file in map(Path, sys.argv[1:] or presets()):
        estimate = ask("estimate", file)["train_peak_bytes"]
        measured = ask("bench", file, "--device", "cpu", "--repeats", "2")["peak_bytes"]
        if measured is None:
            sys.exit("this system does not count the peak of a process")
        ratio = estimate / measured
        far += abs(ratio - 1) > LIMIT
        mib = [f"{count / 2**20:.0f} MiB" for count in (estimate, measured)]
        print(f"{file.stem:24} {mib[0]:>10} {mib[1]:>10} {ratio:6.2f}")
    sys.exit(1 if far else 0)


if __name__ == "__main__":
    main()
