"""Contents of the wheel and the sdist, and how the installed package behaves beside other projects."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("core", "index", "models", "ingest", "service", "cli")
LARGEST_WHEEL = 100 * 1000 * 1000
"""Bytes. PyPI refuses larger files."""


def run(command: Sequence[str], folder: Path, **environment: str) -> str:
    """The standard output of *command*, run in *folder*; a failure shows its standard error."""
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(source: Path, output: Path, hook: str) -> Path:
    """The file that the build backend's *hook* (build_wheel or build_sdist) writes from *source* into *output*."""
    program = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
    printed = run([sys.executable, "-c", program, hook, str(output)], source)
    return output / printed.splitlines()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that git tracks or would track."""
    copy = tmp_path_factory.mktemp("source")
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT).splitlines()
    for name in listed:
        path, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif path.is_file():
            target.write_bytes(path.read_bytes())
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the copy."""
    return build(source, tmp_path_factory.mktemp("wheel"), "build_wheel")


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source distribution built from the copy."""
    return build(source, tmp_path_factory.mktemp("sdist"), "build_sdist")


def names_in(wheel: Path) -> set[str]:
    """The files of a wheel, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def packaged_files() -> set[str]:
    """Every module and data file of the six folders, below `rerank/`."""
    data = ("models/builtin", "service/static", "service/templates", "cli/demo")
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    paths += [path for folder in data for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {f"rerank/{path.relative_to(ROOT)}" for path in paths if "__pycache__" not in path.parts}


def test_wheel_contains_one_package_with_all_modules_and_data(wheel: Path) -> None:
    """The wheel installs `rerank` alone, with each module, the weights, the page, the demo corpus and py.typed."""
    names = names_in(wheel)
    assert {name.partition("/")[0] for name in names} == {"rerank"}
    assert packaged_files() - names == set()
    assert {"rerank/py.typed", "rerank/cli/demo/corpus.jsonl.gz", "rerank/service/static/page.js"} <= names
    assert any(name.startswith("rerank/models/builtin/") and name.endswith(".safetensors") for name in names)


def test_wheel_from_the_sdist_equals_wheel_from_the_checkout(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    """The links of the checkout become files in the sdist, and the same wheel is built from it."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert names_in(build(unpacked, tmp_path, "build_wheel")) == names_in(wheel)


def test_wheel_fits_the_registry(wheel: Path) -> None:
    """PyPI accepts files of up to 100 MB."""
    assert wheel.stat().st_size <= LARGEST_WHEEL


def test_project_with_packages_of_the_same_names_does_not_collide(wheel: Path, tmp_path: Path) -> None:
    """A user's own `models` and `core` packages, first on the path, leave the installed command working."""
    installed, project = tmp_path / "site", tmp_path / "project"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    for folder in FOLDERS:
        (project / folder).mkdir(parents=True)
        (project / folder / "__init__.py").write_text("", encoding="utf-8")
    path = os.pathsep.join([".", str(installed)])
    command = [sys.executable, "-m", "rerank.cli", "models", "list"]
    assert "minilm-l6-en-it-v2" in run(command, project, PYTHONPATH=path)
