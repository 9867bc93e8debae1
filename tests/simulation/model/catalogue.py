"""The catalogue's versions, and which of them a subscription goes on under (docs/catalog.md)."""

from collections.abc import Callable
from datetime import date
from typing import Any

from simulation.model.grants import USUAL_PRIORITY, Grant, Scope, spoken_unit

Document = dict[str, Any]


def entry(document: Document, section: str, key: str, name: str) -> Document:
    return next(one for one in document[section] if one[key] == name)


def has_entry(document: Document, section: str, key: str, name: str) -> bool:
    return any(one[key] == name for one in document.get(section, ()))


def plan_units(plan: Document) -> dict[str, Document]:
    return {unit["licence"]: unit for unit in plan.get("units", ())}


def grants_of(document: Document, plan_id: str, packages: dict[str, int]) -> dict[str, Grant]:
    """What a period is granted: the plan's, and each package's as often as it is held."""
    sources = [(entry(document, "plans", "plan", plan_id), 1)]
    sources += [
        (entry(document, "packages", "package", name), held) for name, held in packages.items()
    ]
    return {
        one["grant"]: _grant(one, times)
        for source, times in sources
        if times
        for one in source.get("grants", ())
    }


def _grant(one: Document, times: int) -> Grant:
    return Grant(
        one["grant"],
        spoken_unit(one["unit"]),
        one.get("quantity", 0) * times,
        one.get("priority", USUAL_PRIORITY),
        one.get("rollover_limit", 0) * times,
        scope_of(one),
        one.get("unlimited", False),
    )


def scope_of(one: Document) -> Scope:
    limits = one.get("scope", {})
    return Scope(limits.get("direction", ""), tuple(limits.get("prefixes", ())))


class Versions:
    def __init__(self, first: Document) -> None:
        self._documents = {1: first}

    @property
    def newest(self) -> int:
        return max(self._documents)

    def __getitem__(self, version: int) -> Document:
        return self._documents[version]

    def put(self, version: int, document: Document) -> None:
        self._documents[version] = document

    def reaching(self, own: int, first_day: date, sells: Callable[[Document], bool]) -> int:
        """The newest that says it reaches what exists by that day, if it sells what is held."""
        for version in sorted(self._documents, reverse=True):
            document = self._documents[version]
            since = document.get("existing_from")
            if version > own and since and date.fromisoformat(since) <= first_day:
                return version if sells(document) else own
        return own

    def counted_by_members(self, version: int, kind: str) -> bool:
        licence = entry(self._documents[version], "licences", "licence", kind)
        return bool(licence.get("on_invite") == "add_unit")
