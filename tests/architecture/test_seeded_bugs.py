"""The bugs that are seeded to try the tests (scripts/seeded_bugs.py) do not rot."""

from pathlib import Path

import pytest

from scripts.seeded_bugs import ROOT, Bug, Outcome, SeedingError, apply, bugs, row, seeded

BUGS = bugs()

LEAST_RULES = 25


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_still_applies_to_the_tree(bug: Bug) -> None:
    apply(bug.patch, ROOT, "--check")


def test_seeded_bugs_break_many_rules_and_each_says_which() -> None:
    assert len({bug.rule for bug in BUGS}) >= LEAST_RULES
    for bug in BUGS:
        assert bug.breaks.endswith("."), bug.name
        assert bug.rule.endswith("."), bug.name


def test_seeded_bugs_are_numbered_one_after_another() -> None:
    numbers = [bug.name.partition("-")[0] for bug in BUGS]
    assert numbers == [f"{number:02d}" for number in range(1, len(BUGS) + 1)]


def test_a_seeded_bug_is_in_what_ships_and_names_tests_that_are_there() -> None:
    for bug in BUGS:
        lines = bug.patch.read_text().splitlines()
        changed = [line for line in lines if line.startswith(("--- ", "+++ "))]
        assert changed, bug.name
        assert all(line[4:].startswith(("a/functions/", "b/functions/")) for line in changed)
        missing = [test for test in bug.tests if not (ROOT / test).is_file()]
        assert not missing, bug.name


def test_a_tree_is_as_it_was_once_a_bug_has_been_tried(tmp_path: Path) -> None:
    there = tmp_path / "functions" / "sum.py"
    there.parent.mkdir()
    there.write_text("total = 1 + 1\n")
    patch = tmp_path / "01-total.patch"
    patch.write_text(
        "Breaks: Sums are one too high.\nRule: Sums are right.\nTests: tests/unit\n\n"
        "--- a/functions/sum.py\n+++ b/functions/sum.py\n"
        "@@ -1 +1 @@\n-total = 1 + 1\n+total = 1 + 2\n"
    )
    (bug,) = bugs(tmp_path)
    with seeded(bug, tmp_path):
        assert there.read_text() == "total = 1 + 2\n"
    assert there.read_text() == "total = 1 + 1\n"


def test_a_bug_that_no_longer_applies_is_an_error_and_not_a_survivor(tmp_path: Path) -> None:
    with pytest.raises(SeedingError, match="does not apply any more"), seeded(BUGS[0], tmp_path):
        pass


def test_the_table_says_which_test_caught_a_bug_and_in_which_layers() -> None:
    bug = BUGS[0]
    tests = ("tests/unit/services/test_orders_model.py::test_it", "tests/contract/test_b.py::test")
    told = row(Outcome(bug, tests, 2.6))
    assert told == (
        f"| {bug.name} | {bug.breaks} | `test_orders_model.py::test_it` | model, contract | 3 |"
    )
    assert "**nothing**" in row(Outcome(bug, (), 2.6))
