from __future__ import annotations

from pathlib import Path

import pytest

from rerank.core.errors import InvalidInput, ModelInvalid, ModelNotFound, NotFound
from rerank.core.settings import Settings
from rerank.models.promotion import Promotion, Promotions, with_promoted

FIRST = Promotion("joint-minilm-l6-v1", "abc", "2026-01-01T00:00:00+00:00", {"difference": {"mean": 0.1}})


def promotion(folder: Path) -> Promotion:
    folder.mkdir(exist_ok=True)
    return Promotion(str(folder), "def", "2026-01-02T00:00:00+00:00", {})


def test_without_a_promotion_the_default_is_the_built_in_one(tmp_path: Path) -> None:
    """Nothing needs to be there."""
    home = tmp_path / "home"
    settings = Settings(models_home=str(home))
    assert (Promotions(home).all(), with_promoted(settings)) == ([], settings)
    with pytest.raises(NotFound, match="has no promotions"):
        Promotions(home).roll_back()


def test_the_latest_promotion_is_the_default_until_it_is_rolled_back(tmp_path: Path) -> None:
    """One after the other, and back in the same steps."""
    promotions, second = Promotions(tmp_path / "home"), promotion(tmp_path / "mine")
    settings = Settings(models_home=str(tmp_path / "home"))
    promotions.add(FIRST)
    promotions.add(second)

    assert promotions.all() == [FIRST, second]
    assert with_promoted(settings).reranker == second.model
    assert promotions.roll_back() == (second, FIRST)
    assert with_promoted(settings).reranker == "joint-minilm-l6-v1"
    assert promotions.roll_back() == (FIRST, None)
    assert with_promoted(settings).reranker == "default"


def test_a_reranker_that_is_named_is_not_replaced(tmp_path: Path) -> None:
    """Flag, environment and file stand before a promotion."""
    Promotions(tmp_path).add(FIRST)
    settings = Settings(models_home=str(tmp_path), reranker="mine")
    assert with_promoted(settings) == settings


def test_a_promoted_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Another model must not rank in its place without a word."""
    Promotions(tmp_path).add(promotion(tmp_path / "mine"))
    (tmp_path / "mine").rmdir()
    with pytest.raises(
        ModelNotFound, match=r"mine is missing. Restore the folder, or run `rerank-cli models rollback`"
    ):
        with_promoted(Settings(models_home=str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "must hold a JSON object"),
        ('{"reranker": [{"model": ""}]}', "reranker.0.model"),
        ('{"reranker": 3}', "reranker: "),
    ],
)
def test_a_file_that_cannot_be_read_names_itself(tmp_path: Path, text: str, said: str) -> None:
    """And what is wrong with it."""
    (tmp_path / "promoted.json").write_text(text)
    with pytest.raises(ModelInvalid) as raised:
        Promotions(tmp_path).current()
    assert raised.value.message.startswith(f"{tmp_path / 'promoted.json'}: ")
    assert said in raised.value.message


def test_a_home_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    """Before the comparison, and when it is written."""
    (tmp_path / "file").write_text("x")
    promotions = Promotions(tmp_path / "file")
    with pytest.raises(InvalidInput, match=r"is not writable. Choose another --models-home"):
        promotions.check_writable()
    with pytest.raises(InvalidInput, match=r"cannot write .*\. Choose another --models-home"):
        promotions.add(FIRST)
