"""Tests of the documentation: its commands and links work, and it covers all commands, settings and errors."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rerank.cli.main import cli
from rerank.core import errors
from rerank.core.settings import Settings
from rerank.core.settings_loading import PREFIX
from tests.models import tiny

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("recipes/*.md")])
USER_PAGES = [page for page in PAGES if page.parent.name in ("docs", "it") or page.name.startswith("README")]
GUIDES = [
    "first-steps",
    "ingesting",
    "searching",
    "reranking",
    "training",
    "models",
    "evaluating",
    "elasticsearch",
    "opensearch",
    "proxy",
    "speed",
    "wire",
    "settings",
    "security",
    "errors",
    "python",
]

_COMMAND = re.compile(r"^    .*?\b(rerank-cli .*)$", re.MULTILINE)
_INLINE = re.compile(r"`(rerank-cli [^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


def commands() -> Iterator[tuple[str, str]]:
    """Returns every rerank-cli command line in the pages."""
    for page in USER_PAGES:
        text = page.read_text(encoding="utf-8")
        for line in [*_COMMAND.findall(text.replace("\\\n", " ")), *_INLINE.findall(text)]:
            yield page.name, line.partition("#")[0].partition(" | ")[0].strip()


def all_commands(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Returns every command of *group* and its subgroups, with its path."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from all_commands(command, (*names, name))
        else:
            yield (*names, name), command


COMMANDS = dict(all_commands(cli))


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_commands_in_the_docs_exist(page: str, line: str) -> None:
    """Each rerank-cli line in the docs names an existing command and its flags."""
    words = [word for word in shlex.split(line)[1:] if word not in ("…", "...")]
    if not words or words[0].startswith("-"):
        return
    path = next((names for names in COMMANDS if tuple(words[: len(names)]) == names), None)
    if path is None:
        assert words[0] in cli.list_commands(click.Context(cli)), f"{page}: {line}: no such command"
        assert len(words) == 1, f"{page}: {line}: no such command"
        return
    known = {flag for parameter in COMMANDS[path].params for flag in [*parameter.opts, *parameter.secondary_opts]}
    flags = {word.partition("=")[0] for word in words if re.fullmatch(r"-k|--[a-z][a-z-]*(=.*)?", word)}
    assert flags <= known | {"--help", "--debug"}, f"{page}: {line}"


def test_every_command_and_flag_is_in_the_docs() -> None:
    """The docs name every command and every flag that is not a setting."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in USER_PAGES)
    settings = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    missing = [" ".join(path) for path in COMMANDS if f"rerank-cli {' '.join(path)}" not in text]
    for path, command in COMMANDS.items():
        flags = {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")}
        missing += [f"{' '.join(path)} {flag}" for flag in sorted(flags - settings) if f"{flag}" not in text]
    assert missing == []


def test_every_setting_is_in_the_docs() -> None:
    """docs/settings.md names each setting, its flag or key, its environment variable and its default."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    missing = [
        name for name in Settings.model_fields if f"`{name}`" not in text or f"`{PREFIX}{name.upper()}`" not in text
    ]
    assert missing == []
    unknown = set(re.findall(r"RERANK_[A-Z_]+", text)) - {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert unknown == set()


def _errors(kind: type[errors.RerankError]) -> Iterator[type[errors.RerankError]]:
    yield kind
    for subclass in kind.__subclasses__():
        if subclass.__module__ == errors.__name__:
            yield from _errors(subclass)


def test_every_error_is_in_the_docs() -> None:
    """docs/errors.md names each error and its error_type."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    known = list(_errors(errors.RerankError))
    assert [kind.__name__ for kind in known[1:] if kind.__name__ not in text] == []
    assert [kind.error_type for kind in known if f"`{kind.error_type}`" not in text] == []


def _anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_name_existing_files_and_headings(page: Path) -> None:
    """A relative link names an existing file and, after `#`, a heading of it."""
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link[0]]
    targets = [((page.parent / name) if name else page, anchor) for name, anchor in links]
    assert [
        f"{target}#{anchor}"
        for target, anchor in targets
        if not target.exists() or (anchor and anchor not in _anchors(target))
    ] == []


