"""Fire a deployed schedule now: its own target, with its own input, as Scheduler would."""

import json
from typing import Any

from local.deploy import ClientFactory


class ScheduleFailedError(Exception):
    """The schedule's target raised."""


def fire(client: ClientFactory, schedule: str) -> Any:
    """Invoke the target of ``schedule`` and return its answer once it is done.

    Scheduler invokes asynchronously; waiting for the answer lets a simulation say what happened.

    Raises:
        ScheduleFailedError: The target raised; carries its message.
    """
    target = client("scheduler").get_schedule(Name=schedule)["Target"]
    answer = client("lambda").invoke(
        FunctionName=target["Arn"],
        InvocationType="RequestResponse",
        Payload=target.get("Input", "{}").encode(),
    )
    payload = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        raise ScheduleFailedError(f"{schedule}: {json.dumps(payload)}")
    return payload
