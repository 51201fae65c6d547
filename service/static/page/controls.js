/** The controls of a search: they show the settings, and report each change. */

import { byId, element } from "./elements.js";
import { operatorsOf } from "./filters.js";
import { text } from "./texts.js";

const INPUTS = { mode: "mode", depth: "depth", hits: "hits", model: "model", minScore: "min-score", timeout: "timeout", boosts: "boosts" };
const NUMBERS = new Set(["depth", "hits", "minScore", "timeout"]);

/** Shows `settings` in the controls, except the query, which the reader may be typing. `fields`: the fields of the index. `changed`: called with the filters after a change. */
export function showSettings(settings, fields, changed) {
  for (const [name, id] of Object.entries(INPUTS)) byId(id).value = settings[name];
  byId("index").value = indexValue(settings.index, settings.cluster);
  byId("mode-line").hidden = settings.cluster;
  showTextFields(settings, fields, changed);
  showFilters(settings, fields, changed);
}

/** Returns the settings in the controls. Filters and fields come from `settings`, which the controls keep current. */
export function readSettings(settings) {
  const read = { ...settings, query: byId("query").value.trim() };
  for (const [name, id] of Object.entries(INPUTS)) {
    const value = byId(id).value;
    if (!NUMBERS.has(name)) read[name] = value;
    else if (value !== "" && byId(id).validity.valid) read[name] = Number(value);
  }
  read.cluster = byId("index").value.startsWith("cluster:");
  read.index = byId("index").value.replace(/^\w+:/, "");
  return read;
}

/** Fills the list of indexes. */
export function showIndexes(indexes) {
  const groups = [["ownIndexes", false], ["clusterIndexes", true]].map(([label, cluster]) => {
    const options = indexes
      .filter((index) => index.cluster === cluster)
      .map((index) => element("option", { value: indexValue(index.name, cluster) }, `${index.name} (${index.documents})`));
    return options.length ? element("optgroup", { label: text(label) }, ...options) : null;
  });
  byId("index").replaceChildren(...groups.filter(Boolean));
}

/** Fills the list of models with the names of the rerankers. */
export function showModels(names) {
  const options = names.map((name) => element("option", { value: name }, name));
  byId("model").replaceChildren(element("option", { value: "" }, text("modelDefault")), ...options);
}

function indexValue(name, cluster) {
  return `${cluster ? "cluster" : "own"}:${name}`;
}

function showTextFields(settings, fields, changed) {
  byId("fields").hidden = !settings.cluster;
  const boxes = fields.text.map((name) => {
    const box = element("input", { type: "checkbox", value: name, checked: settings.fields.includes(name) });
    box.addEventListener("change", () => {
      const chosen = [...byId("field-list").querySelectorAll("input:checked")].map((checked) => checked.value);
      changed({ fields: chosen });
    });
    return element("label", { class: "check" }, box, name);
  });
  byId("field-list").replaceChildren(...boxes);
}

function showFilters(settings, fields, changed) {
  byId("filters").hidden = !Object.keys(fields.filters).length;
  const replace = (position, filter) => changed({ filters: settings.filters.with(position, filter) });
  const rows = settings.filters.map((filter, position) => {
    const remove = () => changed({ filters: settings.filters.toSpliced(position, 1) });
    return filterRow(filter, fields.filters, (changes) => replace(position, { ...filter, ...changes }), remove);
  });
  byId("filter-list").replaceChildren(...rows);
  byId("add-filter").onclick = () => {
    const field = Object.keys(fields.filters)[0];
    changed({ filters: [...settings.filters, newFilter(field, fields.filters[field])] });
  };
}

function filterRow(filter, types, changed, remove) {
  const field = select("filterField", Object.keys(types).map((name) => [name, name]), filter.field);
  field.addEventListener("change", () => changed(newFilter(field.value, types[field.value])));
  const operator = select("filterOperator", operatorsOf(types[filter.field]).map((name) => [name, text(name)]), filter.operator);
  operator.addEventListener("change", () => changed({ operator: operator.value }));
  const value = valueInput(filter, types[filter.field]);
  value.addEventListener("change", () => changed({ value: value.value }));
  value.hidden = filter.operator === "exists";
  const button = element("button", { type: "button", class: "quiet", "aria-label": text("removeFilter"), on: { click: remove } }, "×");
  return element("div", { class: "filter" }, field, operator, value, button);
}

function newFilter(field, type) {
  return { field, operator: operatorsOf(type)[0], value: type === "boolean" ? "true" : "" };
}

function valueInput(filter, type) {
  if (type === "boolean") return select("filterValue", [["true", "true"], ["false", "false"]], filter.value);
  const kind = { number: "number", date: "date" }[type] ?? "text";
  return element("input", { type: kind, value: filter.value, step: type === "number" ? "any" : null, "aria-label": text("filterValue") });
}

function select(label, entries, chosen) {
  const options = entries.map(([value, shown]) => element("option", { value, selected: value === chosen }, shown));
  return element("select", { "aria-label": text(label) }, ...options);
}
