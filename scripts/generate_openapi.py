"""Write docs/openapi.json from the code. The same code writes the same bytes everywhere."""

from pathlib import Path

from api import openapi
from api.routes import ENDPOINTS

TARGET = Path(__file__).parents[1] / "docs" / "openapi.json"


def generate() -> str:
    return openapi.as_text(openapi.document(ENDPOINTS, ""))


if __name__ == "__main__":
    TARGET.write_text(generate(), encoding="utf-8")
