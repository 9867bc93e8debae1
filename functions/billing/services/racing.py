"""Lost races: how often whoever lost one tries again, and how long it waits before."""

import random

MAX_ATTEMPTS = 20
"""Lost races before giving up. With full jitter that is about eight seconds in the mean, well
inside a queue's visibility timeout and an API client's patience."""

BACKOFF_BASE_SECONDS = 0.01
BACKOFF_CAP_SECONDS = 1.0


def wait_seconds(lost: int) -> float:
    """Full jitter: any wait from none to the bound (AWS Architecture Blog, 2015).

    Args:
        lost: Races lost so far, 1 and up.
    """
    bound = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2 ** (lost - 1))
    return random.uniform(0, bound)  # noqa: S311  # spreads load, guards nothing
