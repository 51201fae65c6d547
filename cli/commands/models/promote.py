"""rerank-cli models promote and rollback."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rerank.cli.composition import opened_pipeline
from rerank.cli.failures import FAILED, Failed
from rerank.cli.flags import RANKING, json_flag, settings_flags
from rerank.cli.judged import judged_flags, judged_queries
from rerank.cli.output import print_json, print_table, tell
from rerank.cli.steps import Steps
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.comparison import Comparison
    from rerank.models.folder import ModelFolder
    from rerank.models.promotion import Promotion

BUILT_IN = "default"


@click.command(name="promote")
@click.argument("new")
@judged_flags
@click.option(
    "--confidence",
    type=click.FloatRange(min=0.5, max=1, max_open=True),
    default=0.95,
    show_default=True,
    help="How sure it must be that NEW orders better.",
)
@settings_flags(*RANKING)
@json_flag
@click.pass_context
def promote(
    ctx: click.Context,
    *,
    new: str,
    data: Path,
    index: str,
    split: str | None,
    queries: int | None,
    confidence: float,
    as_json: bool,
    settings: Settings,
) -> None:
    """Make NEW the default reranker if it orders judged queries better than the present one.

    NEW is a model folder, a built-in name or a hub id. Both order the same candidates; the difference of their nDCG@10
    is tested by a paired bootstrap over the queries. Exit code 1, and nothing changed, when it is not better for sure.
    """
    from rerank.core.comparison import compare
    from rerank.core.evaluation import EvaluationOptions
    from rerank.models.catalog import check_role, resolve
    from rerank.models.promotion import Promotions, with_promoted

    folder = resolve(new, role="reranker")
    check_role(folder, "reranker")
    promotions = Promotions(Path(settings.models_home))
    promotions.check_writable()
    current = with_promoted(settings)
    _check_other(folder, resolve(current.reranker, role="reranker"))
    judged = judged_queries(data, split, queries)
    both = current.model_copy(update={"rerankers": (new,)})
    options = EvaluationOptions(index=index, depth=settings.depth, mode=settings.mode, model=new)
    with opened_pipeline(both, index=index) as pipeline, Steps("searches") as steps:
        comparison = compare(pipeline, judged, options, confidence=confidence, on_query=steps.advance)
    if comparison.better:
        promotions.add(_promotion(folder, comparison))
    if as_json:
        print_json({**comparison.to_json(), "promoted": comparison.better})
    else:
        _show(comparison)
    if not comparison.better:
        ctx.exit(FAILED)


@click.command(name="rollback")
@settings_flags("models_home")
@json_flag
def rollback(*, as_json: bool, settings: Settings) -> None:
    """Undo the latest promotion: the model before it is the default again."""
    from rerank.models.promotion import Promotions

    undone, before = Promotions(Path(settings.models_home)).roll_back()
    now = BUILT_IN if before is None else before.model
    if as_json:
        print_json({"undone": undone.model, "default": now})
    else:
        tell(f"{undone.model} is no longer the default; {'the built-in model' if before is None else now} is")


def _check_other(new: ModelFolder, default: ModelFolder) -> None:
    """The same network with the same weights of its fusion cannot order better."""
    if (new.fingerprint, new.rerank.score_fusion) == (default.fingerprint, default.rerank.score_fusion):
        raise Failed(
            f"{new.name} orders as the default model does, document by document; for its calibration alone, name it by"
            " the setting reranker"
        )


def _promotion(folder: ModelFolder, comparison: Comparison) -> Promotion:
    from rerank.models.promotion import Promotion

    named = Path(folder.name).expanduser()
    return Promotion(
        model=str(named.resolve()) if named.is_dir() else folder.name,
        fingerprint=folder.fingerprint,
        promoted=datetime.now(UTC).isoformat(timespec="seconds"),
        found=comparison.to_json(),
    )


def _show(comparison: Comparison) -> None:
    said = comparison.to_json()
    rows = [["first stage", said["first_stage_mean"]], [said["old"], said["old_mean"]], [said["new"], said["new_mean"]]]
    print_table(["order", "nDCG@10"], [[name, f"{value:.4f}"] for name, value in rows])
    found = comparison.difference
    click.echo(
        f"\ndifference {found.mean:+.4f}, {comparison.confidence:.0%} interval [{found.low:+.4f}, {found.high:+.4f}],"
        f" p = {found.p:.4f}, {said['queries']} queries"
    )
    if comparison.better:
        tell(f"{said['new']} is the default now; a running service takes it up when it starts again")
    elif found.high < 0:
        tell(f"{said['new']} orders worse; nothing was changed")
    else:
        tell(f"these queries do not show that {said['new']} orders better; nothing was changed")
