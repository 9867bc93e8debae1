"""The README says what is there: every function, parameter, route and command it names exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMITTED = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


class TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as plain values; only names matter here."""


def _plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node)


TemplateLoader.add_multi_constructor("!", _plain)
# A subclass of the safe loader, which makes nothing but plain values.
TEMPLATE = yaml.load((ROOT / "infra/template.yaml").read_text(), Loader=TemplateLoader)  # noqa: S506


def table_rows(heading: str) -> set[str]:
    """The first cells of the table under a heading, without their backticks."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))


def test_the_readme_names_every_function() -> None:
    handlers = {
        resource["Properties"]["Handler"].removesuffix(".lambda_handler")
        for resource in TEMPLATE["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert table_rows("Functions") == handlers


def test_the_readme_names_every_parameter_with_its_default() -> None:
    section = README.split("\n## Deploy it\n", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| `?([^`|]*)`? \|$", section, re.MULTILINE))
    defaults = {
        name: str(parameter["Default"]) or "empty"
        for name, parameter in TEMPLATE["Parameters"].items()
    }
    assert {name: value.strip() for name, value in rows.items()} == defaults


def test_the_routes_the_readme_shows_exist() -> None:
    paths = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    known = {re.sub(r"\{[^}]+\}", "{}", path) for path in paths}
    section = README.split("\n## Use it\n", 1)[1].split("\n## ", 1)[0]
    shown = re.findall(r"`(?:(?:GET|PUT|POST|DELETE) )?(/v1/[^`]+)`", section)
    assert shown
    for path in shown:
        assert re.sub(r"\{[^}]+\}", "{}", path.replace("/default", "/{acct}")) in known, path


def test_every_make_target_the_readme_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)) <= targets


@pytest.mark.parametrize("document", COMMITTED, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target
