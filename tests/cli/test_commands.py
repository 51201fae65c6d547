"""The commands, on the embedded store with the built-in models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.runner import CommandLine

DOCUMENTS = [
    {"_id": "pisa", "title": "Torre di Pisa", "text": "La torre pendente fu costruita dal 1173.", "lang": "it"},
    {"_id": "roma", "title": "Colosseo", "text": "Il più grande anfiteatro romano del mondo.", "lang": "it"},
    {"_id": "paris", "title": "Eiffel Tower", "text": "The tower in Paris was the tallest until 1930.", "lang": "en"},
]


@pytest.fixture(scope="module")
def rerank_cli(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """In a folder with a BEIR corpus `towers` that has been ingested as an index of that name."""
    folder = tmp_path_factory.mktemp("cli")
    dataset = folder / "towers"
    (dataset / "qrels").mkdir(parents=True)
    (dataset / "corpus.jsonl").write_text("".join(json.dumps(document) + "\n" for document in DOCUMENTS))
    queries = [{"_id": "q1", "text": "torre pendente"}, {"_id": "q2", "text": "tower in Paris"}]
    (dataset / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (dataset / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tpisa\t1\nq2\tparis\t1\n")
    command_line = CommandLine(folder)
    called = command_line("ingest", "towers", "--index", "towers", "--json")
    assert called.code == 0, called.err
    report = called.json
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


def test_a_second_run_indexes_nothing(rerank_cli: CommandLine) -> None:
    """The same corpus again: all skipped, nothing encoded."""
    report = rerank_cli("ingest", "towers", "--index", "towers", "--json").json
    assert (report["indexed"], report["skipped"]) == (0, 3)


def test_rejected_records_fail_the_command_unless_they_are_listed(rerank_cli: CommandLine) -> None:
    """A bad line leaves the good ones indexed; exit 1 without --rejects, 0 with it."""
    lines = '{"_id": "good", "text": "fine"}\nnot json\n'
    called = rerank_cli("ingest", "-", "--index", "partly", stdin=lines)
    assert called.code == 1
    assert "-:2" in called.err or "stdin:2" in called.err
    called = rerank_cli("ingest", "-", "--index", "partly", "--rejects", "rejects.jsonl", "--json", stdin=lines)
    assert (called.code, called.json["skipped"], called.json["rejected"]) == (0, 1, 1)
    rejected = [json.loads(line) for line in (rerank_cli.folder / "rejects.jsonl").read_text().splitlines()]
    assert [entry["line"] for entry in rejected] == [2]


def test_an_empty_corpus_publishes_nothing(rerank_cli: CommandLine) -> None:
    """A corpus without a record is an error, and there is no index afterwards."""
    assert rerank_cli("ingest", "-", "--index", "void", stdin="").code == 1
    assert "void" not in [info["name"] for info in rerank_cli("index", "list", "--json").json]


def test_a_search_prints_the_service_answer(rerank_cli: CommandLine) -> None:
    """--json is the body of POST /search, re-ranked by the built-in model."""
    answer = rerank_cli(
        "search", "torre pendente di Pisa", "--index", "towers", "--min-score", "0", "--explain", "--json"
    ).json
    assert answer.keys() == {"query", "index", "hits", "rerank", "took_ms"}
    assert answer["hits"][0]["doc_id"] == "pisa"
    assert answer["rerank"]["applied"] is True
    assert answer["rerank"]["scored"] == 3
    assert answer["hits"][0]["explain"]["logit"] is not None
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]


def test_a_search_can_do_without_a_reranker(rerank_cli: CommandLine) -> None:
    """--no-rerank answers in first-stage order and says so."""
    called = rerank_cli(
        "search", "torre", "--index", "towers", "--no-rerank", "--filter", '{"term": {"metadata.lang": "it"}}'
    )
    assert called.code == 0
    assert "pisa" in called.out
    assert "paris" not in called.out
    assert "not re-ranked: disabled" in called.err


def test_an_evaluation_compares_three_orders(rerank_cli: CommandLine) -> None:
    """The report has measures, differences and percentiles; --run-dir has the runs in TREC format."""
    called = rerank_cli("evaluate", "towers", "--index", "towers", "--run-dir", "runs", "--json")
    assert called.code == 0, called.err
    assert called.json["measures"]["first_stage"]["nDCG@10"] == 1.0
    assert called.json["measures"].keys() == {"first_stage", "cross_encoder", "reranked"}
    assert called.json["queries"] == 2
    runs = rerank_cli.folder / "runs"
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


def test_indexes_are_shown_aliased_and_deleted(rerank_cli: CommandLine) -> None:
    """index show, alias and delete do what they say."""
    rerank_cli("ingest", "towers", "--index", "gone")
    assert rerank_cli("index", "alias", "current", "gone").code == 0
    shown = rerank_cli("index", "show", "current", "--json").json
    assert (shown["name"], shown["documents"], shown["aliases"]) == ("gone", 3, ["current"])
    assert shown["encoder"]["dim"] == 384
    assert rerank_cli("index", "delete", "gone", "--yes").code == 0
    assert rerank_cli("index", "show", "current").code == 1


def test_models_are_listed(rerank_cli: CommandLine) -> None:
    """The built-in encoder and reranker are there, one default each; one by itself tells what computes it as well."""
    entries = rerank_cli("models", "list", "--json").json
    assert {(entry["kind"], entry["default"]) for entry in entries} >= {("encoder", True), ("reranker", True)}
    assert all(Path(entry["path"]).is_dir() for entry in entries)
    shown = rerank_cli("models", "show", entries[0]["name"], "--json").json
    assert {key: shown[key] for key in entries[0]} == entries[0]
    assert {"runtime", "precision", "converted", "ready"} <= shown.keys() - entries[0].keys()


def test_the_doctor_finds_all_well(rerank_cli: CommandLine) -> None:
    """On a sound installation nothing fails, and each index is compared with the encoder."""
    called = rerank_cli("doctor", "--json")
    states = {finding["subject"]: finding["state"] for finding in called.json}
    assert (
        called.code,
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


def test_the_doctor_tells_what_is_broken(rerank_cli: CommandLine) -> None:
    """A store that cannot be reached fails the check, with what to do."""
    called = rerank_cli("doctor", "--store", "http://127.0.0.1:1", "--json")
    assert called.code == 1
    failed = [finding for finding in called.json if finding["state"] == "fail"]
    assert [finding["subject"] for finding in failed] == ["store"]
    assert "cannot be reached" in failed[0]["finding"]


def test_training_makes_a_model_that_searches(rerank_cli: CommandLine) -> None:
    """train pairs writes a folder that --reranker takes; --max-steps keeps it short."""
    pairs = [
        {"query": f"question number {i}", "passage": f"answer number {j}", "label": int(i == j)}
        for i in range(12)
        for j in range(12)
    ]
    (rerank_cli.folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    called = rerank_cli(
        "train", "pairs", "--data", "pairs.jsonl", "--output", "mine", "--max-steps", "2", "--batch-size", "2", "--json"
    )
    assert called.code == 0, called.err
    assert Path(called.json["model"]).name == "mine"
    answer = rerank_cli("search", "torre", "--index", "towers", "--reranker", "mine", "--json", "--min-score", "0").json
    assert answer["rerank"]["applied"] is True
    assert rerank_cli("train", "pairs", "--data", "nowhere.jsonl", "--output", "other").code == 1
