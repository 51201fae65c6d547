/** A hit as the page shows it: rank, movement, title, passage, score, and the reasons for its rank on request. */

import { element } from "./elements.js";
import { explanation } from "./explanation.js";
import { decidingSentence } from "./sentences.js";
import { number, text } from "./texts.js";

const CONTEXT_CHARACTERS = 160;

/**
 * Returns the list item of a reranked hit. `best`: the highest score of the list. `listed`: number of first-stage hits
 * beside it. `search`: the query and the model, for the deciding sentence.
 */
export function rerankedItem(hit, { best, listed, search }) {
  const passage = element("p", { class: "passage" }, ...passageParts(hit));
  const item = itemOf(hit, movement(hit, listed), passage, scoreBar(text("score"), hit.score, best));
  item.querySelector(".body").append(whyPanel(hit, passage, search));
  return item;
}

/** Returns the list item of a first-stage hit. */
export function firstStageItem(hit, { best }) {
  const passage = element("p", { class: "passage" }, ...passageParts(hit));
  return itemOf(hit, null, passage, scoreBar(text("firstScore"), hit.score, best));
}

function itemOf(hit, badge, passage, bar) {
  const heading = element("h3", {}, hit.title || hit.id);
  const body = element("div", { class: "body" }, heading, passage, bar);
  const rank = element("div", { class: "rank" }, element("span", { class: "number" }, String(hit.rank)), badge);
  return element("li", { class: "hit", tabindex: "-1", data: { key: hit.key } }, rank, body);
}

/** Returns the badge with the movement from the first stage. */
export function movement(hit, listed) {
  const moved = hit.firstRank - hit.rank;
  const kind = moved > 0 ? "up" : moved < 0 ? "down" : "same";
  const symbol = { up: "▲", down: "▼", same: "=" }[kind];
  const label = text({ up: "rankUp", down: "rankDown", same: "rankSame" }[kind], { count: Math.abs(moved), rank: hit.firstRank });
  const beyond = hit.firstRank > listed ? ` (${text("notInTop", { count: listed })})` : "";
  return element(
    "span",
    { class: `movement ${kind}`, title: label + beyond },
    element("span", { "aria-hidden": "true" }, moved ? `${symbol}${Math.abs(moved)}` : symbol),
    element("span", { class: "hidden" }, label + beyond),
  );
}

function scoreBar(label, score, best) {
  const filled = element("span", { class: "filled" });
  filled.style.setProperty("--part", `${100 * Math.max(0, Math.min(1, best > 0 ? score / best : 0))}%`);
  return element(
    "div",
    { class: "score" },
    element("span", { class: "track", "aria-hidden": "true" }, filled),
    element("span", { class: "score-text" }, `${label} ${number(score)}`),
  );
}

/** Returns the passage with some context. Offsets count code points, but indexes of strings count UTF-16 units. */
function passageParts(hit) {
  const characters = Array.from(hit.text);
  const { start, end } = hit.passage;
  if (!characters.slice(start, end).join("").trim()) return [element("em", {}, text("emptyText"))];
  const between = (from, to) => characters.slice(Math.max(0, from), to).join("").replace(/\n\s*\n/g, "\n");
  return [
    (start > CONTEXT_CHARACTERS ? "…" : "") + between(start - CONTEXT_CHARACTERS, start),
    element("span", { class: "scored-text" }, between(start, end)),
    between(end, end + CONTEXT_CHARACTERS) + (end + CONTEXT_CHARACTERS < characters.length ? "…" : ""),
  ];
}

function whyPanel(hit, passage, search) {
  const status = element("p", { class: "mark-status", role: "status" });
  const content = element("div", { class: "why-content" });
  const panel = element("details", { class: "why" }, element("summary", {}, text("why")), content);
  panel.addEventListener("toggle", () => {
    passage.classList.toggle("open", panel.open);
    if (!panel.open || content.childElementCount) return;
    content.append(status, ...explanation(hit));
    markSentence(passage, status, search);
  });
  return panel;
}

async function markSentence(passage, status, { query, model }) {
  const scored = passage.querySelector(".scored-text");
  if (!scored) return;
  status.textContent = text("marking");
  try {
    const sentence = await decidingSentence(query, scored.textContent, model);
    if (sentence) {
      const whole = scored.textContent;
      const marked = element("mark", {}, whole.slice(sentence.start, sentence.end));
      scored.replaceChildren(whole.slice(0, sentence.start), marked, whole.slice(sentence.end));
    }
    status.textContent = sentence ? text("marked") : "";
  } catch (problem) {
    status.textContent = text("markFailed", { message: problem.message });
  }
}
