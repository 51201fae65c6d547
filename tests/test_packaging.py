"""What is installed: these packages with their data, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"core", "index", "models", "ingest", "service", "cli"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy of the project."""
    copy, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in tracked:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(built),
        ".",
    ]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_packages_and_no_tests(wheel: set[str]) -> None:
    """Exactly the six packages are installed, each module of them."""
    tops = {name.partition("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    modules = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert modules - wheel == set()


def test_the_wheel_holds_its_data(wheel: set[str]) -> None:
    """Weights, the page and the demo corpus travel with the code."""
    data = [
        path
        for folder in ("models/builtin", "service/static", "service/templates", "cli/demo")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {str(path.relative_to(ROOT)) for path in data} - wheel == set()
    assert {"cli/demo/corpus.jsonl.gz", "service/static/page.js", "service/templates/page.html"} <= wheel
    assert any(name.startswith("models/builtin/") and name.endswith(".safetensors") for name in wheel)


def test_no_other_distribution_ships_these_names() -> None:
    """The packages' plain names are ours alone in this environment."""
    owners = packages_distributions()
    assert {name: owners[name] for name in PACKAGES if set(owners.get(name, ["rerank"])) != {"rerank"}} == {}
