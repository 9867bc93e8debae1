"""The local cloud, started once for every test that needs it."""

from collections.abc import Iterator

import pytest

from local.cloud import LocalCloud


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """A fresh local AWS on a free loopback port, with IAM enforced."""
    with LocalCloud.temporary(enforce_iam=True) as cloud:
        yield cloud


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares the local cloud in one process, where tests run in several."""
    for item in items:
        if item.get_closest_marker("cloud"):
            item.add_marker(pytest.mark.xdist_group("cloud"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at how many points flows were let die: a figure that only counts if it is seen."""
    points = [
        value
        for report in terminalreporter.stats.get("passed", ())
        for name, value in getattr(report, "user_properties", ())
        if name == "fault_points"
    ]
    if points:
        singles, pairs = (sum(counts) for counts in zip(*points, strict=True))
        terminalreporter.write_line(
            f"fault points: {singles} single and {pairs} in pairs, in {len(points)} histories"
            " of money flows; in each our book ended equal to the gateway's"
        )
