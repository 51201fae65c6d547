"""Tests of rules for every command: help, exit codes, one line per error."""

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
    # A fixed runtime and precision save the trials that select the fastest ones.
    return CommandLine(tmp_path, {"RERANK_RUNTIME": "openvino", "RERANK_PRECISION": "float32"})


def test_help_imports_no_heavy_library() -> None:
    """--help imports only Click and cloup, so that it is fast."""
    code = (
        "import sys\nfrom rerank.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "ingest" in done.stdout
    assert done.stderr.strip() == "[]"


def test_version_prints_the_name_and_the_version(rerank_cli: CommandLine) -> None:
    result = rerank_cli("--version")
    assert (result.code, result.out.split()[0], result.err) == (0, "rerank-cli", "")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("serch",), 2, "Did you mean one of: 'search', 'serve'?"),
        (("index", "lst"), 2, "Did you mean 'list'?"),
        (("serve", "--prt", "80"), 2, "'--port'"),
        (("search", "x"), 2, "--index"),
        (("search", "x", "--index", "i", "-k", "0"), 2, "0 is not in the range 1<=x<=10000"),
        (("search", "x", "--index", "i", "-k", "20", "--depth", "10"), 2, "k must be at most depth (10)"),
        (("search", "x", "--index", "i", "-k", "ten"), 2, "'ten' is not a valid integer"),
        (("search", "  ", "--index", "i"), 2, "blank"),
        (("search", "x", "--index", "i", "--filter", "{"), 2, "--filter must be JSON"),
        (("search", "x", "--index", "i", "--filter", '{"match": {"a": 1}}'), 2, "match"),
        (("search", "x", "--index", "i", "--mode", "magic"), 2, "'magic' is not one of 'vector', 'text', 'hybrid'"),
        (("index", "show", "nothing"), 1, '"nothing"'),
        (("index", "show", "Bad Name"), 2, "Bad Name"),
        (("index", "delete", "nothing", "--yes"), 1, '"nothing"'),
        (("index", "delete", "nothing"), 2, "Cannot prompt: standard input is not a terminal. Pass --yes."),
        (("ingest", "nowhere.jsonl", "--index", "i"), 1, "nowhere.jsonl"),
        (("evaluate", "nowhere", "--index", "i"), 1, "nowhere"),
        (("models", "show", "nothing"), 1, '"nothing"'),
        (("index", "list", "--store", "http://127.0.0.1:1"), 1, "127.0.0.1:1"),
        (("index", "list", "--store", "http://127.0.0.1:99999"), 1, "port"),
        (("serve", "--host", "0.0.0.0"), 1, "api_keys"),
        (("serve", "--threads", "2000"), 2, "2000 is not in the range 1<=x<=1024"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_error_is_one_line_with_an_exit_code(
    rerank_cli: CommandLine, args: tuple[str, ...], code: int, message: str
) -> None:
    """A failure exits with 1, a usage error with 2. The last line on stderr names the cause; stdout stays empty."""
    result = rerank_cli(*args)
    assert (result.code, result.out) == (code, "")
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last
    assert "Traceback" not in result.err


def test_debug_shows_the_traceback(rerank_cli: CommandLine) -> None:
    """--debug works before and after the command."""
    assert "Traceback" in rerank_cli("index", "show", "nothing", "--debug").err
    assert "Traceback" in rerank_cli("--debug", "index", "show", "nothing").err


def test_process_exits_with_the_code_of_the_command(rerank_cli: CommandLine) -> None:
    """A process exits with the command's code and prints the error."""
    result = rerank_cli.subprocess("index", "show", "nothing")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Error: ")


def test_config_shows_the_source_of_each_setting(rerank_cli: CommandLine) -> None:
    """`config` shows every setting with its value and source. Secrets are masked."""
    (rerank_cli.folder / "rerank.toml").write_text('depth = 50\nk = 7\nstore = "http://user:secret@host:9200"\n')
    settings = rerank_cli("config", "--json", RERANK_K="8", RERANK_API_KEYS="one,two").json
    assert (settings["k"], settings["depth"]["value"]) == ({"value": 8, "origin": "environment"}, 50)
    assert settings["store"]["value"] == "http://user:***@host:9200"
    assert settings["api_keys"]["value"] == ["***", "***"]
    assert settings["port"] == {"value": 8000, "origin": "default"}


def test_config_table_shows_absolute_paths(rerank_cli: CommandLine) -> None:
    """Relative folders depend on the working directory, so the table shows their absolute paths."""
    table = rerank_cli("config", RERANK_STORE="mine").out
    assert str(rerank_cli.folder / "mine") in table
    assert str(rerank_cli.folder / "rerank-models") in table


def test_wrong_environment_variable_exits_with_1(rerank_cli: CommandLine) -> None:
    """The exit code is 1 if no argument is wrong, also for a setting that is an option."""
    result = rerank_cli("search", "x", "--index", "i", RERANK_K="0")
    assert result.code == 1
    assert "k" in result.err.splitlines()[-1]


def test_option_overrides_environment_even_with_its_default(rerank_cli: CommandLine) -> None:
    """An option on the command line takes precedence, even if its value is the default."""
    result = rerank_cli("search", "x", "--index", "nothing", "-k", "10", RERANK_K="500")
    assert (result.code, '"nothing"' in result.err) == (1, True), result.err
    result = rerank_cli("search", "x", "--index", "nothing", RERANK_K="500")
    assert "k must be at most depth (100), got 500" in result.err


def test_unknown_setting_is_refused_with_the_nearest_one(rerank_cli: CommandLine) -> None:
    result = rerank_cli("config", RERANK_DEPHT="5")
    assert result.code == 1
    assert "RERANK_DEPTH" in result.err


def test_closed_pipe_ends_the_command_silently(tmp_path: Path) -> None:
    """`rerank-cli config | head -1` prints no error."""
    command = f'"{sys.executable}" -c "from rerank.cli.main import main; main()" config | head -1'
    done = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
