/** The view that searches while the reader types, and shows both rankings. */

import { asCurl, asPython } from "./snippets.js";
import { copy } from "./copying.js";
import { readSettings, showSettings } from "./controls.js";
import { byId } from "./elements.js";
import { fieldsOf } from "./indexes.js";
import { hideRankings, showRankings } from "./rankings.js";
import { requestOf, searchBothStages } from "./search.js";
import { DEFAULTS, fromQueryString, toQueryString } from "./settings.js";
import { showError, showResult, showSearching, showStart } from "./status.js";
import { text } from "./texts.js";

const TYPING_PAUSE_MS = 300;
const NO_FIELDS = Object.freeze({ text: [], filters: {} });

/** State of the view: the settings of the controls, the index's fields, and the running request. */
export class SearchView {
  constructor(onKeyRequired) {
    this.indexes = [];
    this.settings = { ...DEFAULTS };
    this.fields = NO_FIELDS;
    this.running = null;
    this.typing = null;
    this.onKeyRequired = onKeyRequired;
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.search({ push: true });
    });
    byId("query").addEventListener("input", () => this.searchAfterPause());
    byId("settings").addEventListener("change", (event) => {
      if (!event.target.closest("#filters, #fields")) this.search({ push: true });
    });
    byId("index").addEventListener("change", () => this.change({ fields: [], filters: [] }));
    byId("copy-curl").addEventListener("click", () => this.copyAs(asCurl));
    byId("copy-python").addEventListener("click", () => this.copyAs(asPython));
    window.addEventListener("popstate", () => this.restore());
  }

  /** Shows the settings of the URL, and searches if there is a query. `typed`: query to use if the URL has none. */
  async restore(typed = "") {
    const settings = fromQueryString(location.search);
    settings.query ||= typed;
    const known = this.indexes.find((index) => index.name === settings.index && index.cluster === settings.cluster);
    const { name, cluster } = known ?? this.indexes[0];
    this.settings = { ...settings, index: name, cluster };
    byId("query").value = settings.query;
    await this.loadFields();
    if (byId("query").value.trim()) await this.search({ push: false });
    else this.showStart();
  }

  /** Changes settings that are not inputs of the form, and searches again. */
  async change(changes) {
    const before = this.settings;
    this.settings = { ...readSettings(before), ...changes };
    if (this.settings.index !== before.index || this.settings.cluster !== before.cluster) await this.loadFields();
    else showSettings(this.settings, this.fields, (changed) => this.change(changed));
    const isSameRequest = JSON.stringify(requestOf(before, this.fields)) === JSON.stringify(requestOf(this.settings, this.fields));
    if (!isSameRequest) await this.search({ push: true, read: false }); // An incomplete filter changes nothing yet.
  }

  async loadFields() {
    const index = this.indexes.find(({ name, cluster }) => name === this.settings.index && cluster === this.settings.cluster);
    this.fields = index ? await fieldsOf(index).catch(() => NO_FIELDS) : NO_FIELDS;
    this.settings.filters = this.settings.filters.filter(({ field }) => field in this.fields.filters);
    showSettings(this.settings, this.fields, (changed) => this.change(changed));
  }

  searchAfterPause() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.search({ push: false }), TYPING_PAUSE_MS);
  }

  /** Searches with the settings of the controls, and cancels the running search. */
  async search({ push, read = true }) {
    clearTimeout(this.typing);
    this.running?.abort();
    if (!this.indexes.length) return; // The page is loading. It searches afterwards.
    if (read) this.settings = readSettings(this.settings);
    const { settings } = this;
    if (!this.boostsAreValid()) return;
    history[push ? "pushState" : "replaceState"](null, "", `?${toQueryString(settings)}`);
    if (!settings.query) return this.showStart();
    const running = new AbortController();
    this.running = running;
    showSearching();
    try {
      const result = await searchBothStages(settings, this.fields, running.signal);
      if (running.signal.aborted) return;
      showRankings(result.reranked, result.firstStage, { query: settings.query, model: settings.model });
      showResult(result, settings, (changes) => this.change(changes));
      byId("copies").hidden = false;
    } catch (problem) {
      if (running.signal.aborted) return;
      hideRankings();
      if (problem.status === 401) this.onKeyRequired();
      showError(problem, () => this.search({ push: false }));
    }
  }

  showStart() {
    hideRankings();
    byId("copies").hidden = true;
    showStart(this.settings.index, (query) => {
      byId("query").value = query;
      this.search({ push: true });
    });
  }

  boostsAreValid() {
    let message = "";
    try {
      const boosts = JSON.parse(this.settings.boosts.trim() || "{}");
      if (typeof boosts !== "object" || boosts === null || Array.isArray(boosts)) message = text("boostsInvalid");
    } catch {
      message = text("boostsInvalid");
    }
    byId("boosts").setCustomValidity(message);
    byId("boosts").reportValidity();
    return !message;
  }

  copyAs(format) {
    copy(format(requestOf(this.settings, this.fields)));
  }
}
