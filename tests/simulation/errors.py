"""What a simulation ends with when something does not hold."""


class InvariantError(Exception):
    """Something that must always hold does not."""


def require(holds: bool, *problems: str) -> None:
    if not holds:
        raise InvariantError("; ".join(problems))
