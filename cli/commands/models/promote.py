"""`rerank-cli models promote` and `rerank-cli models rollback`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cloup

from rerank.cli.failures import FAILED
from rerank.cli.judgments import judged_queries, judgment_options
from rerank.cli.options import RANKING, RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import print_json, print_message, print_table
from rerank.cli.progress import StepProgress
from rerank.cli.searched_index import SearchedIndex, opened_searches
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.comparison import Comparison
    from rerank.models.folder import ModelFolder
    from rerank.models.promotion import Promotion

BUILT_IN = "default"


@cloup.command(
    name="promote",
    short_help="Make a significantly better model the default.",
    epilog=epilog("rerank-cli models promote my-reranker --data judgments --index docs"),
)
@cloup.argument("new")
@judgment_options(required=True)
@cloup.option_group(
    "Comparison",
    cloup.option(
        "--confidence",
        type=click.FloatRange(min=0.5, max=1, max_open=True),
        default=0.95,
        show_default=True,
        help="Confidence level of the interval of the difference.",
    ),
)
@cloup.option_group("Index", *setting_options("store"))
@cloup.option_group("Models", *setting_options("encoder", "reranker", *RUNTIME))
@cloup.option_group("Ranking", *setting_options(*RANKING))
@json_option
@with_settings
@click.pass_context
def promote(
    ctx: click.Context,
    *,
    new: str,
    data: Path,
    index: str,
    fields: str | None,
    query_template: Path | None,
    split: str | None,
    queries: int | None,
    confidence: float,
    as_json: bool,
    settings: Settings,
) -> None:
    """Make NEW the default reranker if it ranks judged queries better than the current one.

    NEW is a built-in name, a model folder or a hub id. Both models rank the same candidates; a paired bootstrap over
    the queries tests the difference in nDCG@10. If the difference is not significant, the command changes nothing and
    exits with 1.
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
    _check_different(folder, resolve(current.reranker, role="reranker"))
    judged = judged_queries(data, split, queries)
    both = current.model_copy(update={"rerankers": (new,)})
    options = EvaluationOptions(index=index, depth=settings.depth, mode=settings.mode, model=new)
    searched = SearchedIndex.of(index, fields, query_template)
    with opened_searches(both, searched) as searches, StepProgress("searches") as progress:
        comparison = compare(searches, judged, options, confidence=confidence, on_query=progress.advance)
    if comparison.new.documents.warning is not None:
        print_message(comparison.new.documents.warning)
    if comparison.better:
        promotions.add(_promotion(folder, comparison))
    if as_json:
        print_json({**comparison.to_json(), "promoted": comparison.better})
    else:
        _print(comparison)
    if not comparison.better:
        ctx.exit(FAILED)


@cloup.command(name="rollback", short_help="Undo the latest promotion.", epilog=epilog("rerank-cli models rollback"))
@json_option
@with_settings
def rollback(*, as_json: bool, settings: Settings) -> None:
    """Undo the latest promotion and restore the previous default reranker."""
    from rerank.models.promotion import Promotions

    undone, previous = Promotions(Path(settings.models_home)).roll_back()
    default = BUILT_IN if previous is None else previous.model
    if as_json:
        print_json({"undone": undone.model, "default": default})
    else:
        shown = "the built-in model" if previous is None else default
        print_message(f"The default reranker is now {shown}, no longer {undone.model}.")


def _check_different(new: ModelFolder, default: ModelFolder) -> None:
    """Raises click.ClickException when both models have the same weights and fusion, so that their order is equal."""
    if (new.fingerprint, new.rerank.score_fusion) == (default.fingerprint, default.rerank.score_fusion):
        raise click.ClickException(
            f"{new.name} ranks exactly like the default model, so it cannot be better. To use its calibration,"
            " pass it as --reranker or in RERANK_RERANKER."
        )


def _promotion(folder: ModelFolder, comparison: Comparison) -> Promotion:
    from rerank.models.promotion import Promotion

    path = Path(folder.name).expanduser()
    return Promotion(
        model=str(path.resolve()) if path.is_dir() else folder.name,
        fingerprint=folder.fingerprint,
        promoted=datetime.now(UTC).isoformat(timespec="seconds"),
        found=comparison.to_json(),
    )


def _print(comparison: Comparison) -> None:
    report = comparison.to_json()
    means: dict[object, object] = {
        "first stage": report["first_stage_mean"],
        report["old"]: report["old_mean"],
        report["new"]: report["new_mean"],
    }
    print_table(["order", "nDCG@10"], [[name, f"{value:.4f}"] for name, value in means.items()])
    difference = comparison.difference
    click.echo(
        f"\ndifference {difference.mean:+.4f}, {comparison.confidence:.0%} interval [{difference.low:+.4f},"
        f" {difference.high:+.4f}], p = {difference.p:.4f}, {report['queries']} queries"
    )
    if comparison.better:
        print_message(f"{report['new']} is now the default reranker. Restart a running service to use it.")
    elif difference.high < 0:
        print_message(f"The default reranker is unchanged: {report['new']} ranks worse.")
    else:
        print_message(f"The default reranker is unchanged: the gain of {report['new']} is not significant.")
