"""What the registry promises of every provider alike."""

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.providers import ProviderName


def test_every_provider_that_a_connection_may_name_is_understood() -> None:
    assert set(PROVIDERS) == set(ProviderName)
