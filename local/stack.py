"""``.local/stack.json``: where the running stack is and how to get in, for scripts and browsers."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local import paths


@dataclass(frozen=True)
class Connection:
    """A provider connection of the demo: what a simulated provider signs with."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Stack:
    api_url: str
    portal_url: str
    tokens: Mapping[str, str] = field(repr=False)
    connections: Mapping[str, Connection]
    # What the sandbox gateway signs its webhooks with, by the gateway's name.
    payment_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    # What the template put out, so that tests and scripts need not ask CloudFormation.
    outputs: Mapping[str, str] = field(default_factory=dict)
    endpoint_url: str = ""


def write(stack: Stack, file: Path = paths.STACK_FILE) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    # It holds tokens and secrets: readable by its owner alone, before anything is in it.
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(asdict(stack), indent=2) + "\n")
    partial.replace(file)


def read(file: Path = paths.STACK_FILE) -> Stack:
    found = json.loads(file.read_text())
    connections = {name: Connection(**one) for name, one in found.pop("connections").items()}
    return Stack(**found, connections=connections)
