"""The beds as fixtures. The local cloud starts once, for whoever asks for it first."""

from collections.abc import Iterator

import pytest

from contract.beds import Bed, in_cloud, in_memory, in_moto


@pytest.fixture(scope="session")
def cloud_endpoint() -> Iterator[str]:
    from local.cloud import LocalCloud

    with LocalCloud.temporary() as cloud:
        yield cloud.endpoint


@pytest.fixture
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """An empty book on the bed that the test is parametrised with."""
    where = request.param
    if where == "memory":
        yield in_memory()
    elif where == "moto":
        with in_moto() as bed:
            yield bed
    else:
        assert where == "cloud", where
        with in_cloud(request.getfixturevalue("cloud_endpoint")) as bed:
            yield bed
