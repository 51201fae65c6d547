"""Tests of the commands that promote, calibrate, check and score with models."""

from __future__ import annotations

import json

import pytest

from rerank.models.architectures.joint import JointReranker
from rerank.models.catalog import resolve
from rerank.models.rerank_file import RERANK_FILE
from tests.cli.runner import CommandLine, Result
from tests.models import tiny

ANIMALS = ("fox", "owl", "bear", "frog", "horse", "snake", "crab", "wolf", "goose", "mouse", "shark", "snail")
PLACES = ("forest", "barn", "cave", "pond", "stable", "desert", "beach", "hills", "lake", "cellar", "sea", "garden")
CROSS_ENCODER_ORDER = {"RERANK_FUSION": "none", "RERANK_RUNTIME": "torch", "RERANK_PRECISION": "float32"}
"""Ranks by the models alone. The fixed runtime avoids the trials that select the fastest one."""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Returns a command line in a folder with judged queries `zoo`, their index, a good model and random models."""
    folder = tmp_path_factory.mktemp("models")
    data = folder / "zoo"
    (data / "qrels").mkdir(parents=True)
    both = list(enumerate(zip(ANIMALS, PLACES, strict=True)))
    corpus = [
        {"_id": f"d{i}", "text": f"The {animal} lives in the {habitat} and is seen by few."}
        for i, (animal, habitat) in both
    ]
    queries = [{"_id": f"q{i}", "text": f"where does the {animal} live"} for i, (animal, _) in both]
    judged = [f"q{i}\td{i}\t1" for i, _ in both]
    (data / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    (data / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (data / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    encoder = resolve("minilm-l6-en-it-v2", role="encoder").path
    JointReranker.from_encoder(encoder).save(folder / "good", tokenizer_from=encoder)
    tiny.bert(folder / "random", labels=1)
    similarity = tiny.bert(folder / "similarity", labels=1)
    tiny.write_json(similarity / RERANK_FILE, {"kind": "similarity", "languages": ["it"]})
    tiny.bert(folder / "entailment", labels=3, id2label={0: "entailment", 1: "neutral", 2: "contradiction"})
    cli = CommandLine(folder, CROSS_ENCODER_ORDER)
    result = cli("ingest", "zoo", "--index", "zoo")
    assert result.code == 0, result.err
    return cli


def promote(zoo: CommandLine, model: str, *, over: str, home: str) -> Result:
    judgments = ("--data", "zoo", "--index", "zoo")
    return zoo("models", "promote", model, *judgments, "--reranker", over, "--json", RERANK_MODELS_HOME=home)


def default_reranker(zoo: CommandLine, home: str) -> str:
    entries = zoo("models", "list", "--json", RERANK_MODELS_HOME=home).json
    return next(str(entry["name"]) for entry in entries if entry["kind"] == "reranker" and entry["default"])


def test_promoted_model_is_the_default_until_rollback(zoo: CommandLine) -> None:
    """`promote` prints the comparison and changes the default everywhere; `rollback` restores the previous default."""
    home = "home"
    built_in = default_reranker(zoo, home)
    result = promote(zoo, "good", over="random", home=home)
    assert result.code == 0, result.err
    report = result.json
    assert (report["promoted"], report["new"], report["old"]) == (True, "good", "random")
    assert report["new_mean"] > report["old_mean"] + 0.2
    assert report["difference"]["low"] > 0

    good = str((zoo.folder / "good").resolve())
    assert default_reranker(zoo, home) == good
    search = ("search", "where does the owl live", "--index", "zoo", "--min-score", "0", "--json")
    answer = zoo(*search, RERANK_MODELS_HOME=home).json
    assert (answer["rerank"]["model"], answer["hits"][0]["doc_id"]) == (good, "d1")

    undone = zoo("models", "rollback", "--json", RERANK_MODELS_HOME=home)
    assert (undone.code, undone.json) == (0, {"undone": good, "default": "default"})
    assert default_reranker(zoo, home) == built_in
    assert zoo("models", "rollback", RERANK_MODELS_HOME=home).code == 1


def test_model_that_is_not_significantly_better_is_not_promoted(zoo: CommandLine) -> None:
    """The exit code is 1, the comparison is printed, and the default is unchanged."""
    result = promote(zoo, "random", over="good", home="untouched")
    assert result.code == 1
    assert result.json["promoted"] is False
    assert result.json["difference"]["mean"] < 0
    assert not (zoo.folder / "untouched" / "promoted.json").exists()


def test_default_model_is_not_compared_with_itself(zoo: CommandLine) -> None:
    result = promote(zoo, "good", over="good", home="same")
    assert result.code == 1
    assert "ranks exactly like the default model" in result.err


def test_calibrated_copy_holds_weights_and_calibration(zoo: CommandLine) -> None:
    """--output leaves the model unchanged. A search uses the weights and the calibration of the copy."""
    result = zoo("models", "calibrate", "good", "--data", "zoo", "--index", "zoo", "--output", "fitted", "--json")
    assert result.code == 0, result.err
    rerank_file = json.loads((zoo.folder / "fitted" / RERANK_FILE).read_text())
    assert rerank_file["fusion"]["fitted_on"]["data"] == "zoo"
    weights = dict(zip(rerank_file["fusion"]["features"], rerank_file["fusion"]["weights"], strict=True))
    assert weights == pytest.approx(result.json["weights"], abs=1e-5)
    assert rerank_file["calibration"]["method"] == "platt"
    assert not (zoo.folder / "good" / RERANK_FILE).exists()
    query = ("search", "where does the crab live", "--index", "zoo", "--reranker", "fitted", "--min-score", "0")
    best = zoo(*query, "--explain", "--json", RERANK_FUSION="auto").json["hits"][0]
    assert best["doc_id"] == "d6"
    assert 0 < best["score"] < 1


def test_score_of_a_pair_depends_on_the_kind_of_model(zoo: CommandLine) -> None:
    """A reranker returns one probability, a classifier one per label: highest first, with a sum of 1."""
    scored = zoo("score", "what is tea", "green tea", "--model", "random", "--json").json
    assert [(row["text1"], row["text2"], len(row["scores"])) for row in scored] == [("what is tea", "green tea", 1)]
    assert 0 < scored[0]["scores"][0]["score"] < 1

    scores = zoo("score", "a cat", "a dog", "--model", "entailment", "--json").json[0]["scores"]
    assert {row["label"] for row in scores} == {"entailment", "neutral", "contradiction"}
    values = [row["score"] for row in scores]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)


def test_pairs_from_a_file_and_stdin_are_scored_in_order(zoo: CommandLine) -> None:
    """Each line is an object or a list."""
    lines = '{"text1": "a cat", "text2": "a dog"}\n["warm tea", "cold tea"]\n'
    (zoo.folder / "pairs.jsonl").write_text(lines)
    from_file = zoo("score", "--pairs", "pairs.jsonl", "--model", "similarity", "--json").json
    assert [(row["text1"], row["text2"]) for row in from_file] == [("a cat", "a dog"), ("warm tea", "cold tea")]
    assert zoo("score", "--pairs", "-", "--model", "similarity", "--json", stdin=lines).json == from_file
    shown = zoo("score", "--pairs", "pairs.jsonl", "--model", "similarity").out
    assert f"{from_file[0]['scores'][0]['score']:.4f}" in shown
    assert "warm tea" in shown


@pytest.mark.parametrize(
    ("args", "stdin", "code", "message"),
    [
        (("one",), "", 2, "The number of texts must be 2, got 1."),
        ((), "", 2, "Pass either two texts or --pairs FILE."),
        (("--pairs", "-"), "", 1, "stdin contains no pairs"),
        (("--pairs", "-"), "[1, 2]\n", 1, "stdin:1: the line must be a pair"),
        (("--pairs", "-"), "{\n", 1, "stdin:1: the line must be JSON"),
        (("--pairs", "nowhere.jsonl"), "", 1, "/nowhere.jsonl: No such file"),
        (("a", "b", "--model", "nowhere"), "", 1, '"nowhere"'),
        (("a", "b", "--model", "all-MiniLM-L6-v2"), "", 1, "encoder"),
    ],
)
def test_invalid_pairs_are_refused(
    zoo: CommandLine, args: tuple[str, ...], stdin: str, code: int, message: str
) -> None:
    """The error names the file, the line and the cause."""
    result = zoo("score", *args, stdin=stdin)
    assert result.code == code
    assert message in result.err
    assert "Traceback" not in result.err


def test_doctor_with_judgments_warns_of_a_harmful_reranker(zoo: CommandLine) -> None:
    """The finding holds the figures. A reranker that improves the order is ok."""
    options = ("--data", "zoo", "--index", "zoo", "--json")
    findings = {
        model: {finding["subject"]: finding for finding in zoo("doctor", *options, "--reranker", model).json}
        for model in ("random", "good")
    }
    bad, good = (findings[model]["order of zoo"] for model in ("random", "good"))
    assert (bad["state"], good["state"]) == ("warn", "ok")
    assert "lowers the quality. Fit the weights: rerank-cli models calibrate" in bad["finding"]
    assert "12 queries" in good["finding"]


def test_doctor_warns_of_a_similarity_model_and_of_its_language(zoo: CommandLine) -> None:
    """A model made for another task, or for another language than the corpus, causes a warning, not a failure."""
    result = zoo("doctor", "--reranker", "similarity", "--json")
    warnings = [finding["finding"] for finding in result.json if finding["state"] == "warn"]
    assert result.code == 0
    assert any("similarity" in warning for warning in warnings)
    assert any("in language en, which is not supported by similarity" in warning for warning in warnings)


def test_doctor_with_data_but_no_index_is_a_usage_error(zoo: CommandLine) -> None:
    result = zoo("doctor", "--data", "zoo")
    assert (result.code, "--data and --index must be given together" in result.err) == (2, True)
