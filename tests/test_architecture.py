"""Rules for the folders: allowed libraries, declared requirements, and the length of modules."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "index", "models", "ingest", "service", "cli")
OWN = {"rerank", "tests", "benchmarks", "recipes"}
TRAIN = {"accelerate", "datasets", "matplotlib", "sentence_transformers", "torch", "transformers"}
"""Packages that only the extra `train` installs."""
MAY_IMPORT_TRAIN = {
    "models/training": "trains models",
    "models/runtimes/torch": "runs models that OpenVINO does not support",
    "models/architectures/joint.py": "defines the network of the joint reranker for training",
    "models/tokenizer.py": "builds a tokenizer for a folder that has only a vocabulary",
}
"""Modules that can import packages of the extra `train`, with the reason."""
CORE_LIBRARIES = {"ir_measures", "numpy", "pydantic", "tenacity"}
LONGEST_MODULE = 300
PARTS = {"pydantic-core": "pydantic", "werkzeug": "flask"}
"""Distributions that another one installs as part of its public interface."""


def libraries(folder: str) -> set[str]:
    """Returns the third-party packages that the modules of *folder* import, also inside functions."""
    imported = {name.partition(".")[0] for file in (ROOT / folder).rglob("*.py") for name in _imports(file)}
    return imported - OWN - sys.stdlib_module_names


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def canonical(name: str) -> str:
    """Returns the name of a distribution in the form that package indexes compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*, extras: bool) -> set[str]:
    """Returns the distributions that setup.cfg requires, with or without those of its extras."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [config["options"]["install_requires"]]
    lists += config["options.extras_require"].values() if extras else []
    return {canonical(name) for text in lists for name in re.findall(r"^([A-Za-z][\w.-]*)>=", text, re.MULTILINE)}


def pinned() -> dict[str, str]:
    """Returns the versions in constraints.txt by distribution."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_core_imports_only_small_libraries() -> None:
    """core/ imports no framework, store client or model runtime."""
    assert libraries("core") - CORE_LIBRARIES == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_imported_packages_are_required(package: str) -> None:
    """setup.cfg requires every imported package, in the base installation or in the extra `train`."""
    owners = packages_distributions()
    needed = {canonical(owner) for name in libraries(package) - TRAIN for owner in owners.get(name, [name])}
    assert {PARTS.get(name, name) for name in needed} - declared(extras=False) == set()
    assert {canonical(name) for name in TRAIN} & declared(extras=False) == set()
    assert {canonical(name) for name in TRAIN} - declared(extras=True) == set()


def test_only_allowed_modules_import_the_training_packages() -> None:
    """The base installation lacks these packages, so an import in another module would fail."""
    importing = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if {name.partition(".")[0] for name in _imports(file)} & TRAIN
    }
    assert [name for name in sorted(importing) if not name.startswith(tuple(MAY_IMPORT_TRAIN))] == []


def test_required_packages_are_pinned() -> None:
    """`make` installs tested versions: constraints.txt has one version for each requirement, and no URLs."""
    assert declared(extras=True) - {canonical(name) for name in pinned()} == set()
    assert [version for version in pinned().values() if not re.fullmatch(r"[0-9][\w.]*", version)] == []


def test_modules_are_short() -> None:
    """A long module usually has more than one subject."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}
