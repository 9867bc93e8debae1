"""Every provider whose webhooks are understood, each loaded when it is first asked for."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from billing.domain.providers import ProviderName
from billing.ports import TelephonyProvider


class Registered(Mapping[str, TelephonyProvider]):
    """A provider's module has its name and holds it as ``PROVIDER``.

    A worker serves one or two providers: it does not read the others' modules, nor load the
    cryptography that only one of them needs.
    """

    def __getitem__(self, name: str) -> TelephonyProvider:
        if name not in frozenset(ProviderName):
            raise KeyError(name)
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(ProviderName)

    def __len__(self) -> int:
        return len(ProviderName)


@cache
def _load(name: str) -> TelephonyProvider:
    provider: TelephonyProvider = import_module(f"billing.adapters.telephony.{name}").PROVIDER
    return provider


PROVIDERS = Registered()
