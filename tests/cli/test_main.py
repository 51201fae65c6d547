"""What holds for every command: help, exit codes, one line an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runner import ROOT, CommandLine

HEAVY = (
    "torch",
    "transformers",
    "sentence_transformers",
    "lancedb",
    "opensearchpy",
    "flask",
    "numpy",
    "pydantic",
    "rich",
)


@pytest.fixture
def rerank_cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_help_imports_nothing_heavy() -> None:
    """--help answers at once: it imports Click and the table of commands."""
    code = (
        "import sys\nfrom rerank.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    called = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "ingest" in called.stdout
    assert called.stderr.strip() == "[]"


def test_the_version_is_shown(rerank_cli: CommandLine) -> None:
    """--version prints name and version."""
    called = rerank_cli("--version")
    assert (called.code, called.out.split()[0], called.err) == (0, "rerank-cli", "")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("serch",), 2, "did you mean search?"),
        (("search", "x"), 2, "--index"),
        (("search", "x", "--index", "i", "-k", "0"), 2, "not in the range"),
        (("search", "x", "--index", "i", "-k", "20", "--depth", "10"), 2, "k (20) is above depth (10)"),
        (("search", "x", "--index", "i", "-k", "ten"), 2, "ten"),
        (("search", "  ", "--index", "i"), 2, "blank"),
        (("search", "x", "--index", "i", "--filter", "{"), 2, "not JSON"),
        (("search", "x", "--index", "i", "--filter", '{"match": {"a": 1}}'), 2, "match"),
        (("search", "x", "--index", "i", "--mode", "magic"), 2, "magic"),
        (("index", "show", "nothing"), 1, 'No index "nothing"'),
        (("index", "show", "Bad Name"), 2, "Bad Name"),
        (("index", "delete", "nothing", "--yes"), 1, 'No index "nothing"'),
        (("ingest", "nowhere.jsonl", "--index", "i"), 1, "nowhere.jsonl"),
        (("evaluate", "nowhere", "--index", "i"), 1, "nowhere"),
        (("models", "show", "nothing"), 1, 'no model "nothing"'),
        (("index", "list", "--store", "http://127.0.0.1:1"), 1, "cannot be reached"),
        (("index", "list", "--store", "http://127.0.0.1:99999"), 1, "port"),
        (("serve", "--host", "0.0.0.0"), 1, "api_keys"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_error_is_one_line_and_a_code(
    rerank_cli: CommandLine, args: tuple[str, ...], code: int, message: str
) -> None:
    """1 for what failed, 2 for usage; the last line on stderr says what, and stdout stays empty."""
    called = rerank_cli(*args)
    assert (called.code, called.out) == (code, "")
    assert called.err.strip().splitlines()[-1].startswith("Error: ")
    assert message in called.err
    assert "Traceback" not in called.err


def test_debug_shows_where_it_failed(rerank_cli: CommandLine) -> None:
    """--debug, also behind the command, gives the traceback."""
    assert "Traceback" in rerank_cli("index", "show", "nothing", "--debug").err
    assert "Traceback" in rerank_cli("--debug", "index", "show", "nothing").err


def test_settings_come_from_flag_environment_and_file(rerank_cli: CommandLine) -> None:
    """config shows every setting with its value and where it came from; secrets are masked."""
    (rerank_cli.folder / "rerank.toml").write_text('depth = 50\nk = 7\nstore = "http://user:secret@host:9200"\n')
    found = rerank_cli("config", "--json", RERANK_K="8", RERANK_API_KEYS="one,two").json
    assert (found["k"], found["depth"]["value"]) == ({"value": 8, "origin": "environment"}, 50)
    assert found["store"]["value"] == "http://user:***@host:9200"
    assert found["api_keys"]["value"] == ["***", "***"]
    assert found["port"] == {"value": 8000, "origin": "default"}


def test_an_unknown_setting_is_named_with_the_nearest(rerank_cli: CommandLine) -> None:
    """A RERANK_ variable that is no setting is an error."""
    called = rerank_cli("config", RERANK_DEPHT="5")
    assert called.code == 1
    assert "RERANK_DEPTH" in called.err


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    """`rerank-cli config | head -1` ends quietly."""
    command = f'"{sys.executable}" -c "from rerank.cli.main import main; main()" config | head -1'
    called = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert called.stderr == ""
