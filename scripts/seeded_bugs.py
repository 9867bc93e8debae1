"""Seed bugs, one at a time, and see which test catches each: ``make seeded-bugs``.

Each patch of tests/seeded_bugs is a bug as a tired engineer would write it. It is applied to a copy
of the tree, and tried against the tests that ought to catch it, which its header names. One that
they let pass is tried against the whole suite but for the local cloud's; one that passes that too
survives, which is a finding: a rule lacks its test.

    make seeded-bugs [ARGS="--only grant --write docs/seeded-bugs.md"]

As a plugin of pytest it ends each layer of tests with the first that fails there, and names it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parent.parent
PATCHES = ROOT / "tests" / "seeded_bugs"

SECONDS = 300
"""A bug may make something run for ever, which is caught as well."""

WHOLE_SECONDS = 1800
WHOLE = ("--ignore", "tests/integration/stack", "--maxfail", "5")

_LAYERS = (
    ("tests/unit/.*_model", "model"),
    ("tests/simulation/", "simulation"),
    ("tests/faults/", "faults"),
    ("tests/contract/", "contract"),
    ("tests/integration/", "integration"),
    ("tests/architecture/", "architecture"),
    ("tests/", "unit"),
)
TIME = "time"
"""What a bug is caught by that makes the tests run for ever."""

_CAUGHT = "caught by "


class SeedingError(Exception):
    """The run says nothing about the bugs; the message says why."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One seeded bug.

    Args:
        breaks: What is wrong then, in a sentence.
        rule: Which rule that violates.
        tests: The files that ought to catch it.
    """

    patch: Path
    breaks: str
    rule: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.patch.stem


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a bug.

    Args:
        caught_by: The first test of each layer that failed; none: it survived.
        was_expected: The tests that its header names have caught it.
    """

    bug: Bug
    caught_by: tuple[str, ...]
    seconds: float
    was_expected: bool = True


def bugs(folder: Path = PATCHES) -> tuple[Bug, ...]:
    """All of them, in the order of their numbers."""
    return tuple(_read(patch) for patch in sorted(folder.glob("*.patch")))


def _read(patch: Path) -> Bug:
    header = patch.read_text().partition("\n--- ")[0]
    said = [line.partition(": ") for line in header.splitlines()]

    def of(name: str) -> tuple[str, ...]:
        found = tuple(text for key, _, text in said if key == name)
        if not found:
            raise SeedingError(f"{patch.name} does not say {name}:")
        return found

    return Bug(patch, of("Breaks")[0], of("Rule")[0], of("Tests"))


def apply(patch: Path, tree: Path, *how: str) -> None:
    """
    Raises:
        SeedingError: It does not apply.
    """
    command = ["git", "apply", *how, str(patch)]
    # A repository around the tree would have git look for the files at its own root.
    within = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    done = _run(command, tree, env=within)
    if done.returncode:
        raise SeedingError(f"{patch.name} does not apply any more: {done.stderr.strip()}")


def _run(
    command: Sequence[str],
    tree: Path,
    *,
    env: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own words, and names of our own files
        command, cwd=tree, env=env, capture_output=True, text=True, timeout=seconds
    )


def copied(target: Path) -> Path:
    """A copy of the tree as it stands, without what git ignores, compiled."""
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, _run(listing, ROOT).stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    python = (sys.executable, "-m", "compileall", "-q", "functions", "tests", "local", "scripts")
    _run(python, target).check_returncode()
    return target


@contextmanager
def seeded(bug: Bug, tree: Path) -> Iterator[None]:
    """The tree with the bug in it."""
    apply(bug.patch, tree)
    try:
        yield
    finally:
        apply(bug.patch, tree, "--reverse")


