"""Rules for promotions of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank.core.errors import InvalidInput, ModelInvalid, ModelNotFound, NotFound
from rerank.core.settings import Settings
from rerank.models.promotion import Promotion, Promotions, with_promoted

FIRST = Promotion("joint-minilm-l6-v1", "abc", "2026-01-01T00:00:00+00:00", {"difference": {"mean": 0.1}})


def promotion(folder: Path) -> Promotion:
    """Returns the promotion of a new model folder."""
    folder.mkdir(exist_ok=True)
    return Promotion(str(folder), "def", "2026-01-02T00:00:00+00:00", {})


def test_missing_promotions_keep_the_built_in_default(tmp_path: Path) -> None:
    """The folder does not have to exist."""
    folder = tmp_path / "missing"
    settings = Settings(models_home=str(folder))
    assert (Promotions(folder).all(), with_promoted(settings)) == ([], settings)
    with pytest.raises(NotFound, match="has no promotions"):
        Promotions(folder).roll_back()


def test_latest_promotion_is_the_default(tmp_path: Path) -> None:
    """Each rollback restores the previous promotion."""
    promotions, second = Promotions(tmp_path / "promotions"), promotion(tmp_path / "mine")
    settings = Settings(models_home=str(tmp_path / "promotions"))
    promotions.add(FIRST)
    promotions.add(second)

    assert promotions.all() == [FIRST, second]
    assert with_promoted(settings).reranker == second.model
    assert promotions.roll_back() == (second, FIRST)
    assert with_promoted(settings).reranker == "joint-minilm-l6-v1"
    assert promotions.roll_back() == (FIRST, None)
    assert with_promoted(settings).reranker == "default"


def test_configured_reranker_is_not_replaced(tmp_path: Path) -> None:
    """A reranker in the settings takes precedence over a promotion."""
    Promotions(tmp_path).add(FIRST)
    settings = Settings(models_home=str(tmp_path), reranker="mine")
    assert with_promoted(settings) == settings


def test_missing_promoted_folder_is_not_found(tmp_path: Path) -> None:
    """The service must not silently rank with another model."""
    Promotions(tmp_path).add(promotion(tmp_path / "mine"))
    (tmp_path / "mine").rmdir()
    with pytest.raises(
        ModelNotFound, match=r"mine is missing. Restore the folder, or run `rerank-cli models rollback`"
    ):
        with_promoted(Settings(models_home=str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not valid JSON: "),
        ("[]", "must contain a JSON object"),
        ('{"reranker": [{"model": ""}]}', "reranker.0.model"),
        ('{"reranker": 3}', "reranker: "),
    ],
)
def test_invalid_promotions_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """The error names the file and the key."""
    (tmp_path / "promoted.json").write_text(text)
    with pytest.raises(ModelInvalid) as raised:
        Promotions(tmp_path).current()
    assert raised.value.message.startswith(str(tmp_path / "promoted.json"))
    assert problem in raised.value.message


def test_read_only_folder_is_refused(tmp_path: Path) -> None:
    """The error occurs before the comparison and at the write, and names the setting."""
    (tmp_path / "file").write_text("x")
    promotions = Promotions(tmp_path / "file")
    with pytest.raises(InvalidInput, match=r"is not writable. Set RERANK_MODELS_HOME to another folder"):
        promotions.check_writable()
    with pytest.raises(InvalidInput, match=r"cannot write .*\. Set RERANK_MODELS_HOME to another folder"):
        promotions.add(FIRST)
