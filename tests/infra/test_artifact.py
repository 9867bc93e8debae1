"""The artifact holds all that its functions need, and asks nothing of where it is imported."""

import subprocess
import sys
from pathlib import Path

import pytest
from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped]

from local import artifact, paths

TEMPLATE = Path(__file__).parents[2] / "infra" / "template.yaml"
HANDLERS = [
    resource["Properties"]["Handler"]
    for resource in load(str(TEMPLATE))["Resources"].values()
    if resource["Type"] == "AWS::Serverless::Function"
]

# -I and -S leave sys.path without site-packages, PYTHON* variables and the working directory, so
# that what the artifact lacks cannot hide behind what this machine has.
ISOLATED = [sys.executable, "-I", "-S"]
IMPORT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
module, function = sys.argv[2].rsplit(".", 1)
assert callable(getattr(importlib.import_module(module), function))
inside = [m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)]
print("\\n".join(f for f in inside if "site-packages" in f))
"""
LOADED_LATER = """
import sys
sys.path.insert(0, sys.argv[1])
import billing.adapters.countries
import billing.adapters.papers.pdf
from billing.adapters.telephony.registry import PROVIDERS
print(*sorted(type(provider).__name__ for provider in PROVIDERS.values()))
"""
BOTO3 = "import sys; sys.path.insert(0, sys.argv[1]); import boto3; print(boto3.__file__)"


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = artifact.build(Path(sys.executable))
    return artifact.unpack(archive, tmp_path_factory.mktemp("artifact"))


def run_isolated(program: str, unpacked: Path, *arguments: str) -> str:
    # Compiled once, beside the artifact: its functions import much the same.
    compiled = ["-X", f"pycache_prefix={unpacked.with_name('compiled')}"]
    command = [*ISOLATED, *compiled, "-c", program, str(unpacked), *arguments]
    # No variable at all: importing a handler may read none.
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_imports_from_the_artifact_alone(unpacked: Path, handler: str) -> None:
    assert run_isolated(IMPORT, unpacked, handler) == ""


def test_what_is_loaded_only_when_asked_for_is_in_the_artifact_too(unpacked: Path) -> None:
    loaded = run_isolated(LOADED_LATER, unpacked)
    assert loaded == "Bandwidth Pbx Plivo SignalWire Telnyx Twilio Vonage"


def test_boto3_is_the_pinned_one_and_not_the_runtimes(unpacked: Path) -> None:
    assert Path(run_isolated(BOTO3, unpacked)).is_relative_to(unpacked)


def test_equal_inputs_build_an_equal_archive(
    unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = artifact.build(Path(sys.executable))
    packages = artifact.dependencies(Path(sys.executable), paths.FUNCTIONS / "requirements.txt")
    (tmp_path / packages.name).symlink_to(packages)
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path)
    second = artifact.build(Path(sys.executable))
    assert second != first
    assert second.read_bytes() == first.read_bytes()


def test_nothing_ships_that_lambda_does_not_run(unpacked: Path) -> None:
    assert not list(unpacked.rglob("__pycache__"))
    assert not (unpacked / "requirements.txt").exists()
    assert not (unpacked / "bin").exists()
