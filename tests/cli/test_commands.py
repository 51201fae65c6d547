"""Tests of the commands with the embedded store and the built-in models."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.runner import CommandLine
from tests.models import tiny

DOCUMENTS = [
    {"_id": "pisa", "title": "Torre di Pisa", "text": "La torre pendente fu costruita dal 1173.", "lang": "it"},
    {"_id": "roma", "title": "Colosseo", "text": "Il più grande anfiteatro romano del mondo.", "lang": "it"},
    {"_id": "paris", "title": "Eiffel Tower", "text": "The tower in Paris was the tallest until 1930.", "lang": "en"},
]


@pytest.fixture(scope="module")
def rerank_cli(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Returns a command line in a folder with a BEIR corpus `towers` and an index of that name."""
    folder = tmp_path_factory.mktemp("cli")
    dataset = folder / "towers"
    (dataset / "qrels").mkdir(parents=True)
    (dataset / "corpus.jsonl").write_text("".join(json.dumps(document) + "\n" for document in DOCUMENTS))
    queries = [{"_id": "q1", "text": "torre pendente"}, {"_id": "q2", "text": "tower in Paris"}]
    (dataset / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (dataset / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tpisa\t1\nq2\tparis\t1\n")
    # A fixed runtime and precision save the trials that select the fastest ones.
    command_line = CommandLine(folder, {"RERANK_RUNTIME": "openvino", "RERANK_PRECISION": "float32"})
    result = command_line("ingest", "towers", "--index", "towers", "--json")
    assert result.code == 0, result.err
    report = result.json
    assert report.keys() == {
        "index",
        "indexed",
        "passages",
        "skipped",
        "rejected",
        "duplicates",
        "seconds",
        "documents_per_second",
    }
    assert {name: report[name] for name in ("index", "indexed", "passages", "skipped", "rejected")} == {
        "index": "towers",
        "indexed": 3,
        "passages": 3,
        "skipped": 0,
        "rejected": 0,
    }
    return command_line


def test_second_ingest_run_skips_all_documents(rerank_cli: CommandLine) -> None:
    """An unchanged corpus is not encoded again."""
    report = rerank_cli("ingest", "towers", "--index", "towers", "--json").json
    assert (report["indexed"], report["skipped"]) == (0, 3)


def test_rejected_records_fail_ingest_without_rejects_file(rerank_cli: CommandLine) -> None:
    """Valid records are indexed in both cases. The exit code is 1 without --rejects and 0 with it."""
    lines = '{"_id": "good", "text": "fine"}\nnot json\n'
    result = rerank_cli("ingest", "-", "--index", "partly", stdin=lines)
    assert result.code == 1
    assert "-:2" in result.err or "stdin:2" in result.err
    assert "Pass --rejects FILE" in result.err
    result = rerank_cli("ingest", "-", "--index", "partly", "--rejects", "rejects.jsonl", "--json", stdin=lines)
    assert (result.code, result.json["skipped"], result.json["rejected"]) == (0, 1, 1)
    rejected = [json.loads(line) for line in (rerank_cli.folder / "rejects.jsonl").read_text().splitlines()]
    assert [entry["line"] for entry in rejected] == [2]


def test_empty_corpus_is_refused_and_creates_no_index(rerank_cli: CommandLine) -> None:
    assert rerank_cli("ingest", "-", "--index", "void", stdin="").code == 1
    assert "void" not in [info["name"] for info in rerank_cli("index", "list", "--json").json]


def test_search_json_is_the_body_of_post_search(rerank_cli: CommandLine) -> None:
    """The built-in model reranks all candidates, and --explain adds their logits."""
    body = rerank_cli(
        "search", "torre pendente di Pisa", "--index", "towers", "--min-score", "0", "--explain", "--json"
    ).json
    assert body.keys() == {"query", "index", "hits", "rerank", "took_ms"}
    assert body["hits"][0]["doc_id"] == "pisa"
    assert body["rerank"]["applied"] is True
    assert body["rerank"]["scored"] == 3
    assert body["hits"][0]["explain"]["logit"] is not None
    assert [hit["rank"] for hit in body["hits"]] == [1, 2, 3]


def test_search_table_with_explain_shows_the_fused_score(rerank_cli: CommandLine) -> None:
    """The columns of the explanation are between the score and the document."""
    table = rerank_cli(
        "search", "torre pendente", "--index", "towers", "--min-score", "0", "--explain"
    ).out.splitlines()
    assert re.split(r"  +", table[0]) == [
        *("rank", "first stage", "score", "logit", "vector rank", "text rank", "fused score", "id", "title", "passage")
    ]
    assert "logit" in table[1]
    assert "Torre di Pisa" in table[1]


def test_search_without_rerank_returns_first_stage_order(rerank_cli: CommandLine) -> None:
    """--no-rerank and --filter apply, and the reason is reported."""
    result = rerank_cli(
        "search", "torre", "--index", "towers", "--no-rerank", "--filter", '{"term": {"metadata.lang": "it"}}'
    )
    assert result.code == 0
    assert "pisa" in result.out
    assert "paris" not in result.out
    assert "Not reranked: disabled" in result.err


def test_evaluate_compares_three_orders(rerank_cli: CommandLine) -> None:
    """The report holds measures, differences and percentiles. --run-dir receives the runs in TREC format."""
    result = rerank_cli("evaluate", "towers", "--index", "towers", "--run-dir", "runs", "--json")
    assert result.code == 0, result.err
    assert result.json["measures"]["first_stage"]["nDCG@10"] == 1.0
    assert result.json["measures"].keys() == {"first_stage", "cross_encoder", "reranked"}
    assert result.json["queries"] == 2
    runs = rerank_cli.folder / "runs"
    assert f"Wrote the runs and the report to {runs}." in result.err
    assert {path.name for path in runs.iterdir()} == {
        "first_stage.run",
        "cross_encoder.run",
        "reranked.run",
        "report.json",
    }
    first = (runs / "first_stage.run").read_text().splitlines()[0].split()
    assert (first[0], first[1], first[2], first[3]) == ("q1", "Q0", "pisa", "1")
    shown = rerank_cli("evaluate", "towers", "--index", "towers", "--queries", "1")
    assert "nDCG@10" in shown.out
    assert "p95" in shown.out


def test_index_is_shown_aliased_and_deleted(rerank_cli: CommandLine) -> None:
    """Deleting an index deletes its aliases."""
    rerank_cli("ingest", "towers", "--index", "old")
    assert rerank_cli("index", "alias", "current", "old").code == 0
    shown = rerank_cli("index", "show", "current", "--json").json
    assert (shown["name"], shown["documents"], shown["aliases"]) == ("old", 3, ["current"])
    assert shown["encoder"]["dim"] == 384
    assert rerank_cli("index", "delete", "old", "--yes").code == 0
    assert rerank_cli("index", "show", "current").code == 1


def test_models_list_marks_the_defaults(rerank_cli: CommandLine) -> None:
    """One encoder and one reranker are the default. `models show` adds the runtime."""
    entries = rerank_cli("models", "list", "--json").json
    assert {(entry["kind"], entry["default"]) for entry in entries} >= {("encoder", True), ("reranker", True)}
    assert all(Path(entry["path"]).is_dir() for entry in entries)
    shown = rerank_cli("models", "show", entries[0]["name"], "--json").json
    assert {key: shown[key] for key in entries[0]} == entries[0]
    assert {"runtime", "precision", "converted", "ready"} <= shown.keys() - entries[0].keys()


def test_doctor_on_a_working_installation_reports_ok(rerank_cli: CommandLine) -> None:
    """No check fails, and every index matches the encoder."""
    result = rerank_cli("doctor", "--json")
    states = {finding["subject"]: finding["state"] for finding in result.json}
    assert (
        result.code,
        states["encoder default"],
        states["reranker default"],
        states["store"],
        states["index towers"],
    ) == (
        0,
        "ok",
        "ok",
        "ok",
        "ok",
    )


def test_doctor_with_an_unreachable_store_fails(rerank_cli: CommandLine) -> None:
    result = rerank_cli("doctor", "--store", "http://127.0.0.1:1", "--json")
    assert result.code == 1
    failed = [finding for finding in result.json if finding["state"] == "fail"]
    assert [finding["subject"] for finding in failed] == ["store"]
    assert "127.0.0.1:1" in failed[0]["finding"]


@pytest.mark.slow
def test_doctor_repairs_a_damaged_catalog(rerank_cli: CommandLine) -> None:
    """Without --repair, the check of the store fails and names the flag."""
    shutil.copytree(rerank_cli.folder / "rerank-data", rerank_cli.folder / "damaged")
    (rerank_cli.folder / "damaged" / "catalog.json").write_text("{")
    failed = rerank_cli("doctor", "--store", "damaged", "--json")
    states = {finding["subject"]: finding for finding in failed.json}
    assert (failed.code, states["store"]["state"]) == (1, "fail")
    assert "rerank-cli doctor --repair" in states["store"]["finding"]
    repaired = rerank_cli("doctor", "--store", "damaged", "--repair", "--json")
    states = {finding["subject"]: finding["state"] for finding in repaired.json}
    assert (repaired.code, states["repair"], states["store"], states["index towers"]) == (0, "ok", "ok", "ok")


def test_trained_model_reranks_a_search(rerank_cli: CommandLine, tmp_path: Path) -> None:
    """`train pairs` writes a folder that --reranker accepts."""
    pairs = [
        {"query": f"question number {i}", "passage": f"answer number {j}", "label": int(i == j)}
        for i in range(12)
        for j in range(12)
    ]
    (rerank_cli.folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    result = rerank_cli(
        "train",
        "pairs",
        "--data",
        "pairs.jsonl",
        "--output",
        "mine",
        "--base",
        str(tiny.bert(tmp_path / "base")),
        "--max-steps",
        "2",
        "--batch-size",
        "2",
        "--json",
    )
    assert result.code == 0, result.err
    assert Path(result.json["model"]).name == "mine"
    body = rerank_cli("search", "torre", "--index", "towers", "--reranker", "mine", "--json", "--min-score", "0").json
    assert body["rerank"]["applied"] is True
    assert rerank_cli("train", "pairs", "--data", "nowhere.jsonl", "--output", "other").code == 1
