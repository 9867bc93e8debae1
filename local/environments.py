"""Create the virtual environments. Run by whatever ``python3`` the machine has.

``.venv`` holds the project's dependencies and tools. ``.local/cloud-venv`` holds the local cloud
alone: it pins botocore exactly, and Lambda code runs on its interpreter. ``.local/mutation-venv``
is made for ``make mutation`` alone. Each is built from hashed
lock files and stamped with their digest, so that a second run does nothing. This module has to
parse on Pythons that are too old, or it could not say so.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from local import paths

MINIMUM_PYTHON = (3, 11)
STAMP = "talktime.stamp"

ENVIRONMENTS = {
    "dev": (
        paths.DEV_VENV,
        (paths.FUNCTIONS / "requirements.txt", paths.ROOT / "requirements-dev.txt"),
    ),
    "cloud": (paths.CLOUD_VENV, (paths.ROOT / "local" / "requirements.txt",)),
    "mutation": (
        paths.MUTATION_VENV,
        (
            paths.FUNCTIONS / "requirements.txt",
            paths.ROOT / "requirements-dev.txt",
            paths.ROOT / "tests" / "mutation" / "requirements.txt",
        ),
    ),
}


class MachineError(Exception):
    """The machine lacks something; the message says what, and what to do about it."""


def check_python(version: tuple[int, ...]) -> None:
    if version[:2] < MINIMUM_PYTHON:
        found = ".".join(map(str, version))
        raise MachineError(
            f"Talktime needs Python 3.11 or newer; {sys.executable} is Python {found}.\n"
            "Install a newer one and name it: make run PYTHON=python3.13"
        )


def ensure(name: str) -> Path:
    """Make the environment ready and return its interpreter. Does nothing when it already is."""
    venv, locks = ENVIRONMENTS[name]
    stamp = digest(locks)
    python = paths.venv_python(venv)
    if python.exists() and read_stamp(venv) == stamp:
        return python
    print(f"Installing {venv.relative_to(paths.ROOT)} (once; needs the network) ...", flush=True)
    create(venv)
    install(python, locks)
    # Written last: an interrupted installation is thrown away and begun again.
    (venv / STAMP).write_text(stamp)
    return python


def digest(locks: tuple[Path, ...]) -> str:
    summed = hashlib.sha256(sys.version.encode())
    for lock in locks:
        summed.update(lock.read_bytes())
    return summed.hexdigest()


def read_stamp(venv: Path) -> str | None:
    stamp = venv / STAMP
    return stamp.read_text() if stamp.exists() else None


def create(venv: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    venv.parent.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        raise MachineError(
            f"{sys.executable} cannot create a virtual environment:\n"
            f"{tail(made.stdout + made.stderr)}\n"
            "On Debian and Ubuntu: apt install python3-venv"
        )


def install(python: Path, locks: tuple[Path, ...]) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--retries", "2"]
    for lock in locks:
        command += ["--requirement", str(lock)]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        raise MachineError(
            f"pip could not install the pinned packages:\n{tail(installed.stderr)}\n"
            "Is the network reachable? Behind a proxy or mirror, set pip's own configuration."
        )


def tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def main(names: list[str]) -> int:
    try:
        check_python(sys.version_info[:3])
        for name in names:
            ensure(name)
    except MachineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
