"""Where things live on the laptop. Everything that a run makes is under ``.local``."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
FUNCTIONS = ROOT / "functions"

DEV_VENV = ROOT / ".venv"
LOCAL_DIR = ROOT / ".local"
CLOUD_VENV = LOCAL_DIR / "cloud-venv"
MUTATION_VENV = LOCAL_DIR / "mutation-venv"
ARTIFACTS = LOCAL_DIR / "artifacts"
DATA = LOCAL_DIR / "data"
STACK_FILE = LOCAL_DIR / "stack.json"


def venv_python(venv: Path) -> Path:
    return venv / "bin" / "python"
