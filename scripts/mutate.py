"""Change the arithmetic of money in every small way, and see that a test notices each.

    python scripts/mutate.py [--at-once 2]

mutmut changes one operator, constant, argument or value at a time in the functions of the modules
below and runs the tests that reach it; what stands outside of functions, and functions that are
decorated, it leaves alone. What no test notices must be explained in tests/mutation/survivors.toml,
by function and by what it changes: an explained one changes nothing that anybody could see.

Exits with 1 where less than ``NEEDED`` per cent of a module's changes are noticed, or one that is
not is not explained. Works on a copy of the tree, in .local/mutation.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INTO = ROOT / ".local" / "mutation"
EXPLAINED = ROOT / "tests" / "mutation" / "survivors.toml"
DOMAIN = "billing/domain"
MODULES = (
    "ledger",
    "rating",
    "grants",
    "proration",
    "recharge",
    "recharge_amount",
    "recharge_balance",
    "recharge_calendar",
    "recharge_policy",
)
TESTS = ("tests/unit/domain",)
BESIDE = ("tests", "docs", "local", "scripts", "infra")
NEEDED = 90

NOTICED = {1, 2, 3}
"""pytest's exits: a test failed, the run was interrupted, or the code could not even be run."""

TOO_LONG = {-24, 24, 36, 152, 255}
"""It ran into mutmut's limit of time: somebody would have noticed."""

# What is left out compares the code with what makes it or names it, by its place in the tree.
SETTINGS = """
[tool.pytest.ini_options]
pythonpath = [".", "tests"]
addopts = [
    "--import-mode=importlib", "-p", "no:schemathesis", "-p", "no:anyio", "-p", "no:cacheprovider",
    "-p", "no:xdist",
]
markers = ["cloud: needs the local cloud", "aws: needs a real account"]

[tool.mutmut]
source_paths = ["billing/"]
only_mutate = {modules}
also_copy = {beside}
pytest_add_cli_args = [
    "--hypothesis-seed=1",
    "--deselect=tests/unit/domain/test_money.py::test_the_table_of_minor_units_is_what_the_library_says",
    "--deselect=tests/unit/domain/test_subscriptions_page.py::test_every_rule_is_found_where_the_code_says_it_is",
]
pytest_add_cli_args_test_selection = {tests}
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function.

    Args:
        exit_code: Of the tests that reach it; None or 33: there are none.
    """

    module: str
    name: str
    exit_code: int | None

    @property
    def is_noticed(self) -> bool:
        return self.exit_code in NOTICED | TOO_LONG

    @property
    def function(self) -> str:
        """As the code calls it: mutmut puts its own marks around names."""
        marked = self.name.rpartition(".")[2].partition("__mutmut_")[0]
        return marked.removeprefix("x_").replace("xǁ", "").replace("ǁ", ".")


def prepare() -> None:
    """A copy whose root is the import root, which mutmut takes the names of modules from."""
    shutil.rmtree(INTO, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "functions", INTO, ignore=ignored)
    for name in BESIDE:
        shutil.copytree(ROOT / name, INTO / name, ignore=ignored)
    entries = sorted(path.name for path in (ROOT / "functions").iterdir() if path.is_dir())
    beside = [name for name in entries if name not in ("billing", "__pycache__")]
    settings = SETTINGS.format(
        modules=[f"{DOMAIN}/{module}.py" for module in MODULES],
        beside=[*beside, *BESIDE],
        tests=list(TESTS),
    )
    (INTO / "pyproject.toml").write_text(settings)


def run(at_once: int) -> None:
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(at_once)]
    subprocess.run(command, cwd=INTO, check=False)  # noqa: S603  # our own words


def mutants() -> Iterator[Mutant]:
    for module in MODULES:
        told = json.loads((INTO / "mutants" / DOMAIN / f"{module}.py.meta").read_text())
        for name, exit_code in told["exit_code_by_key"].items():
            yield Mutant(module, name, exit_code)


def changed(mutant: Mutant) -> str:
    """What it changes: lines that go, and lines that come, without their indentation."""
    # It lives in an environment of its own, beside what the tests need.
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # type: ignore[import-not-found]

    lines = get_diff_for_mutant(mutant.name).splitlines()
    kept = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in kept)


def explained() -> set[tuple[str, str, str]]:
    """Module, function and change of what is known to be no difference."""
    told = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    assert all(one["why"] for ones in told.values() for one in ones)
    return {
        (module, one["function"], change.strip())
        for module, ones in told.items()
        for one in ones
        for change in one["changes"]
    }


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--again", action="store_true", help="only judge the last run")
    given = parser.parse_args()
    if not given.again:
        prepare()
        run(given.at_once)
    os.chdir(INTO)
    return judge(list(mutants()))


def judge(found: list[Mutant]) -> int:
    known, strange = explained(), []
    made = Counter(one.module for one in found)
    noticed = Counter(one.module for one in found if one.is_noticed)
    slow = Counter(one.module for one in found if one.exit_code in TOO_LONG)
    told: Counter[str] = Counter()
    for one in found:
        if one.is_noticed:
            continue
        what = (one.module, one.function, changed(one))
        told[one.module] += what in known
        if what not in known:
            strange.append(what)
    say(f"\n{'module':20} {'changes':>8} {'noticed':>8} {'by time':>8} {'explained':>9} {'%':>6}")
    is_enough = True
    for module in MODULES:
        share = 100 * noticed[module] / max(made[module], 1)
        is_enough &= share >= NEEDED
        counted = f"{made[module]:8} {noticed[module]:8} {slow[module]:8} {told[module]:9}"
        say(f"{module:20} {counted} {share:6.1f}")
    total, seen = sum(made.values()), sum(noticed.values())
    share = 100 * seen / max(total, 1)
    say(f"{'all':20} {total:8} {seen:8} {slow.total():8} {told.total():9} {share:6.1f}")
    for module, function, change in strange:
        say(f"\nnobody notices, and nothing explains, in {module}.{function}:\n{change}")
    return 0 if is_enough and not strange else 1


if __name__ == "__main__":
    sys.exit(main())
