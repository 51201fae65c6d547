/** Settings of a search, and their form in the URL of the page. A setting with its default value is not in the URL. */

/**
 * Default settings. `cluster`: the index is an index of the cluster behind the proxy, not one of the service's own.
 * `fields`: names of the fields to search and score in such an index. `filters`: objects with `field`, `operator` (a key
 * of texts.js) and `value`. `timeout` is in milliseconds: long enough to score all candidates on a slow machine.
 */
export const DEFAULTS = Object.freeze({
  query: "",
  index: "",
  cluster: false,
  mode: "",
  depth: 100,
  hits: 10,
  model: "",
  minScore: 0,
  timeout: 20000,
  rerank: true,
  boosts: "",
  fields: Object.freeze([]),
  filters: Object.freeze([]),
});

const NUMBERS = ["depth", "hits", "minScore", "timeout"];
const TEXTS = ["query", "index", "mode", "model", "boosts"];
const FLAGS = ["cluster", "rerank"];
const NAMES = { query: "q" };

/** Returns the query string of `settings`, without `?`. */
export function toQueryString(settings) {
  const parameters = new URLSearchParams();
  for (const name of [...TEXTS, ...NUMBERS, ...FLAGS]) {
    if (settings[name] !== DEFAULTS[name]) parameters.set(NAMES[name] ?? name, settings[name]);
  }
  for (const field of settings.fields) parameters.append("field", field);
  for (const filter of settings.filters) parameters.append("filter", JSON.stringify([filter.field, filter.operator, filter.value]));
  return parameters.toString();
}

/** Returns the settings in a query string. Ignores values that are not valid. */
export function fromQueryString(queryString) {
  const parameters = new URLSearchParams(queryString);
  const settings = { ...DEFAULTS };
  for (const name of TEXTS) settings[name] = parameters.get(NAMES[name] ?? name) ?? DEFAULTS[name];
  for (const name of NUMBERS) {
    const value = Number(parameters.get(name) ?? NaN);
    if (Number.isFinite(value) && value >= 0) settings[name] = value;
  }
  for (const name of FLAGS) if (parameters.has(name)) settings[name] = parameters.get(name) === "true";
  settings.fields = parameters.getAll("field");
  settings.filters = parameters.getAll("filter").map(parseFilter).filter(Boolean);
  return settings;
}

function parseFilter(encoded) {
  try {
    const [field, operator, value] = JSON.parse(encoded);
    return typeof field === "string" && typeof operator === "string" ? { field, operator, value } : null;
  } catch {
    return null;
  }
}
