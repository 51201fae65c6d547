"""The commands that compare, promote and ask models, from an empty folder."""

from __future__ import annotations

import json

import pytest

from rerank.models.architectures.joint import JointReranker
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.rerank_file import RERANK_FILE
from tests.cli.runner import Called, CommandLine
from tests.models import tiny

ANIMALS = ("fox", "owl", "bear", "frog", "horse", "snake", "crab", "wolf", "goose", "mouse", "shark", "snail")
PLACES = ("forest", "barn", "cave", "pond", "stable", "desert", "beach", "hills", "lake", "cellar", "sea", "garden")
ALONE = {"RERANK_FUSION": "none", "RERANK_RUNTIME": "torch", "RERANK_PRECISION": "float32"}
"""The models' own order, computed without looking for the fastest way first."""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """In a folder with judged queries `zoo` and their index, a model that orders well, and ones that do not."""
    folder = tmp_path_factory.mktemp("models")
    data = folder / "zoo"
    (data / "qrels").mkdir(parents=True)
    both = list(enumerate(zip(ANIMALS, PLACES, strict=True)))
    corpus = [
        {"_id": f"d{i}", "text": f"The {animal} lives in the {place} and is seen by few."}
        for i, (animal, place) in both
    ]
    queries = [{"_id": f"q{i}", "text": f"where does the {animal} live"} for i, (animal, _) in both]
    judged = [f"q{i}\td{i}\t1" for i, _ in both]
    (data / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    (data / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (data / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    encoder = resolve(DEFAULT, role="encoder").path
    JointReranker.from_encoder(encoder).save(folder / "good", tokenizer_from=encoder)
    tiny.bert(folder / "random", labels=1)
    tiny.write_json(tiny.bert(folder / "alike", labels=1) / RERANK_FILE, {"kind": "similarity", "languages": ["it"]})
    tiny.bert(folder / "entails", labels=3, id2label={0: "entailment", 1: "neutral", 2: "contradiction"})
    cli = CommandLine(folder, ALONE)
    called = cli("ingest", "zoo", "--index", "zoo")
    assert called.code == 0, called.err
    return cli


def promoted(zoo: CommandLine, model: str, *, over: str, home: str) -> Called:
    judged = ("--data", "zoo", "--index", "zoo")
    return zoo("models", "promote", model, *judged, "--reranker", over, "--models-home", home, "--json")


def default_reranker(zoo: CommandLine, home: str) -> str:
    entries = zoo("models", "list", "--json", RERANK_MODELS_HOME=home).json
    return next(str(entry["name"]) for entry in entries if entry["kind"] == "reranker" and entry["default"])


def test_a_better_model_becomes_the_default_until_it_is_rolled_back(zoo: CommandLine) -> None:
    """promote says what it found and changes the default for every command; rollback brings back what was before."""
    home = "home"
    built_in = default_reranker(zoo, home)
    called = promoted(zoo, "good", over="random", home=home)
    assert called.code == 0, called.err
    said = called.json
    assert (said["promoted"], said["new"], said["old"]) == (True, "good", "random")
    assert said["new_mean"] > said["old_mean"] + 0.2
    assert said["difference"]["low"] > 0

    good = str((zoo.folder / "good").resolve())
    assert default_reranker(zoo, home) == good
    search = ("search", "where does the owl live", "--index", "zoo", "--min-score", "0", "--json")
    answer = zoo(*search, RERANK_MODELS_HOME=home).json
    assert (answer["rerank"]["model"], answer["hits"][0]["doc_id"]) == (good, "d1")

    undone = zoo("models", "rollback", "--models-home", home, "--json")
    assert (undone.code, undone.json) == (0, {"undone": good, "default": "default"})
    assert default_reranker(zoo, home) == built_in
    again = zoo("models", "rollback", "--models-home", home)
    assert (again.code, "no model was promoted" in again.err) == (1, True)


def test_a_model_that_is_not_better_for_sure_is_not_promoted(zoo: CommandLine) -> None:
    """Exit code 1, the comparison is shown all the same, and the default stays what it was."""
    called = promoted(zoo, "random", over="good", home="untouched")
    assert called.code == 1
    assert called.json["promoted"] is False
    assert called.json["difference"]["mean"] < 0
    assert not (zoo.folder / "untouched" / "promoted.json").exists()


def test_the_default_cannot_be_promoted_over_itself(zoo: CommandLine) -> None:
    """A comparison with itself would only cost time."""
    called = promoted(zoo, "good", over="good", home="same")
    assert called.code == 1
    assert "orders as the default model does" in called.err


def test_a_calibrated_copy_holds_the_fit(zoo: CommandLine) -> None:
    """--output leaves the model alone; the copy has weights and meaning, and is served with them."""
    called = zoo("models", "calibrate", "good", "--data", "zoo", "--index", "zoo", "--output", "fitted", "--json")
    assert called.code == 0, called.err
    said = json.loads((zoo.folder / "fitted" / RERANK_FILE).read_text())
    assert said["fusion"]["fitted_on"]["data"] == "zoo"
    weights = dict(zip(said["fusion"]["features"], said["fusion"]["weights"], strict=True))
    assert weights == pytest.approx(called.json["weights"], abs=1e-5)
    assert said["calibration"]["method"] == "platt"
    assert not (zoo.folder / "good" / RERANK_FILE).exists()
    query = ("search", "where does the crab live", "--index", "zoo", "--reranker", "fitted", "--min-score", "0")
    best = zoo(*query, "--explain", "--json", RERANK_FUSION="auto").json["hits"][0]
    assert best["doc_id"] == "d6"
    assert 0 < best["score"] < 1


def test_a_pair_of_texts_is_scored(zoo: CommandLine) -> None:
    """By a reranker one probability, by a classifier one a label, best first and of sum 1."""
    one = zoo("score", "what is tea", "green tea", "--model", "random", "--json").json
    assert [(row["text1"], row["text2"], len(row["scores"])) for row in one] == [("what is tea", "green tea", 1)]
    assert 0 < one[0]["scores"][0]["score"] < 1

    scores = zoo("score", "a cat", "a dog", "--model", "entails", "--json").json[0]["scores"]
    assert {row["label"] for row in scores} == {"entailment", "neutral", "contradiction"}
    values = [row["score"] for row in scores]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)


def test_pairs_are_scored_from_a_file_or_stdin(zoo: CommandLine) -> None:
    """Both ways of writing a pair, in the order of the lines, and as a table for people."""
    lines = '{"text1": "a cat", "text2": "a dog"}\n["warm tea", "cold tea"]\n'
    (zoo.folder / "pairs.jsonl").write_text(lines)
    from_file = zoo("score", "--pairs", "pairs.jsonl", "--model", "alike", "--json").json
    assert [(row["text1"], row["text2"]) for row in from_file] == [("a cat", "a dog"), ("warm tea", "cold tea")]
    assert zoo("score", "--pairs", "-", "--model", "alike", "--json", stdin=lines).json == from_file
    shown = zoo("score", "--pairs", "pairs.jsonl", "--model", "alike").out
    assert f"{from_file[0]['scores'][0]['score']:.4f}" in shown
    assert "warm tea" in shown


@pytest.mark.parametrize(
    ("args", "stdin", "code", "said"),
    [
        (("one",), "", 2, "give two texts, not 1"),
        ((), "", 2, "give two texts, or --pairs FILE"),
        (("--pairs", "-"), "", 1, "holds no pair"),
        (("--pairs", "-"), "[1, 2]\n", 1, "-:1: no pair"),
        (("--pairs", "-"), "{\n", 1, "-:1: not JSON"),
        (("--pairs", "nowhere.jsonl"), "", 1, "nowhere.jsonl: cannot be read"),
        (("a", "b", "--model", "nowhere"), "", 1, 'no model "nowhere"'),
        (("a", "b", "--model", "all-MiniLM-L6-v2"), "", 1, "encoder"),
    ],
)
def test_what_cannot_be_scored_is_told(
    zoo: CommandLine, args: tuple[str, ...], stdin: str, code: int, said: str
) -> None:
    """One line that says where and what."""
    called = zoo("score", *args, stdin=stdin)
    assert called.code == code
    assert said in called.err
    assert "Traceback" not in called.err


def test_the_doctor_asks_judged_queries(zoo: CommandLine) -> None:
    """A reranker that lowers the order is a warning with figures; one that does not is well."""
    judged = ("--data", "zoo", "--index", "zoo", "--json")
    findings = {
        model: {one["subject"]: one for one in zoo("doctor", *judged, "--reranker", model).json}
        for model in ("random", "good")
    }
    bad, good = (findings[model]["order of zoo"] for model in ("random", "good"))
    assert (bad["state"], good["state"]) == ("warn", "ok")
    assert "lowers the order; rerank-cli models calibrate fits" in bad["finding"]
    assert "12 queries" in good["finding"]


def test_the_doctor_warns_of_a_similarity_model_that_ranks_and_of_its_language(zoo: CommandLine) -> None:
    """It finds paraphrases, and it does not say to read the corpus's language; neither fails the check."""
    called = zoo("doctor", "--reranker", "alike", "--json")
    said = [one["finding"] for one in called.json if one["state"] == "warn"]
    assert called.code == 0
    assert any("was trained on sentence similarity" in one for one in said)
    assert any("look like en, which alike does not say to read" in one for one in said)


def test_judgments_and_index_go_together(zoo: CommandLine) -> None:
    """One without the other is misuse."""
    called = zoo("doctor", "--data", "zoo")
    assert (called.code, "--data and --index go together" in called.err) == (2, True)
