"""What every test shares: the local cloud, what boto3 reads, and how tests are spread."""

import functools
from collections.abc import Iterator

import pytest
from botocore import session as botocore_session
from hypothesis import settings
from xdist.remote import Producer  # type: ignore[import-untyped]

from local.cloud import LocalCloud
from spreading import OneCloud, needs_cloud

# A deadline for each example fails honest tests where the machine is busy with something else.
settings.register_profile("talktime", deadline=None)
settings.load_profile("talktime")


@pytest.fixture(scope="session", autouse=True)
def _service_models_read_once() -> Iterator[None]:
    """Let botocore read its descriptions of services once for a process.

    It keeps them for one session alone, and moto, boto3 and PynamoDB begin one for each test: to
    parse megabytes of JSON again took more time than what was tested.
    """
    with pytest.MonkeyPatch.context() as patch:
        create = functools.cache(botocore_session.create_loader)
        patch.setattr(botocore_session, "create_loader", create)
        yield


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """A fresh local AWS on a free loopback port, with IAM enforced."""
    with LocalCloud.temporary(enforce_iam=True) as cloud:
        yield cloud


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the local cloud: the longest piece of work that one process has to do."""
    items.sort(key=lambda item: not needs_cloud(item.nodeid))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cloud") and not needs_cloud(item.nodeid):
        pytest.fail("it needs the local cloud, but its id does not say so: see tests/spreading.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneCloud | None:
    if config.getoption("dist") != "loadgroup":
        return None
    # In the order of collection. By the number of tests, the slowest files would come last, and
    # one process would wait for the other.
    config.option.loadscopereorder = False
    return OneCloud(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried, and what was measured: a figure only counts if it is seen."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in getattr(report, "user_properties", ()):
            if name == "figures":
                terminalreporter.write_line(str(value))
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
