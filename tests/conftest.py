"""The local cloud, started once for every test that needs it."""

from collections.abc import Iterator

import pytest

from local.cloud import LocalCloud


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """A fresh local AWS on a free loopback port, with IAM enforced."""
    with LocalCloud.temporary(enforce_iam=True) as cloud:
        yield cloud
