"""Contents of the wheel and the sdist, and how the installed package behaves beside other projects."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("core", "index", "models", "ingest", "service", "cli")
LARGEST_WHEEL = 95 * 1000 * 1000
"""Number of bytes. PyPI refuses files above 100 MB."""
NOT_IN_THE_WHEEL = ("rerank/models/builtin/all-MiniLM-L6-v2/", "rerank/models/builtin/minilm-l6-en-it-v2/")


def run(command: Sequence[str], folder: Path, **environment: str) -> str:
    """Runs *command* in *folder* and returns its standard output. A failure shows the standard error."""
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def setuptools_command(source: Path, *arguments: str) -> None:
    """Runs a command of setuptools in *source*."""
    run([sys.executable, "-c", "from setuptools import setup; setup()", *arguments], source)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with links to the files that git tracks or would track."""
    copy = tmp_path_factory.mktemp("source")
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT).splitlines()
    for name in listed:
        path, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif path.is_file():
            shutil.copyfile(path, target) if path.stat().st_dev != copy.stat().st_dev else os.link(path, target)
    return copy


@pytest.fixture(scope="module")
def unpacked_sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns an unpacked source distribution. The archive is not compressed, to save most of the time."""
    output = tmp_path_factory.mktemp("sdist")
    setuptools_command(source, "-q", "sdist", "--formats", "tar", "--dist-dir", str(output))
    (archive,) = output.iterdir()
    with tarfile.open(archive) as tar:
        tar.extractall(output, filter="data")
    archive.unlink()
    (unpacked,) = output.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel(unpacked_sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a wheel built from the source distribution, like `python -m build`."""
    output = tmp_path_factory.mktemp("wheel")
    setuptools_command(unpacked_sdist, "-q", "bdist_wheel", "--dist-dir", str(output))
    (file,) = output.iterdir()
    return file


def names_in(wheel: Path) -> set[str]:
    """Returns the files of a wheel, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def packaged_files() -> set[str]:
    """Returns the modules and data files that the wheel must contain in `rerank/`."""
    data = ("models/builtin", "service/static", "service/templates", "cli/demo")
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    paths += [path for folder in data for path in (ROOT / folder).rglob("*") if path.is_file()]
    names = {f"rerank/{path.relative_to(ROOT)}" for path in paths if "__pycache__" not in path.parts}
    return {name for name in names if not name.startswith(NOT_IN_THE_WHEEL)}


def test_wheel_contains_one_package_with_all_modules_and_data(wheel: Path) -> None:
    """The wheel installs only `rerank`, with each module, the weights, the page, the demo corpus and py.typed."""
    names = names_in(wheel)
    assert {name.partition("/")[0] for name in names} == {"rerank"}
    assert packaged_files() - names == set()
    assert {"rerank/py.typed", "rerank/cli/demo/corpus.jsonl.gz", "rerank/service/static/page/main.js"} <= names
    assert any(name.startswith("rerank/models/builtin/") and name.endswith(".safetensors") for name in names)


def test_wheel_from_the_checkout_has_the_same_files(source: Path, wheel: Path, tmp_path: Path) -> None:
    """`pip install .` in a checkout follows the links of `rerank/`."""
    setuptools_command(source, "-q", "build_py", "--build-lib", str(tmp_path))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == names_in(wheel)


def test_sdist_contains_the_models_that_the_wheel_leaves_out(unpacked_sdist: Path, wheel: Path) -> None:
    """Only the checkout and the sdist contain the models that are not a default."""
    assert all((unpacked_sdist / folder / "model.safetensors").is_file() for folder in NOT_IN_THE_WHEEL)
    assert not any(name.startswith(NOT_IN_THE_WHEEL) for name in names_in(wheel))


def test_wheel_is_below_the_size_limit(wheel: Path) -> None:
    """PyPI accepts files of up to 100 MB."""
    assert wheel.stat().st_size <= LARGEST_WHEEL


def test_project_with_packages_of_the_same_names_does_not_collide(wheel: Path, tmp_path: Path) -> None:
    """The installed command works in a project whose own `models` and `core` come first on the path."""
    installed, project = tmp_path / "site", tmp_path / "project"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    for folder in FOLDERS:
        (project / folder).mkdir(parents=True)
        (project / folder / "__init__.py").write_text("", encoding="utf-8")
    path = os.pathsep.join([".", str(installed)])
    command = [sys.executable, "-m", "rerank.cli", "models", "list"]
    assert "e5-small-western-v1" in run(command, project, PYTHONPATH=path)
