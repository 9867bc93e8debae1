"""What the pages on security and proof claim is tried: every test that they name exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
PROOF = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", PAGE + PROOF)))
OWASP_2023 = [f"API{number}" for number in range(1, 11)]


def defined_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def rows(heading: str) -> list[str]:
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in defined_in(path)


def test_every_risk_of_the_top_ten_names_a_test() -> None:
    found = rows("OWASP API Security Top 10 (2023)")
    assert [row.split()[1] for row in found] == OWASP_2023
    assert all("::test_" in row for row in found)


def test_every_attack_names_a_test() -> None:
    found = rows("Who attacks, and what he meets")
    assert found
    assert all("::test_" in row for row in found)


def test_every_kind_of_personal_data_says_how_long_it_is_kept() -> None:
    for row in rows("Personal data"):
        assert all(cell.strip() for cell in row.strip("|").split("|")), row


def test_the_policy_leads_to_the_page() -> None:
    assert "(docs/security.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
