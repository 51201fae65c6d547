"""Models at the Hugging Face hub, where one can be reached."""

from __future__ import annotations

from pathlib import Path

from rerank.core.errors import ModelNotFound

_FILES = ["*.json", "*.txt", "*.model", "model*.safetensors", "*/*.json"]
_SECONDS = 5.0
"""A hub that has not answered by then is not reachable from here."""


def downloaded(hub_id: str, *, offer: str, reach_hub: bool = True) -> Path:
    """The folder of the model *hub_id*, downloaded now or before; HF_HUB_OFFLINE is respected.

    With *reach_hub* False only what was downloaded before is looked for. Raises ModelNotFound, with the hub's problem
    and *offer* (what there is instead).
    """
    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        path = huggingface_hub.snapshot_download(
            hub_id, allow_patterns=_FILES, etag_timeout=_SECONDS, local_files_only=not reach_hub
        )
    except Exception as exc:  # its client's errors have no common root, and all mean that there is no such model here
        problem = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise ModelNotFound(
            f'no model "{hub_id}": it is neither a built-in one nor a folder, and the hub could not give it'
            f" ({problem}); {offer}"
        ) from exc
    return Path(path)
