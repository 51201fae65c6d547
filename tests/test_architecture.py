"""The folders keep to themselves: which libraries each names, what is declared, and how long a file may be."""

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
"""What only the extra `train` brings."""
MAY_NAME_TRAIN = {
    "models/training": "makes models",
    "models/runtimes/torch": "runs what OpenVINO does not",
    "models/architectures/joint.py": "the joint reranker where it is trained",
    "models/tokenizer.py": "builds a tokenizer that a folder has only the vocabulary of",
}
"""Where it may be named, and why: nothing else of the product needs it."""
CORE_LIBRARIES = {"ir_measures", "numpy", "pydantic", "tenacity"}
LONGEST_MODULE = 300
PARTS = {"pydantic-core": "pydantic", "werkzeug": "flask"}
"""Distributions that are part of another's public interface and come with it."""


def libraries(folder: str) -> set[str]:
    """The third-party packages that *folder*'s modules import, at any depth."""
    named = {name.partition(".")[0] for file in (ROOT / folder).rglob("*.py") for name in _imports(file)}
    return named - OWN - sys.stdlib_module_names


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def canonical(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*, extras: bool) -> set[str]:
    """The distributions that setup.cfg requires, with or without those of its extras."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [config["options"]["install_requires"]]
    lists += config["options.extras_require"].values() if extras else []
    return {canonical(name) for text in lists for name in re.findall(r"^([A-Za-z][\w.-]*)>=", text, re.MULTILINE)}


def pinned() -> dict[str, str]:
    """constraints.txt: distribution to version."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_core_imports_only_small_libraries() -> None:
    """core/ imports no framework, store client or model runtime."""
    assert libraries("core") - CORE_LIBRARIES == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_imported_is_required(package: str) -> None:
    """An installation needs nothing that setup.cfg does not name: the base, but for what the extra `train` brings."""
    owners = packages_distributions()
    needed = {canonical(owner) for name in libraries(package) - TRAIN for owner in owners.get(name, [name])}
    assert {PARTS.get(name, name) for name in needed} - declared(extras=False) == set()
    assert {canonical(name) for name in TRAIN} & declared(extras=False) == set()
    assert {canonical(name) for name in TRAIN} - declared(extras=True) == set()


def test_only_training_and_the_torch_runtime_name_the_training_libraries() -> None:
    """The base is installed without them; a module that names one elsewhere would break it."""
    named = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if {name.partition(".")[0] for name in _imports(file)} & TRAIN
    }
    assert [name for name in sorted(named) if not name.startswith(tuple(MAY_NAME_TRAIN))] == []


def test_what_is_required_is_pinned() -> None:
    """`make` installs what was tested: each requirement has one version, and no line names a place."""
    assert declared(extras=True) - {canonical(name) for name in pinned()} == set()
    assert [version for version in pinned().values() if not re.fullmatch(r"[0-9][\w.]*", version)] == []


def test_modules_stay_short() -> None:
    """A module of more lines than one head holds hides a second noun."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}
