"""Compare what mypy and pyright say of the files beside this one with what the files expect.

A call of ``reveal_type`` is followed by a comment with the type, names without their modules. A
line that ends in ``# mistake`` must be reported, and no other line may be.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
from collections import defaultdict

FOLDER = pathlib.Path(__file__).resolve().parent
FILES = sorted(path for path in FOLDER.glob("*.py") if path.name != "check.py")

#: The share of the public names whose types pyright must know.
LEAST_COMPLETENESS = 0.99

#: What a checker says: by file and line, the types that it reveals and the errors that it reports.
Findings = dict[tuple[str, int], list[str]]


def plain(text: str) -> str:
    """Return a type without the modules of its names."""
    return re.sub(r"(?:\w+\.)+(\w+)", r"\1", text)


def ask_mypy() -> tuple[Findings, Findings]:
    """Return what mypy reveals and reports."""
    command = [sys.executable, "-m", "mypy", "--hide-error-context", "--no-error-summary"]
    run = subprocess.run([*command, *map(str, FILES)], capture_output=True, text=True, check=False)
    revealed, reported = defaultdict(list), defaultdict(list)
    for line in run.stdout.splitlines():
        match = re.match(r"(.+?):(\d+): (note|error): (.*)", line)
        if match is None:
            continue
        place = (pathlib.Path(match[1]).name, int(match[2]))
        kind = re.fullmatch(r'Revealed type is "(.*)"', match[4])
        if kind is not None:
            revealed[place].append(plain(kind[1]))
        elif match[3] == "error":
            reported[place].append(match[4])
    return revealed, reported


def ask_pyright() -> tuple[Findings, Findings]:
    """Return what pyright reveals and reports."""
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    run = subprocess.run([*command, *map(str, FILES)], capture_output=True, text=True, check=False)
    revealed, reported = defaultdict(list), defaultdict(list)
    for each in json.loads(run.stdout)["generalDiagnostics"]:
        place = (pathlib.Path(each["file"]).name, each["range"]["start"]["line"] + 1)
        kind = re.fullmatch(r'Type of ".*" is "(.*)"', each["message"], re.DOTALL)
        if kind is not None:
            revealed[place].append(plain(kind[1]))
        elif each["severity"] == "error":
            reported[place].append(each["message"])
    return revealed, reported


def faults(checker: str, revealed: Findings, reported: Findings) -> list[str]:
    """Return what *checker* says otherwise than the files expect, a line for each."""
    found = []
    for path in FILES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            place = (path.name, number)
            where = f"{path.name}:{number}: {checker}"
            wanted = re.match(r"\s*reveal_type\(.*\)  # (.*)", line)
            if wanted is not None and revealed.get(place) != [wanted[1]]:
                found.append(f"{where} reveals {revealed.get(place)}, not {wanted[1]}")
            if line.endswith("# mistake"):
                if place not in reported:
                    found.append(f"{where} reports no mistake")
            elif place in reported:
                found.append(f"{where} reports {reported[place]}")
    return found


def completeness() -> list[str]:
    """Return a line if pyright cannot tell enough types of the package's public names."""
    command = [sys.executable, "-m", "pyright", "--verifytypes", "ftrack_like"]
    command += ["--pythonpath", sys.executable, "--ignoreexternal", "--outputjson"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(run.stdout)["typeCompleteness"]
    score: float = found["completenessScore"]
    if score >= LEAST_COMPLETENESS:
        return []
    unknown = [
        each["name"] for each in found["symbols"] if each["isExported"] and not each["isTypeKnown"]
    ]
    return [f"pyright knows {score:.1%} of all types, but not those of {', '.join(unknown)}"]


def main() -> int:
    """Print all differences; return 1 if there are any."""
    found = faults("mypy", *ask_mypy()) + faults("pyright", *ask_pyright()) + completeness()
    print("\n".join(found) if found else f"{len(FILES)} files as expected by mypy and pyright")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