def failed(tree: Path, arguments: Sequence[str], seconds: float = SECONDS) -> tuple[str, ...]:
    """The first test of each layer that fails.

    Raises:
        SeedingError: pytest could not run them.
    """
    command = (sys.executable, "-m", "pytest", "-q", "-p", "scripts.seeded_bugs")
    options = ("-m", "not cloud", "-p", "no:cacheprovider", "--tb=no", "-rN", *arguments)
    # Of two versions of a module within one second and of one size, Python could take the one's
    # compiled form for the other's: what is seeded is compiled anew each time.
    quiet = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = _run((*command, *options), tree, env=quiet, seconds=seconds)
    except subprocess.TimeoutExpired:
        return (f"tests did not end within {seconds:.0f} s",)
    if done.returncode not in (0, 1):
        raise SeedingError(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    lines = done.stdout.splitlines()
    return tuple(line.removeprefix(_CAUGHT) for line in lines if line.startswith(_CAUGHT))


def tried(bug: Bug, tree: Path) -> Outcome:
    """Seed one bug and look who catches it."""
    started = monotonic()
    with seeded(bug, tree):
        caught_by = failed(tree, bug.tests)
        was_expected = bool(caught_by)
        if not was_expected:
            caught_by = failed(tree, WHOLE, WHOLE_SECONDS)
    if not was_expected:
        # Whatever fails without the bug as well has caught nothing.
        caught_by = tuple(test for test in caught_by if not failed(tree, [test.split("[")[0]]))
    return Outcome(bug, caught_by, monotonic() - started, was_expected)


def try_all(wanted: Sequence[Bug], jobs: int) -> Iterator[Outcome]:
    """Try every bug, so many at a time, each in a tree of its own.

    Raises:
        SeedingError: What has caught one fails without any.
    """
    with tempfile.TemporaryDirectory(prefix="seeded-bugs-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            trees.put(copied(Path(folder) / str(number)))

        def one(bug: Bug) -> Outcome:
            tree = trees.get()
            try:
                return tried(bug, tree)
            finally:
                trees.put(tree)

        caught_by: set[str] = set()
        with ThreadPoolExecutor(jobs) as pool:
            for outcome in pool.map(one, wanted):
                caught_by.update(test for test in outcome.caught_by if layer(test) != TIME)
                yield outcome
        if broken := failed(trees.get(), sorted(caught_by)):
            raise SeedingError(f"these fail without any bug: {', '.join(broken)}")


def layer(test: str) -> str:
    """Which kind of test it is."""
    return next((name for start, name in _LAYERS if re.match(start, test)), TIME)


def row(outcome: Outcome) -> str:
    """A row of the table, in Markdown."""
    test = outcome.caught_by[0] if outcome.caught_by else "**nothing**"
    layers = ", ".join(dict.fromkeys(map(layer, outcome.caught_by)))
    path, _, function = test.partition("::")
    name = f"{Path(path).name}::{function}" if function else test
    name = name.replace("|", "\\|")
    late = "" if outcome.was_expected or not outcome.caught_by else " (not by its own tests)"
    return (
        f"| {outcome.bug.name} | {outcome.bug.breaks} | `{name}`{late} | {layers} |"
        f" {outcome.seconds:.0f} |"
    )


HEAD = ("| Bug | What it breaks | First caught by | Layers | s |", "|---|---|---|---|---|")


def table(outcomes: Iterable[Outcome]) -> str:
    return "\n".join((*HEAD, *map(row, outcomes))) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make seeded-bugs", description=__doc__)
    parser.add_argument("--only", default="", help="bugs whose name contains this")
    parser.add_argument("--jobs", type=int, default=2, help="bugs at a time")
    parser.add_argument("--write", type=Path, help="a file for the table, in Markdown")
    arguments = parser.parse_args()
    started = monotonic()
    outcomes: list[Outcome] = []
    try:
        wanted = [bug for bug in bugs() if arguments.only in bug.name]
        sys.stdout.write("\n".join(HEAD) + "\n")
        for outcome in try_all(wanted, arguments.jobs):
            outcomes.append(outcome)
            sys.stdout.write(row(outcome) + "\n")
            sys.stdout.flush()
    except SeedingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    caught = sum(bool(outcome.caught_by) for outcome in outcomes)
    sys.stdout.write(f"{caught} of {len(outcomes)} caught, {monotonic() - started:.0f} s\n")
    if arguments.write:
        arguments.write.write_text(table(outcomes))
    return 0 if caught == len(outcomes) > 0 else 1


_first: dict[str, str] = {}
"""Of this process's own run of pytest: the first test of each layer that failed."""


def pytest_sessionstart(session: pytest.Session) -> None:
    # That an example fails is enough here; the smallest that does takes minutes to find.
    profile = settings(settings(), phases=(Phase.explicit, Phase.generate), database=None)
    settings.register_profile("seeded", profile)
    settings.load_profile("seeded")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if layer(item.nodeid) in _first:
        pytest.skip("another test of its layer has caught it")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _first.setdefault(layer(report.nodeid), report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for test in _first.values():
        terminalreporter.write_line(f"{_CAUGHT}{test}")


if __name__ == "__main__":
    sys.exit(main())
