/** Both rankings side by side, with a line from the first-stage rank of each hit to its new rank. */

import { byId, drawing } from "./elements.js";
import { firstStageItem, rerankedItem } from "./hit.js";
import { text } from "./texts.js";

const resizes = new ResizeObserver(() => drawLines());

/** Shows both rankings. If the hits were not reranked, shows one list. */
export function showRankings(reranked, firstStage, search) {
  const applied = reranked.report.applied;
  const listed = firstStage.hits.length;
  byId("rankings").classList.toggle("single", !applied);
  byId("first-stage-title").textContent = text(applied ? "firstStage" : "firstStageOnly");
  byId("first-stage").replaceChildren(...firstStage.hits.map((hit) => firstStageItem(hit, { best: bestOf(firstStage.hits) })));
  byId("reranked").replaceChildren(
    ...(applied ? reranked.hits.map((hit) => rerankedItem(hit, { best: bestOf(reranked.hits), listed, search })) : []),
  );
  byId("rankings").hidden = !listed && !reranked.hits.length;
  resizes.disconnect();
  for (const list of [byId("first-stage"), byId("reranked")]) resizes.observe(list);
  drawLines();
}

/** Removes the rankings from the page. */
export function hideRankings() {
  byId("rankings").hidden = true;
}

function bestOf(hits) {
  return Math.max(0, ...hits.map((hit) => hit.score));
}

function drawLines() {
  const canvas = byId("lines");
  const frame = canvas.getBoundingClientRect();
  const origins = new Map([...byId("first-stage").children].map((item) => [item.dataset.key, middleOf(item, frame)]));
  const lines = [];
  for (const [position, item] of [...byId("reranked").children].entries()) {
    const from = origins.get(item.dataset.key);
    if (from === undefined) continue;
    const oldPosition = [...origins.keys()].indexOf(item.dataset.key);
    const kind = oldPosition > position ? "up" : oldPosition < position ? "down" : "same";
    const to = middleOf(item, frame);
    const half = frame.width / 2;
    lines.push(drawing("path", { class: kind, d: `M0 ${from} C${half} ${from} ${half} ${to} ${frame.width} ${to}` }));
  }
  canvas.replaceChildren(...lines);
}

function middleOf(item, frame) {
  const box = item.querySelector(".number").getBoundingClientRect();
  return Math.round(box.top + box.height / 2 - frame.top);
}

/** Moves the keyboard focus among hits by `step`, within the list that has it, or into the reranked list. */
export function moveFocus(step) {
  const current = document.activeElement?.closest?.(".hit");
  const list = current?.parentElement ?? (byId("reranked").childElementCount ? byId("reranked") : byId("first-stage"));
  const items = [...list.children];
  if (!items.length) return;
  const position = current ? items.indexOf(current) + step : 0;
  items[Math.max(0, Math.min(items.length - 1, position))].focus();
}

/** Opens or closes the reasons of the focused hit. */
export function toggleWhy() {
  const panel = document.activeElement?.closest?.(".hit")?.querySelector(".why");
  if (panel) panel.open = !panel.open;
}

