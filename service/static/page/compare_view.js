/** The view that compares two settings on a list of queries. */

import { compareHits, summaryOf, toCsv } from "./comparison.js";
import { byId, element } from "./elements.js";
import { search } from "./search.js";
import { number, text } from "./texts.js";

const SIDES = ["a", "b"];
const TITLE_CHARACTERS = 200;

/** Compares the settings of sides A and B in the index of the search view. */
export class CompareView {
  constructor(searchView) {
    this.searchView = searchView;
    this.comparisons = [];
    this.running = null;
    byId("compare").addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    byId("compare-stop").addEventListener("click", () => this.running?.abort());
    byId("export-csv").addEventListener("click", () => this.download());
  }

  /** Prepares the controls: side A is the first stage, side B reranks. */
  show() {
    const { cluster, query } = this.searchView.settings;
    if (!byId("compare-queries").value) byId("compare-queries").value = query;
    for (const side of SIDES) {
      byId(`mode-line-${side}`).hidden = cluster;
      byId(`model-${side}`).replaceChildren(...[...byId("model").children].map((option) => option.cloneNode(true)));
    }
  }

  async run() {
    const queries = byId("compare-queries").value.split("\n").map((line) => line.trim()).filter(Boolean);
    this.comparisons = [];
    byId("compare-table").replaceChildren();
    byId("compare-results").hidden = true;
    if (!queries.length) return this.report(text("compareNone"));
    this.running = new AbortController();
    byId("compare-stop").hidden = false;
    try {
      for (const query of queries) {
        this.report(text("compareProgress", { done: this.comparisons.length, total: queries.length }));
        this.add(await this.compareOne(query, this.running.signal));
      }
    } catch (problem) {
      if (problem.name !== "AbortError") this.failed = problem.message;
    }
    byId("compare-stop").hidden = true;
    this.reportResult();
  }

  async compareOne(query, signal) {
    const { settings, fields } = this.searchView;
    const results = [];
    for (const side of SIDES) results.push(await search({ ...settings, query, ...sideSettings(side) }, fields, signal));
    return compareHits(query, results[0].hits, results[1].hits);
  }

  add(comparison) {
    this.comparisons.push(comparison);
    byId("compare-results").hidden = false;
    byId("compare-table").append(comparisonRow(comparison));
  }

  reportResult() {
    const { failed } = this;
    this.failed = null;
    if (failed) return this.report(failed, true);
    if (!this.comparisons.length) return this.report("");
    const { total, first, overlap, count } = summaryOf(this.comparisons);
    this.report(text("compareDone", { total, first, overlap: number(overlap), count }));
  }

  report(content, isProblem = false) {
    byId("compare-status").textContent = content;
    byId("compare-status").classList.toggle("problem", isProblem);
  }

  download() {
    const address = URL.createObjectURL(new Blob([toCsv(this.comparisons)], { type: "text/csv" }));
    element("a", { href: address, download: "rerank-comparison.csv" }).click();
    URL.revokeObjectURL(address);
  }
}

function sideSettings(side) {
  return {
    mode: byId(`mode-${side}`).value,
    model: byId(`model-${side}`).value,
    depth: Number(byId(`depth-${side}`).value),
    rerank: byId(`rerank-${side}`).checked,
  };
}

function comparisonRow(comparison) {
  const movers = comparison.movers.map(({ hit, from, to }) => {
    const move = text("moved", { from: from ?? text("outside"), to: to ?? text("outside") });
    const content = hit.text.slice(hit.passage.start, hit.passage.start + TITLE_CHARACTERS);
    return element("li", {}, element("strong", {}, move), ` ${hit.title || hit.id}`, element("p", { class: "passage" }, content));
  });
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, comparison.query),
    element("td", {}, `${comparison.overlap} / ${comparison.count}`),
    element("td", { class: comparison.firstChanged ? "up" : "" }, text(comparison.firstChanged ? "changed" : "same")),
    element("td", {}, movers.length ? element("ol", { class: "movers" }, ...movers) : text("noMoves")),
  );
}
