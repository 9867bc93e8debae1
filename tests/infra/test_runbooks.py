"""Every alarm says what to do, and it is written down there."""

import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks.md"
TEMPLATE: dict[str, Any] = load(str(ROOT / "infra" / "template.yaml"))
ALARMS = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
LINK = re.compile(r" Runbook: \$\{RunbookUrl\}#([a-z0-9-]+)$")
STEPS = ("Money", "Look", "Do", "Over")


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections() -> dict[str, str]:
    """What stands under each heading of the second level, by its anchor."""
    parts = re.split(r"^## (.+)$", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {slug(heading): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def anchor_of(alarm: str) -> str:
    described = ALARMS[alarm]["AlarmDescription"]
    assert isinstance(described, dict), f"{alarm} names no runbook"
    found = LINK.search(described["Fn::Sub"])
    assert found is not None, f"{alarm} names no runbook: {described}"
    return found[1]


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_names_its_runbook_which_names_the_alarm(alarm: str) -> None:
    section = sections()[anchor_of(alarm)]
    assert f"`{alarm}`" in section


@pytest.mark.parametrize("anchor", sorted({anchor_of(alarm) for alarm in ALARMS}))
def test_a_runbook_says_what_it_means_what_to_look_at_what_to_do_and_when_it_is_over(
    anchor: str,
) -> None:
    section = sections()[anchor]
    places = [section.find(f"- **{step}**") for step in STEPS]
    assert -1 not in places
    assert places == sorted(places)


def test_runbooks_name_no_alarm_output_or_command_that_is_not_there() -> None:
    text = RUNBOOKS.read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+Alarm)`", text)) == set(ALARMS)
    outputs = set(re.findall(r"<(\w+)>", text)) | set(re.findall(r"`(\w+Arn)`", text))
    assert outputs <= set(TEMPLATE["Outputs"])
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets


def test_the_default_runbook_is_the_one_in_the_tree() -> None:
    assert ROOT / TEMPLATE["Parameters"]["RunbookUrl"]["Default"] == RUNBOOKS


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_a_link_to_a_section_leads_to_one(page: Path) -> None:
    """In any document: a link that names a heading of this or another page names one it has."""
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", page.read_text("utf-8")):
        there = page if not target else page.parent / target
        headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
        assert anchor in {slug(heading) for heading in headings}, f"{page.name}: {target}#{anchor}"
