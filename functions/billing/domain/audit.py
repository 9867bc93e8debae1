"""Who agreed to what: no acceptance, no change."""

from billing.domain.errors import AcceptanceRequiredError
from billing.domain.records import Acceptance

MAX_NAME_LENGTH = 200


def accept(
    *, first_name: str, last_name: str, terms_version: str, accepted: bool, current_terms: str
) -> Acceptance:
    """Check an acceptance before the change it belongs to.

    Args:
        current_terms: The catalogue's terms version.

    Raises:
        AcceptanceRequiredError: Names the field: a blank or overlong name, terms other than the
            current ones, or ``accepted`` not true.
    """
    for field, value in (("first_name", first_name), ("last_name", last_name)):
        if not value.strip() or len(value) > MAX_NAME_LENGTH or not value.isprintable():
            raise AcceptanceRequiredError(
                f"{field} is the name of the person who accepts, on one line",
                field=f"acceptance/{field}",
            )
    if terms_version != current_terms:
        raise AcceptanceRequiredError(
            f"the current terms are version {current_terms!r}; show them and ask again",
            field="acceptance/terms_version",
        )
    if accepted is not True:
        raise AcceptanceRequiredError(
            "nothing is changed unless accepted is true", field="acceptance/accepted"
        )
    return Acceptance(first_name.strip(), last_name.strip(), terms_version)