def test_promises_of_the_security_guide_name_existing_tests() -> None:
    """Each promise has a test, by file and name."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    promises = re.findall(r"\| `(tests/[\w/]+\.py)::(\w+)` \|", text)
    assert len(promises) >= 10
    assert [name for file, name in promises if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")] == []


def test_docs_readme_lists_every_guide() -> None:
    """Every guide exists in docs/, and docs/README.md lists it."""
    listed = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [
        name for name in GUIDES if not (ROOT / "docs" / f"{name}.md").is_file() or f"({name}.md)" not in listed
    ] == []


def test_architecture_page_is_short_and_names_every_folder() -> None:
    """ARCHITECTURE.md has at most 130 lines and names every folder."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = ["core", "index", "models", "ingest", "service", "cli", "tests", "benchmarks", "docs"]
    assert len(text.splitlines()) <= 130
    assert [folder for folder in folders if f"{folder}/" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_contain_no_local_paths(page: Path) -> None:
    """No page contains a path of the author's machine."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.])/(?:work|root|Users)/\S*", text) == []


@pytest.mark.slow
def test_first_steps_commands_succeed(tmp_path: Path) -> None:
    """The ingest and search commands of docs/first-steps.md succeed as written."""
    text = (ROOT / "docs" / "first-steps.md").read_text(encoding="utf-8")
    (tmp_path / "corpus.jsonl").write_text(text.split("```json\n")[1].split("```")[0], encoding="utf-8")
    lines = [line for line in _COMMAND.findall(text) if line.split()[1] in ("ingest", "search")]
    assert len(lines) == 4
    for line in lines:
        process = subprocess.run(
            [sys.executable, "-c", "from rerank.cli.main import main; main()", *shlex.split(line)[1:]],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, f"{line}: {process.stderr}"
        if "search" in line:
            assert "pisa" in process.stdout.lower()


@pytest.mark.slow
def test_promotion_guide_commands_promote_a_trained_model(tmp_path: Path) -> None:
    """The commands of docs/models.md succeed as written, in a folder with only documents and judgments."""
    section = (
        (ROOT / "docs" / "models.md")
        .read_text(encoding="utf-8")
        .split("## Train, calibrate and promote")[1]
        .split("\n## ")[0]
    )
    lines = _COMMAND.findall(section)
    assert [line.split()[1] for line in lines] == ["ingest", "train", "models", "models"]
    _write_judgments(tmp_path / "mine")
    # The current model ranks at random. To prove that a model is better than the built-in one would need more judgments
    # and more time.
    tiny.bert(tmp_path / "weak", labels=1)
    current = {"RERANK_RERANKER": "weak", "RERANK_FUSION": "none"}
    for line in lines:
        process = subprocess.run(
            [sys.executable, "-c", "from rerank.cli.main import main; main()", *shlex.split(line)[1:]],
            cwd=tmp_path,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(ROOT),
                "HOME": str(tmp_path),
                **(current if "promote" in line else {}),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, f"{line}: {process.stderr}"
    model = json.loads((tmp_path / "trained" / "rerank.json").read_text())
    assert {"kind", "fusion", "calibration"} <= model.keys()
    promoted = json.loads((tmp_path / "rerank-models" / "promoted.json").read_text())
    assert str(tmp_path / "trained") in json.dumps(promoted)


def _write_judgments(folder: Path) -> None:
    """Writes 48 documents with one question each: half for training, a quarter each for development and test."""
    animals = ["fox", "owl", "bear", "frog", "horse", "snake", "crab", "wolf", "goose", "mouse", "shark", "snail"]
    homes = ["forest", "barn", "cave", "pond", "stable", "desert", "beach", "hills", "lake", "cellar", "sea", "garden"]
    foods = ["berries", "rats", "honey", "flies", "hay", "eggs", "shells", "sheep", "grass", "cheese", "fish", "leaves"]
    colours = ["red", "white", "black", "green"]
    rows = [
        (
            f"The {colour} {animals[n]} lives in the {homes[n]} and eats {foods[(n + 3 * shift) % 12]}.",
            colour,
            animals[n],
        )
        for n in range(12)
        for shift, colour in enumerate(colours)
    ]
    (folder / "qrels").mkdir(parents=True)
    corpus = [json.dumps({"_id": f"d{n}", "text": text}) for n, (text, _, _) in enumerate(rows)]
    queries = [
        {"_id": f"q{n}", "text": f"what does a {colour} {animal} eat"} for n, (_, colour, animal) in enumerate(rows)
    ]
    (folder / "corpus.jsonl").write_text("\n".join(corpus), encoding="utf-8")
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)), encoding="utf-8")
    parts = {"train": (0, 1), "dev": (2,), "test": (3,)}
    for part, remainders in parts.items():
        judged = [f"q{n}\td{n}\t1" for n in range(len(rows)) if n % 4 in remainders]
        (folder / "qrels" / f"{part}.tsv").write_text(
            "query-id\tcorpus-id\tscore\n" + "\n".join(judged), encoding="utf-8"
        )
