"""Checkpoints of a run on disk."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from rerank.models.training.distributed import main_process_first

_NAME = re.compile(r"checkpoint-(\d+)")
_WRITTEN_LAST = "trainer_state.json"


def last_checkpoint(folder: Path) -> Path | None:
    """Returns the complete checkpoint with the most steps, or None.

    Removes incomplete checkpoints with more steps. transformers' own `get_last_checkpoint` also returns a checkpoint
    that a kill or a full disk left incomplete. Raises OSError if a checkpoint cannot be read or removed.
    """
    with main_process_first():
        steps = {int(match[1]): path for path in folder.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))}
        for step in sorted(steps, reverse=True):
            if _is_complete(steps[step]):
                return steps[step]
            shutil.rmtree(steps[step])
    return None


def _is_complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / _WRITTEN_LAST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return True
