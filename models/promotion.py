"""Which model is the default one: the built-in reranker, until another was promoted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rerank.core.errors import InvalidInput, ModelInvalid, ModelNotFound, NotFound
from rerank.core.settings import Settings
from rerank.models.catalog import DEFAULT
from rerank.models.json_file import replace_json
from rerank.models.rerank_file import read_object

PROMOTED_FILE = "promoted.json"


@dataclass(frozen=True)
class Promotion:
    """A model that was made the default one. model: a folder's whole path, or a built-in name or hub id.

    fingerprint: of its files as they were then. promoted: an ISO 8601 instant, UTC. found: what the comparison said.
    """

    model: str
    fingerprint: str
    promoted: str
    found: Mapping[str, object]


class Promotions:
    """The promotions kept in a folder, the latest one last: that one is the default."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file = home / PROMOTED_FILE

    def all(self) -> list[Promotion]:
        """Every promotion that was not rolled back, in order. Raises ModelInvalid for a file that cannot be read."""
        if not self._file.exists():
            return []
        try:
            kept = _File.model_validate(read_object(self._file)).reranker
        except ValidationError as exc:
            problem = exc.errors(include_url=False)[0]
            place = ".".join(map(str, problem["loc"]))
            raise ModelInvalid(
                f"{self._file}: {place}: {problem['msg']}; mend the file, or delete it: the built-in model is then used"
            ) from exc
        return [Promotion(one.model, one.fingerprint, one.promoted, one.found) for one in kept]

    def current(self) -> Promotion | None:
        """The latest one, if there is any. Raises ModelInvalid for a file that cannot be read."""
        return next(reversed(self.all()), None)

    def add(self, promotion: Promotion) -> None:
        """Make *promotion* the latest one. Raises InvalidInput when the folder cannot be written to."""
        self._write([*self.all(), promotion])

    def roll_back(self) -> tuple[Promotion, Promotion | None]:
        """Take the latest one back; returns it, and the one that is the default now.

        Raises NotFound when there is none, InvalidInput when the folder cannot be written to.
        """
        kept = self.all()
        if not kept:
            raise NotFound(f"no model was promoted, {self._file} holds none: the built-in one is the default already")
        self._write(kept[:-1])
        return kept[-1], kept[-2] if len(kept) > 1 else None

    def check_writable(self) -> None:
        """Raise InvalidInput when a promotion could not be written: asked before the work, not after it."""
        there = next(folder for folder in [self._home, *self._home.resolve().parents] if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise InvalidInput(f"{self._home}: cannot be written to; choose another --models-home")

    def _write(self, promotions: list[Promotion]) -> None:
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            replace_json(self._file, {"reranker": [asdict(one) for one in promotions]})
        except OSError as exc:
            raise InvalidInput(
                f"{self._file}: cannot be written: {exc.strerror}; choose another --models-home"
            ) from exc


def with_promoted(settings: Settings) -> Settings:
    """*settings* whose reranker is the promoted one where they say `default` and there is one.

    Raises ModelInvalid for a file of promotions that cannot be read, ModelNotFound when the promoted folder is gone.
    """
    if settings.reranker != DEFAULT:
        return settings
    promotion = Promotions(Path(settings.models_home)).current()
    if promotion is None:
        return settings
    if Path(promotion.model).is_absolute() and not Path(promotion.model).is_dir():
        raise ModelNotFound(
            f"the promoted model {promotion.model} is gone: bring it back, or undo it by rerank-cli models rollback"
        )
    return settings.model_copy(update={"reranker": promotion.model})


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)

    model: str = Field(min_length=1)
    fingerprint: str
    promoted: str
    found: dict[str, object] = Field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    reranker: list[_Entry] = Field(default_factory=list)
