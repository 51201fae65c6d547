"""Networks outside the BERT family, computed by transformers."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

import torch

from rerank.core.errors import ModelInvalid
from rerank.models.folder import ModelFolder
from rerank.models.runtimes.torch.placement import Placement
from rerank.models.runtimes.torch.transformers_output import silence_transformers

if TYPE_CHECKING:
    from rerank.models.runtimes.torch.rows import TorchRows


class HuggingFaceClassifier:
    """Classifier over AutoModelForSequenceClassification."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        from transformers import AutoModelForSequenceClassification

        self._model = _load(AutoModelForSequenceClassification, folder, placement)

    def __call__(self, rows: TorchRows, types: torch.Tensor) -> torch.Tensor:
        """Returns float32 (n, labels)."""
        return cast(torch.Tensor, _run(self._model, rows, types).logits).float()


class HuggingFaceBody:
    """Body over AutoModel."""

    def __init__(self, folder: ModelFolder, *, placement: Placement) -> None:
        from transformers import AutoModel

        self._model = _load(AutoModel, folder, placement)
        self.hidden = int(self._model.config.hidden_size)

    def __call__(self, rows: TorchRows, *, first_only: bool) -> torch.Tensor:
        """Returns (n, longest, hidden)."""
        del first_only  # Transformers computes all positions.
        return cast(torch.Tensor, _run(self._model, rows, torch.zeros_like(rows.ids)).last_hidden_state)


def _load(auto: Any, folder: ModelFolder, placement: Placement) -> Any:
    try:
        with silence_transformers():
            model, report = auto.from_pretrained(
                str(folder.weights),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=placement.dtype,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as exc:
        raise ModelInvalid(f"{folder.weights}: transformers cannot load the model: {exc}") from exc
    # Transformers initialises missing weights randomly, which is harmless only for the unused pooler.
    if missing := sorted(name for name in report["missing_keys"] if not name.startswith("pooler")):
        raise ModelInvalid(f"{folder.weights}: the weights lack {', '.join(missing)}")
    return model.eval().to(placement.device)


def _run(model: Any, rows: TorchRows, types: torch.Tensor) -> Any:
    inputs = {"input_ids": rows.ids, "attention_mask": rows.mask}
    if "token_type_ids" in inspect.signature(model.forward).parameters:
        inputs["token_type_ids"] = types
    return model(**inputs)
