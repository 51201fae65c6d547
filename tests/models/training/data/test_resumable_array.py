"""Arrays that survive a kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank.core.errors import TrainingFailed
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.data.resumable_array import load_or_compute_array
from rerank.models.training.data.teacher_scores import ListTeacher, add_teacher_scores

WHOLE = np.arange(12, dtype=np.float16).reshape(6, 2)


def parts(done: int) -> Iterator[NDArray[np.float16]]:
    for start in range(done, 6, 2):
        yield WHOLE[start : start + 2]


@pytest.mark.parametrize("kept_bytes", [0, 4, 7, 8, 24])
def test_only_what_is_missing_is_made(tmp_path: Path, kept_bytes: int) -> None:
    """Whole rows that are there stay; a row that a kill cut is made again."""
    file = tmp_path / "values"
    file.write_bytes((WHOLE + 1).tobytes()[:kept_bytes])
    rows = kept_bytes // 4
    found = load_or_compute_array(file, (6, 2), np.float16, parts)
    np.testing.assert_array_equal(found, np.concatenate([WHOLE[:rows] + 1, WHOLE[rows:]]))
    np.testing.assert_array_equal(load_or_compute_array(file, (6, 2), np.float16, lambda _: iter(())), found)


@pytest.mark.parametrize("values", range(8))
def test_a_teacher_goes_on_within_a_list(tmp_path: Path, values: int) -> None:
    """However many of the scores were written, each passage ends with its own."""
    lists = [RankingList(f"{n}", ("a", "b", "c")[: 2 + n % 2], (1.0, 0.0, 0.0)[: 2 + n % 2]) for n in range(3)]
    teacher = ListTeacher("t", "0", lambda query, texts: np.arange(len(texts), dtype=np.float32) + 10 * int(query))
    whole = add_teacher_scores(lists, teacher, checkpoints=tmp_path, report=None)
    assert [one.scores for one in whole] == [(0.0, 1.0), (10.0, 11.0, 12.0), (20.0, 21.0)]
    file = tmp_path / "scores.f32"
    file.write_bytes(file.read_bytes()[: 4 * values])
    assert add_teacher_scores(lists, teacher, checkpoints=tmp_path, report=None) == whole


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(TrainingFailed, match="could not be kept"):
        load_or_compute_array(tmp_path / "nowhere" / "values", (6, 2), np.float16, parts)
