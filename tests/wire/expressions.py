"""The expressions of DynamoDB that our adapters send, and no others: what is not known here is
refused, so that nothing is ever answered by guessing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]
Test = Callable[[Item], bool]

TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),]|[#:]?\w+)")

COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class UnsupportedError(BaseException):
    """Something was asked that is not known here. No handler may take it for a failure of AWS."""


@dataclass(frozen=True)
class Update:
    """What an update expression sets and removes."""

    sets: Mapping[str, Value]
    removes: frozenset[str]

    def of(self, item: Item) -> Item:
        kept = {name: value for name, value in item.items() if name not in self.removes}
        return {**kept, **self.sets}


def condition(asked: Mapping[str, Any], name: str = "ConditionExpression") -> Test | None:
    """The condition that a request carries under a name; None: it carries none."""
    text = asked.get(name)
    return None if text is None else _Reader(text, asked).whole()


def update(asked: Mapping[str, Any]) -> Update:
    return _Reader(asked["UpdateExpression"], asked).update()


def comparable(value: Value | None) -> Any:
    """A value as it is compared: numbers by what they come to. None: it is not there."""
    if value is None:
        return None
    ((kind, held),) = value.items()
    if kind not in ("S", "N", "B", "BOOL"):
        raise UnsupportedError(f"compared with a {kind}")
    return (kind, Decimal(held) if kind == "N" else held)


class _Reader:
    def __init__(self, text: str, asked: Mapping[str, Any]) -> None:
        self._tokens = _tokens(text)
        self._names: Mapping[str, str] = asked.get("ExpressionAttributeNames", {})
        self._values: Mapping[str, Value] = asked.get("ExpressionAttributeValues", {})
        self._place = 0

    def whole(self) -> Test:
        found = self._either()
        self._end()
        return found

    def update(self) -> Update:
        sets: dict[str, Value] = {}
        removes: set[str] = set()
        while self._place < len(self._tokens):
            clause = self._next()
            if clause not in ("SET", "REMOVE"):
                raise UnsupportedError(f"update clause {clause}")
            while True:
                name = self._name()
                if clause == "SET":
                    self._expect("=")
                    sets[name] = self._value()
                else:
                    removes.add(name)
                if self._peek() != ",":
                    break
                self._next()
        return Update(sets, frozenset(removes))

    def _either(self) -> Test:
        tests = [self._both()]
        while self._peek() == "OR":
            self._next()
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda item: any(test(item) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._peek() == "AND":
            self._next()
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)

    def _one(self) -> Test:
        token = self._peek()
        if token == "(":
            self._next()
            inner = self._either()
            self._expect(")")
            return inner
        if token in ("attribute_exists", "attribute_not_exists", "begins_with"):
            return self._function()
        return self._comparison()

    def _function(self) -> Test:
        function = self._next()
        self._expect("(")
        name = self._name()
        if function == "begins_with":
            self._expect(",")
            prefix = self._value()["S"]
            self._expect(")")
            return lambda item: name in item and item[name]["S"].startswith(prefix)
        self._expect(")")
        is_wanted = function == "attribute_exists"
        return lambda item: (name in item) is is_wanted

    def _comparison(self) -> Test:
        name, how = self._name(), self._next()
        if how == "BETWEEN":
            low = comparable(self._value())
            self._expect("AND")
            high = comparable(self._value())
            return lambda item: name in item and low <= comparable(item[name]) <= high
        if how not in COMPARED:
            raise UnsupportedError(f"operator {how}")
        compared, wanted = COMPARED[how], comparable(self._value())

        def holds(item: Item) -> bool:
            found = comparable(item.get(name))
            # Of another type nothing is smaller or greater; what is missing is only different.
            if found is None or found[0] != wanted[0]:
                return how == "<>"
            return compared(found, wanted)

        return holds

    def _name(self) -> str:
        token = self._next()
        if not token.startswith("#"):
            raise UnsupportedError(f"name {token}")
        return self._names[token]

    def _value(self) -> Value:
        token = self._next()
        if not token.startswith(":"):
            raise UnsupportedError(f"value {token}")
        return self._values[token]

    def _peek(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _next(self) -> str:
        self._place += 1
        return self._tokens[self._place - 1]

    def _expect(self, token: str) -> None:
        if (found := self._next()) != token:
            raise UnsupportedError(f"{found} where {token} is known")

    def _end(self) -> None:
        if self._place != len(self._tokens):
            raise UnsupportedError(f"{self._tokens[self._place :]} after the end")


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    text = text.strip()
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise UnsupportedError(f"expression {text!r}")
        found.append(match[1])
        place = match.end()
    return found
