"""A file of JSON lines that grows query by query: what was written before a kill need not be made again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import TrainingFailed

Row = Mapping[str, object]


@dataclass(frozen=True)
class ResumableJsonLines:
    """Rows of queries in `file`, which is there once all are written. `made_from`: everything that decides them.

    Until then they are in `file`.part; `file`.json keeps `made_from`.
    """

    file: Path
    made_from: Mapping[str, object]

    def finished(self) -> bool:
        """Whether all rows were written before. Raises TrainingFailed where they were made from something else."""
        papers = self._read_papers()
        if papers is not None and papers != self.made_from and (self.file.exists() or self._part.exists()):
            other = sorted(key for key in {*papers, *self.made_from} if papers.get(key) != self.made_from.get(key))
            raise TrainingFailed(
                f"{self.file} was made from something else ({', '.join(other)} differ); name another file, or delete"
                f" it and {self._papers.name}"
            )
        if self.file.exists() and papers is None:
            raise TrainingFailed(f"{self.file} is there already, and nothing says what it was made from")
        return self.file.exists()

    def write(self, rows_of_queries: Iterable[Sequence[Row]]) -> None:
        """Write the rows of each query after those that are there, and finish the file.

        Raises TrainingFailed when the disk refuses.
        """
        try:
            with self._part.open("a", encoding="utf-8") as part:
                for rows in rows_of_queries:
                    part.write("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
                    part.flush()
            self._part.replace(self.file)
        except OSError as exc:
            raise TrainingFailed(f"{self.file}: cannot be written: {exc.strerror}; the same command goes on") from exc

    def done(self) -> set[str]:
        """The queries whose rows are written, and the file made ready for the others. Raises TrainingFailed."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._papers.write_text(json.dumps(self.made_from, indent=2) + "\n", encoding="utf-8")
            if not self._part.exists():
                return set()
            return self._cut()
        except (OSError, ValueError, KeyError) as exc:
            raise TrainingFailed(f"{self._part}: cannot be written or read: {exc}; name another file") from exc

    def _cut(self) -> set[str]:
        """Drop the last query's rows: a kill may have left only some of them, or half a line."""
        ends: dict[str, int] = {}
        last = ""
        with self._part.open("rb") as part:
            for line in part:
                if not line.endswith(b"\n"):
                    break
                query = str(json.loads(line)["query"])
                if query != last:
                    ends[query] = part.tell() - len(line)
                    last = query
        start = ends.pop(last, 0)
        with self._part.open("rb+") as part:
            part.truncate(start)
        return set(ends)

    @property
    def _part(self) -> Path:
        return self.file.with_name(f"{self.file.name}.part")

    @property
    def _papers(self) -> Path:
        return self.file.with_name(f"{self.file.name}.json")

    def _read_papers(self) -> dict[str, object] | None:
        if not self._papers.exists():
            return None
        try:
            papers = json.loads(self._papers.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise TrainingFailed(f"{self._papers}: cannot be read: {exc}; name another file") from exc
        return papers if isinstance(papers, dict) else {}
