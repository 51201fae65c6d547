/** The line above the hits: what happened, and what the reader can do. */

import { byId, element } from "./elements.js";
import { examplesOf } from "./examples.js";
import { overlapOf } from "./search.js";
import { stageTimes } from "./stage_times.js";
import { number, text } from "./texts.js";

const REASONS = {
  disabled: "reasonDisabled", timeout: "reasonTimeout", overloaded: "reasonOverloaded", model_unavailable: "reasonModel",
  error: "reasonError",
};
const LONGER = 5;
const WAIT_SECONDS = 5;

let countdown = null;

/** Shows `content` as status, and after it `actions`: pairs of a label and a function. */
function show(kind, content, actions = []) {
  clearInterval(countdown);
  byId("status").className = kind;
  byId("status").replaceChildren(...content.map((line) => (typeof line === "string" ? element("p", {}, line) : line)));
  const buttons = actions.map(([label, run]) => element("button", { type: "button", class: "action", on: { click: run } }, label));
  byId("actions").replaceChildren(...buttons);
}

/** Shows the start of the page, with example queries of the index. */
export function showStart(index, searchFor) {
  show("", [text("start"), ...(examplesOf(index).length ? [text("startExamples")] : [])], examplesOf(index).map((query) => [query, () => searchFor(query)]));
}

export function showSearching() {
  show("busy", [text("searching")]);
}

export function showNoIndexes() {
  show("problem", [text("noIndexes")]);
}

/** Shows the summary of a search. `search`: runs it again with other settings. */
export function showResult({ reranked, firstStage }, settings, searchWith) {
  const { report } = reranked;
  if (!reranked.hits.length && !firstStage.hits.length) return show("", [text("noHits")]);
  const lines = [];
  const actions = [];
  if (report.reason === "timeout") {
    lines.push(text("partial", { scored: number(report.scored), candidates: number(report.candidates) }));
    const timeout = settings.timeout * LONGER;
    actions.push([text("retryLonger", { count: number(timeout) }), () => searchWith({ timeout })]);
  }
  if (report.applied) {
    const overlap = overlapOf(reranked.hits, firstStage.hits);
    const isSame = reranked.hits[0]?.key === firstStage.hits[0]?.key;
    lines.push(text(isSame ? "firstSame" : "firstChanged", { overlap, count: reranked.hits.length }));
    lines.push(text("summary", { hits: reranked.hits.length, scored: report.scored, candidates: report.candidates, model: report.model }));
    if (report.dropped) lines.push(text("dropped", { count: report.dropped }));
  } else {
    lines.push(text("notReranked", { reason: REASONS[report.reason] ? text(REASONS[report.reason]) : (report.reason ?? "") }));
    lines.push(text("summaryFirst", { hits: firstStage.hits.length }));
  }
  show(report.reason === "timeout" ? "partial" : "", [...lines, stageTimes(reranked.took)], actions);
}

/** Shows an error of a request. `again`: repeats the search. */
export function showError(problem, again) {
  if (problem.status === 401) return show("problem", [text("keyRequired")]);
  if (problem.status === 0) return show("problem", [text("unreachable")], [[text("retryNow"), again]]);
  if (problem.status !== 429 && problem.status !== 503) return show("problem", [problem.message], [[text("retryNow"), again]]);
  // 503: the models are loading, or the store is away.
  const content = (count) => text(problem.status === 429 ? "overloaded" : "loading", { message: problem.message, count });
  let seconds = Math.max(1, problem.retryAfter ?? WAIT_SECONDS);
  show("problem", [content(seconds)], [[text("retryNow"), again]]);
  countdown = setInterval(() => {
    seconds -= 1;
    if (seconds > 0) byId("status").firstChild.textContent = content(seconds);
    else again();
  }, 1000);
}
