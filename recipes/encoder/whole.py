"""Run the whole recipe from a folder of input files, on one device.

    python -m recipes.encoder.whole --inputs DIR --output DIR [--device cuda] [--steps 2000] [--distil-steps 20000]

Inputs: examples.jsonl.gz (from `collect`), base/ and any teachers for English in english-*/ (from `packed pack`), and
texts/texts-*.jsonl.gz (from `texts`) for the 6-layer student. The output holds packed folders as archives in parts of
at most 15 MB: `cat tuned.tar.* | tar x` gives tuned/, with all layers, and student.tar.* gives student/. Work files
stay in a temporary folder, by default.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PART_BYTES = 15_000_000


def step(module: str, *arguments: object) -> None:
    """Runs one command of the recipe."""
    started = time.monotonic()
    command = [sys.executable, "-m", f"recipes.encoder.{module}", *map(str, arguments)]
    subprocess.run(command, check=True)
    print(f"{module} seconds={time.monotonic() - started:.0f}", flush=True)


def archive(folder: Path, course: Path, output: Path) -> None:
    """Writes a folder, packed, with its course's log, as parts of an archive."""
    packed = folder.with_name(f"packed-{folder.name}") / folder.name
    step("packed", "pack", folder, packed)
    shutil.copy(course / "log.jsonl", packed / "log.jsonl")
    content = Path(shutil.make_archive(str(packed), "tar", packed.parent, folder.name)).read_bytes()
    output.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(content), PART_BYTES)):
        (output / f"{folder.name}.tar.{number:02}").write_bytes(content[start : start + PART_BYTES])


def tuned(inputs: Path, work: Path, args: argparse.Namespace) -> Path:
    """Tunes the base and returns the folder of the result."""
    device = ("--device", args.device)
    names = ["base", *sorted(path.name for path in inputs.glob("english-*"))]
    examples = inputs / "examples.jsonl.gz"
    for name in names:
        step("packed", "unpack", inputs / name, work / name)
        english = ["--english"] if name != "base" else []
        step(
            "vectors", "--examples", examples, "--model", work / name, "--output", work / f"v-{name}", *device, *english
        )
    teachers = [work / f"v-{name}" for name in names[1:]]
    more = ("--english", *teachers) if teachers else ()
    step("batches", "--examples", examples, "--base", work / "v-base", *more, "--output", work / "batches")
    course = ["--steps", args.steps, "--decay-from", args.steps // 2, "--minutes", args.minutes]
    step("tune", "--base", work / "base", "--batches", work / "batches", "--output", work / "course", *device, *course)
    step("export", "--base", work / "base", "--course", work / "course", "--output", work / "tuned")
    return work / "tuned"


def distilled(teacher: Path, inputs: Path, work: Path, args: argparse.Namespace) -> Path:
    """Distils a 6-layer student and returns its folder."""
    start, course = work / "shallow", work / "distil"
    step("shallower", "--base", teacher, "--output", start, "--layers", *(1, 3, 5, 7, 9, 11))
    texts = sorted((inputs / "texts").glob("texts-*.jsonl.gz"))
    steps = ["--steps", args.distil_steps, "--decay-from", args.distil_steps // 2, "--minutes", args.minutes]
    models = ["--base", start, "--teacher", teacher]
    step("distill", *models, "--texts", *texts, "--output", course, "--device", args.device, *steps)
    step("export", "--base", start, "--course", course, "--output", work / "student")
    return work / "student"


def main() -> None:
    """Runs the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="Folder of the work files, so that a run can resume.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=2000, help="Steps of the tuning.")
    parser.add_argument("--distil-steps", type=int, default=0, help="Steps of the student. 0 leaves it out.")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Most time of each of both courses.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        result = tuned(args.inputs, work, args)
        archive(result, work / "course", args.output)
        if args.distil_steps:
            archive(distilled(result, args.inputs, work, args), work / "distil", args.output)


if __name__ == "__main__":
    main()
