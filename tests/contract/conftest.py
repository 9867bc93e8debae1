"""The beds as fixtures."""

from collections.abc import Iterator

import pytest

from contract.beds import Bed, in_cloud, in_memory, in_moto


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
        with in_cloud(request.getfixturevalue("cloud").endpoint) as bed:
            yield bed
