"""Arrays that are computed in parts and survive a kill."""

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

VALUES = np.arange(12, dtype=np.float16).reshape(6, 2)


def parts(done: int) -> Iterator[NDArray[np.float16]]:
    for start in range(done, 6, 2):
        yield VALUES[start : start + 2]


@pytest.mark.parametrize("stored_bytes", [0, 4, 7, 8, 24])
def test_only_missing_rows_are_computed(tmp_path: Path, stored_bytes: int) -> None:
    """Complete stored rows stay; a partly written row is computed again."""
    file = tmp_path / "values"
    file.write_bytes((VALUES + 1).tobytes()[:stored_bytes])
    rows = stored_bytes // 4
    actual = load_or_compute_array(file, (6, 2), np.float16, parts)
    np.testing.assert_array_equal(actual, np.concatenate([VALUES[:rows] + 1, VALUES[rows:]]))
    np.testing.assert_array_equal(load_or_compute_array(file, (6, 2), np.float16, lambda _: iter(())), actual)


@pytest.mark.parametrize("values", range(8))
def test_teacher_resumes_within_a_list(tmp_path: Path, values: int) -> None:
    """Each passage gets its own score, regardless of how many were stored."""
    lists = [RankingList(f"{n}", ("a", "b", "c")[: 2 + n % 2], (1.0, 0.0, 0.0)[: 2 + n % 2]) for n in range(3)]
    teacher = ListTeacher("t", "0", lambda query, texts: np.arange(len(texts), dtype=np.float32) + 10 * int(query))
    complete = add_teacher_scores(lists, teacher, checkpoints=tmp_path, report=None)
    assert [ranking_list.scores for ranking_list in complete] == [(0.0, 1.0), (10.0, 11.0, 12.0), (20.0, 21.0)]
    file = tmp_path / "scores.f32"
    file.write_bytes(file.read_bytes()[: 4 * values])
    assert add_teacher_scores(lists, teacher, checkpoints=tmp_path, report=None) == complete


def test_unwritable_file_is_named(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(TrainingFailed, match="cannot write or read"):
        load_or_compute_array(tmp_path / "nowhere" / "values", (6, 2), np.float16, parts)
