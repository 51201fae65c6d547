"""JSON Lines file that is written query by query. An interrupted run resumes after the last complete query."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import TrainingFailed
from rerank.models.training.data.json_lines import Row


@dataclass(frozen=True)
class ResumableJsonLines:
    """JSON Lines file, and the parameters that determine its rows.

    Rows go to `file`.part until all are written; `file`.json holds the parameters.
    """

    file: Path
    parameters: Mapping[str, object]

    def is_complete(self) -> bool:
        """Returns True if all rows are written. Raises TrainingFailed if the file has other parameters."""
        stored = self._read_parameters()
        if stored is not None and stored != self.parameters and (self.file.exists() or self._part.exists()):
            different = sorted(
                key for key in {*stored, *self.parameters} if stored.get(key) != self.parameters.get(key)
            )
            raise TrainingFailed(
                f"{self.file} was written with a different {', '.join(different)}. Choose another file, or delete it"
                f" and {self._parameters_file.name}."
            )
        if self.file.exists() and stored is None:
            raise TrainingFailed(
                f"{self.file} already exists and was not written by this command: {self._parameters_file.name} is"
                " missing. Choose another file."
            )
        return self.file.exists()

    def start(self) -> set[str]:
        """Prepares the file and returns the queries whose rows are complete. Raises TrainingFailed."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._parameters_file.write_text(json.dumps(self.parameters, indent=2) + "\n", encoding="utf-8")
            if not self._part.exists():
                return set()
            return self._remove_last_query()
        except (OSError, ValueError, KeyError) as exc:
            raise TrainingFailed(f"{self._part}: cannot write or read the file: {exc}. Choose another file.") from exc

    def append(self, rows_of_queries: Iterable[Sequence[Row]]) -> None:
        """Appends the rows of each query and completes the file. Raises TrainingFailed if it cannot be written."""
        try:
            with self._part.open("a", encoding="utf-8") as part:
                for rows in rows_of_queries:
                    part.write("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
                    part.flush()
            self._part.replace(self.file)
        except OSError as exc:
            raise TrainingFailed(
                f"{self.file}: cannot write the file: {exc.strerror}. Run the same command again to resume."
            ) from exc

    def _remove_last_query(self) -> set[str]:
        """Removes the last query's rows, which a kill can have left incomplete, and returns the other queries."""
        starts: dict[str, int] = {}
        last = ""
        with self._part.open("rb") as part:
            for line in part:
                if not line.endswith(b"\n"):
                    break
                query = str(json.loads(line)["query"])
                if query != last:
                    starts[query] = part.tell() - len(line)
                    last = query
        start = starts.pop(last, 0)
        with self._part.open("rb+") as part:
            part.truncate(start)
        return set(starts)

    @property
    def _part(self) -> Path:
        return self.file.with_name(f"{self.file.name}.part")

    @property
    def _parameters_file(self) -> Path:
        return self.file.with_name(f"{self.file.name}.json")

    def _read_parameters(self) -> dict[str, object] | None:
        if not self._parameters_file.exists():
            return None
        try:
            parameters = json.loads(self._parameters_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise TrainingFailed(f"{self._parameters_file}: cannot read the file: {exc}. Choose another file.") from exc
        return parameters if isinstance(parameters, dict) else {}
