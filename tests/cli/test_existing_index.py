"""Commands with judgments on an index that rerank did not build, on a real OpenSearch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from tests.cli.runner import CommandLine, Result
from tests.models import tiny

TOPICS = ("tea", "coffee", "milk", "water", "wine", "bread", "salt", "rice", "fish", "plum", "oil", "corn")
BOOKS = {
    f"{topic}-{i}": {"headline": f"{topic} number {i}", "body": f"The history of {topic} " + "and more words " * i}
    for topic in TOPICS
    for i in range(3)
}


def _write_judgments(folder: Path, prefix: str = "") -> None:
    """Writes a BEIR folder whose documents have ids with *prefix*."""
    (folder / "qrels").mkdir(parents=True)
    queries = [{"_id": topic, "text": f"history of {topic}"} for topic in TOPICS]
    corpus = [
        {"_id": f"{prefix}{doc_id}", "title": book["headline"], "text": book["body"]} for doc_id, book in BOOKS.items()
    ]
    for name, rows in (("queries", queries), ("corpus", corpus)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [f"{topic}\t{prefix}{topic}-2\t1\n" for topic in TOPICS]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))


@pytest.fixture(scope="module")
def cli(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Returns a command line in a folder with judgments and tiny models; the cluster has the books in two indexes."""
    folder = tmp_path_factory.mktemp("existing")
    _write_judgments(folder / "judged")
    _write_judgments(folder / "qualified", prefix="books-a/")
    _write_judgments(folder / "elsewhere", prefix="no-")
    tiny.bert(folder / "encoder")
    tiny.bert(folder / "model", labels=1)
    tiny.bert(folder / "other", labels=1, half=True)
    client = OpenSearch(opensearch_url)
    for index in ("books-a", "books-b"):
        client.indices.delete(index=index, ignore_unavailable=True)
        for doc_id, book in BOOKS.items():
            client.index(index=index, id=doc_id, body=book)
        client.indices.refresh(index=index)
    template = {"size": 5, "query": {"bool": {"must": {"match": {"body": {"query": "{query}"}}}}}}
    (folder / "template.json").write_text(json.dumps(template))
    (folder / "constant.json").write_text(json.dumps({"query": {"match_all": {}}}))
    models = {"RERANK_ENCODER": "encoder", "RERANK_RERANKER": "model"}
    fixed = {"RERANK_RUNTIME": "openvino", "RERANK_PRECISION": "float32"}
    return CommandLine(folder, {"RERANK_STORE": opensearch_url, **models, **fixed})


def _evaluated(cli: CommandLine, *args: str) -> Result:
    return cli("evaluate", *args, "--depth", "10", "--json")


@pytest.mark.parametrize(
    ("options", "fields", "query"),
    [
        ((), ["body", "headline"], {"multi_match": {"query": "{query}", "lenient": True}}),
        (
            ("--fields", "headline, body"),
            ["headline", "body"],
            {"multi_match": {"query": "{query}", "fields": ["headline", "body"]}},
        ),
        (
            ("--fields", "body", "--query-template", "template.json"),
            ["body"],
            {"bool": {"must": {"match": {"body": {"query": "{query}"}}}}},
        ),
    ],
)
def test_evaluate_measures_an_existing_index(
    cli: CommandLine, options: Sequence[str], fields: list[str], query: object
) -> None:
    """The report states the searched fields and the query. All three orders are measured on the same candidates."""
    result = _evaluated(cli, "judged", "--index", "books-a", *options)
    assert result.code == 0, result.err
    report = result.json
    assert (report["mode"], set(report["fields"])) == ("query", set(fields))
    assert report["query_template"]["query"] == query
    assert (report["queries"], report["relevant_documents"], report["absent_documents"]) == (12, 12, 0)
    assert report["measures"].keys() == {"first_stage", "cross_encoder", "reranked"}
    assert {order["R@100"] for order in report["measures"].values()} == {1.0}


def test_ids_of_several_indexes_name_their_index(cli: CommandLine) -> None:
    """An index expression with several indexes has documents with equal ids, so that the index is part of the id."""
    report = _evaluated(cli, "qualified", "--index", "books-*").json
    assert (report["absent_documents"], report["measures"]["first_stage"]["R@100"]) == (0, 1.0)
    refused = _evaluated(cli, "judged", "--index", "books-*")
    assert refused.code == 1
    assert "INDEX/_id, because there are several indexes, such as" in refused.err
    assert '"books-a/' in refused.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("elsewhere", "--index", "books-a"), 1, "none of the 12 relevant documents of elsewhere"),
        (("elsewhere", "--index", "books-a"), 1, "must be the _id of a hit, such as"),
        (("judged", "--index", "no-books"), 1, 'No index "no-books"'),
        (("judged", "--index", "books-a", "--fields", "text,body"), 1, "has no field text. Its text fields:"),
        (("judged", "--index", "books-a", "--query-template", "constant.json"), 1, "has no {query}"),
        (("judged", "--index", "books-a", "--fields", "body", "--store", "folder"), 2, "need an OpenSearch store"),
    ],
)
def test_wrong_input_is_refused_with_the_fix(cli: CommandLine, args: Sequence[str], code: int, message: str) -> None:
    """The message names the problem and its fix."""
    result = _evaluated(cli, *args)
    assert (result.code, message in result.err) == (code, True), result.err


def test_other_commands_accept_an_existing_index(cli: CommandLine) -> None:
    """Calibrate, promote, doctor and mining search the index as evaluate does."""
    judged = ("--data", "judged", "--index", "books-a", "--fields", "headline,body", "--depth", "10")
    calibrated = cli("models", "calibrate", "model", *judged, "--output", "calibrated", "--json")
    assert calibrated.code == 0, calibrated.err
    fitted_on = json.loads((cli.folder / "calibrated" / "rerank.json").read_text())["fusion"]["fitted_on"]
    assert (fitted_on["mode"], fitted_on["fields"]) == ("query", ["headline", "body"])
    promoted = cli("models", "promote", "other", *judged, "--json")
    assert promoted.json["index"] == "books-a"
    findings = {finding["subject"]: finding["finding"] for finding in cli("doctor", *judged, "--json").json}
    assert "nDCG@10" in findings["order of books-a"]
    mined = cli(
        *("train", "pairs", "--data", "judged", "--negatives", "books-a", "--fields", "headline,body"),
        *("--negatives-margin", "1", "--base", "encoder", "--max-steps", "1", "--output", "trained"),
    )
    rows = [json.loads(line) for line in (cli.folder / "trained" / "negatives.jsonl").read_text().splitlines()]
    assert {row["query"] for row in rows if "query" in row} <= {f"history of {topic}" for topic in TOPICS}, mined.err
    assert rows
