"""The checkpoints of a run on disk."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from rerank.models.training.distributed import main_process_first

_NAME = re.compile(r"checkpoint-(\d+)")
_WRITTEN_LAST = "trainer_state.json"


def last_checkpoint(folder: Path) -> Path | None:
    """The one of the most steps that was written as a whole.

    Later ones, which a kill or a full disk cut short, are removed. Raises OSError where they cannot be.
    """
    with main_process_first():
        steps = {int(named[1]): path for path in folder.glob("checkpoint-*") if (named := _NAME.fullmatch(path.name))}
        for step in sorted(steps, reverse=True):
            if _is_whole(steps[step]):
                return steps[step]
            shutil.rmtree(steps[step])
    return None


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / _WRITTEN_LAST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return True
