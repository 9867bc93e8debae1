"""The dashboard shows metrics that are emitted, under the dimensions they are emitted with."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = load(str(ROOT / "infra" / "template.yaml"))
RESOURCES = TEMPLATE["Resources"]
(DASHBOARD,) = (
    one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Dashboard"
)
BODY = json.loads(DASHBOARD["DashboardBody"]["Fn::Sub"])
SERVICES = {
    one["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    for one in RESOURCES.values()
    if one["Type"] == "AWS::Serverless::Function"
}
CODE = "\n".join(path.read_text("utf-8") for path in (ROOT / "functions").rglob("*.py"))
SHOWN = (
    "MoneyIn",
    "MoneyOut",
    "RechargesSucceeded",
    "IngestLag",
    "PaymentsOpen",
    "PaymentsOverdue",
    "LedgerMismatches",
)


def metrics() -> Iterator[list[Any]]:
    for widget in BODY["widgets"]:
        yield from widget["properties"].get("metrics", ())


def named() -> Iterator[tuple[str, dict[str, str]]]:
    """Our own metrics, with their dimensions."""
    for metric in metrics():
        if metric[0] == "Talktime":
            pairs = [part for part in metric[2:] if isinstance(part, str)]
            yield metric[1], dict(zip(pairs[::2], pairs[1::2], strict=True))
        elif isinstance(metric[0], dict):
            text = metric[0]["expression"]
            for name in re.findall(r'MetricName="(\w+)"', text):
                dimensions = re.findall(r'(service|stage)="([^"]+)"', text)
                assert "{Talktime,currency,service,stage}" in text
                yield name, dict(dimensions)


def test_what_is_shown_is_emitted_by_whom_it_says() -> None:
    for metric, dimensions in named():
        assert f'"{metric}"' in CODE, metric
        assert dimensions["service"] in SERVICES, metric
        assert dimensions["stage"] == "${Stage}"
        assert not {"tenant", "account"} & set(dimensions)


@pytest.mark.parametrize("metric", SHOWN)
def test_the_figures_that_say_whether_money_moves_are_there(metric: str) -> None:
    assert metric in {name for name, _ in named()}


def test_every_alarm_on_a_metric_of_ours_is_shown() -> None:
    alarmed = {
        one["Properties"]["MetricName"]
        for one in RESOURCES.values()
        if one["Type"] == "AWS::CloudWatch::Alarm" and one["Properties"]["Namespace"] == "Talktime"
    }
    assert alarmed <= {name for name, _ in named()}


def test_every_queue_of_dead_letters_is_shown() -> None:
    letters = {name for name in RESOURCES if name.endswith("DeadLetters")}
    shown = {str(metric[3]) for metric in metrics() if metric[0] == "AWS/SQS"}
    assert {f"${{{name}.QueueName}}" for name in letters} <= shown


def test_widgets_lie_beside_each_other() -> None:
    taken = [
        (x, y)
        for one in BODY["widgets"]
        for x in range(one["x"], one["x"] + one["width"])
        for y in range(one["y"], one["y"] + one["height"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_an_alarm_on_a_metric_of_ours_has_the_dimensions_of_that_metric() -> None:
    shown = dict(named())
    for one in RESOURCES.values():
        if one["Type"] != "AWS::CloudWatch::Alarm" or one["Properties"]["Namespace"] != "Talktime":
            continue
        service, stage = one["Properties"]["Dimensions"]
        assert service["Value"] == shown[one["Properties"]["MetricName"]]["service"]
        assert stage == {"Name": "stage", "Value": {"Ref": "Stage"}}
