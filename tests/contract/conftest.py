"""The beds as fixtures."""

from collections.abc import Iterator

import pytest

from contract.beds import Bed, in_aws, in_cloud, in_memory, in_moto, in_wire
from contract.gateway_beds import GatewayBed, Opener
from contract.sandbox_beds import sandbox_in_cloud, sandbox_in_memory, sandbox_in_moto
from contract.stripe_beds import stripe_in_process, stripe_over_http

DIALECT_BEDS = [
    pytest.param(sandbox_in_memory, id="sandbox in memory"),
    pytest.param(stripe_in_process, id="stripe in process"),
    pytest.param(stripe_over_http, id="stripe over http"),
]
"""Where the gateway contract holds: each gateway, and each way to reach it. One line more for each.
"""

GATEWAY_BEDS = [
    *DIALECT_BEDS,
    pytest.param(sandbox_in_moto, id="sandbox in moto"),
    pytest.param(sandbox_in_cloud, id="sandbox in the cloud", marks=pytest.mark.cloud),
]
"""The same, and the tables that the sandbox's book may be kept in. Webhooks do not depend on it."""


@pytest.fixture
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """An empty book on the bed that the test is parametrised with."""
    where = request.param
    if where == "memory":
        yield in_memory()
    elif where == "wire":
        with in_wire() as bed:
            yield bed
    elif where == "moto":
        with in_moto() as bed:
            yield bed
    elif where == "aws":
        with in_aws() as bed:
            yield bed
    else:
        assert where == "cloud", where
        with in_cloud(request.getfixturevalue("cloud").endpoint) as bed:
            yield bed


@pytest.fixture(params=GATEWAY_BEDS)
def gateway_bed(request: pytest.FixtureRequest) -> Iterator[GatewayBed]:
    """A gateway with an empty book."""
    opener: Opener = request.param
    with opener(request) as bed:
        yield bed


@pytest.fixture(params=DIALECT_BEDS)
def dialect_bed(request: pytest.FixtureRequest) -> Iterator[GatewayBed]:
    """A gateway with an empty book, whose webhooks are in question."""
    opener: Opener = request.param
    with opener(request) as bed:
        yield bed
