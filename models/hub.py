"""Download of models from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from rerank.core.errors import ModelNotFound

_FILES = ["*.json", "*.txt", "*.model", "model*.safetensors", "*/*.json"]
_TIMEOUT_SECONDS = 5.0
"""Timeout of a request for metadata."""


def downloaded(hub_id: str, *, alternatives: str, reach_hub: bool = True) -> Path:
    """Returns the folder of the model *hub_id*, downloading it if necessary; respects HF_HUB_OFFLINE.

    *reach_hub*: False uses only earlier downloads. Raises ModelNotFound with the cause and *alternatives*.
    """
    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        path = huggingface_hub.snapshot_download(
            hub_id, allow_patterns=_FILES, etag_timeout=_TIMEOUT_SECONDS, local_files_only=not reach_hub
        )
    # The client's errors have no common base class. Each means that the model is unavailable.
    except Exception as exc:
        problem = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise ModelNotFound(
            f'model "{hub_id}" not found: it is not a built-in model or a folder, and the hub did not provide it'
            f" ({problem}); {alternatives}"
        ) from exc
    return Path(path)
