"""Catalog of models: built-in models, model folders, and models of the Hugging Face hub."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rerank.core.errors import ModelError, ModelInvalid, ModelNotFound
from rerank.core.settings import Settings
from rerank.models.folder import CONFIG_FILE, ModelFolder
from rerank.models.hub import downloaded

Role = Literal["encoder", "reranker"]
DEFAULT = "default"
BUILT_IN = Path(__file__).parent / "builtin"
ENCODER = "e5-small-western-v1"
CHECKOUT_ONLY = {"all-MiniLM-L6-v2": "sentence-transformers/all-MiniLM-L6-v2", "minilm-l6-en-it-v2": None}
"""Built-in models that the installed package leaves out to stay small, and their hub ids, if they have one."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelEntry:
    """A usable model. `default` is True if the settings use the model as the encoder or the reranker."""

    name: str
    kind: str
    architecture: str
    path: Path
    fingerprint: str
    languages: tuple[str, ...]
    default: bool

    def to_json(self) -> dict[str, object]:
        """Returns the entry as in the output of `rerank-cli models list --json`."""
        return {
            "name": self.name,
            "kind": self.kind,
            "architecture": self.architecture,
            "path": str(self.path),
            "fingerprint": self.fingerprint,
            "languages": list(self.languages),
            "default": self.default,
        }


def catalog(settings: Settings, *, shipped: Path = BUILT_IN) -> list[ModelEntry]:
    """Returns the built-in models and the models in *settings*; logs and skips unreadable models."""
    return _entries(settings, shipped, built_in=list(built_in_models(shipped)))


def served(settings: Settings, *, shipped: Path = BUILT_IN) -> list[ModelEntry]:
    """Returns only the models in *settings*, which requests to a service can select."""
    return _entries(settings, shipped, built_in=())


def resolve(name: str, *, role: Role, shipped: Path = BUILT_IN, reach_hub: bool = True) -> ModelFolder:
    """Returns the model folder of *name*: `default`, a built-in name, a path or a hub id.

    *shipped*: folder of the built-in rerankers. *reach_hub*: False uses only models that the hub provided before.
    Raises ModelNotFound, with the names of the built-in models, for an unknown name, and ModelInvalid for a folder
    without a valid model.
    """
    built_in = built_in_models(shipped)
    if name == DEFAULT:
        name = default_name(role, shipped=shipped)
    if name in built_in:
        return ModelFolder.read(built_in[name], name=name)
    path = Path(name).expanduser()
    if path.is_dir():
        return ModelFolder.read(path, name=name)
    if name in CHECKOUT_ONLY:
        hub_id = f"its hub id, {CHECKOUT_ONLY[name]}, or " if CHECKOUT_ONLY[name] else ""
        raise ModelNotFound(
            f"model {name} is not part of the installed package. Pass {hub_id}its folder in the source distribution,"
            f" models/builtin/{name}"
        )
    alternatives = f"the built-in models are: {', '.join(built_in)}"
    if not _HUB_ID.fullmatch(name) or path.parent.is_dir():
        raise ModelNotFound(f'model "{name}" not found: it is not a built-in model or a folder; {alternatives}')
    return ModelFolder.read(downloaded(name, alternatives=alternatives, reach_hub=reach_hub), name=name)


def default_name(role: Role, *, shipped: Path = BUILT_IN) -> str:
    """Returns the name of the default model of *role*. Raises ModelNotFound if no built-in model is the default."""
    for name, path in built_in_models(shipped).items():
        folder = ModelFolder.read(path)
        if folder.rerank.default and (folder.kind == "encoder") == (role == "encoder"):
            return name
    raise ModelNotFound(
        "this installation has no built-in reranker. Set --reranker to a model folder or a hub id, or train one with"
        " `rerank-cli train pairs`"
    )


def built_in_models(shipped: Path = BUILT_IN) -> dict[str, Path]:
    """Returns the names and folders of the built-in models: the encoder first, then *shipped* by name."""
    folders = {ENCODER: BUILT_IN / ENCODER}
    folders.update((file.parent.name, file.parent) for file in sorted(shipped.glob(f"*/{CONFIG_FILE}")))
    return folders


def is_hub_id(name: str) -> bool:
    """Returns True if *name* has the form of a hub id."""
    return _HUB_ID.fullmatch(name) is not None


def check_role(folder: ModelFolder, role: Role) -> None:
    """Raises ModelInvalid for a model that cannot take *role*. Every model that scores pairs can rerank."""
    if (folder.kind == "encoder") != (role == "encoder"):
        raise ModelInvalid(f"{folder.path}: a model of kind {folder.kind} cannot be the {role}")


def ranking_warning(folder: ModelFolder) -> str | None:
    """Returns a warning for a model that was not trained to rank, else None."""
    match folder.kind:
        case "similarity":
            return f"{folder.name} was trained on sentence similarity: it ranks paraphrases of a query above answers"
        case "classifier":
            return f"{folder.name} was trained to label pairs of texts: its ranking can be poor"
    return None


def _entries(settings: Settings, shipped: Path, *, built_in: Sequence[str]) -> list[ModelEntry]:
    """Returns the *built_in* models and the configured models, without duplicates."""
    configured = _folders([settings.encoder], "encoder", shipped) + _folders([settings.reranker], "reranker", shipped)
    used = {folder.path.resolve() for folder in configured}
    listed = _folders(built_in, "reranker", shipped) + configured + _folders(settings.rerankers, "reranker", shipped)
    entries: dict[Path, ModelEntry] = {}
    for folder in listed:
        path = folder.path.resolve()
        if path not in entries:
            entries[path] = _entry(folder, default=path in used)
    return list(entries.values())


def _folders(names: Sequence[str], role: Role, shipped: Path) -> list[ModelFolder]:
    folders = (_folder(name, role, shipped) for name in names)
    return [folder for folder in folders if folder is not None]


def _folder(name: str, role: Role, shipped: Path) -> ModelFolder | None:
    try:
        return resolve(name, role=role, shipped=shipped, reach_hub=False)
    except (ModelNotFound, ModelError) as exc:
        _log.warning("skipped a model in the list: %s", exc)
        return None


def _entry(folder: ModelFolder, *, default: bool) -> ModelEntry:
    return ModelEntry(
        name=folder.name,
        kind=folder.kind,
        architecture=folder.architecture,
        path=folder.path,
        fingerprint=folder.fingerprint,
        languages=folder.rerank.languages,
        default=default,
    )
