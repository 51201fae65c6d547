/** Search of any index of the cluster behind the proxy, by `_search` with `ext.rerank`. */

import { clauseOf, completeFilters } from "./filters.js";
import { send } from "./requests.js";

const TITLES = ["title", "name", "titolo", "nome", "heading", "headline", "subject", "label"];

/** Returns the path and the body of the request for `settings`. `fields`: the fields of the index. */
export function clusterRequest(settings, fields) {
  const searched = settings.fields.length ? settings.fields : ["*"];
  const query = { multi_match: { query: settings.query, fields: searched, lenient: true } };
  const clauses = completeFilters(settings.filters, fields.filters).map(({ field, operator, value }) =>
    clauseOf(field, fields.filters[field], operator, value),
  );
  const body = { size: settings.hits, query: clauses.length ? { bool: { must: [query], filter: clauses } } : query };
  if (settings.rerank) body.ext = { rerank: rerankOptions(settings) };
  return { path: `/${encodeURIComponent(settings.index)}/_search`, body };
}

/** Returns the hits of one search, with its report and durations. */
export async function clusterSearch(settings, fields, signal) {
  const { path, body } = clusterRequest(settings, fields);
  if (body.ext) body.ext.rerank.explain = true;
  const started = performance.now();
  const result = await send(path, { body, signal });
  const total = performance.now() - started;
  const texts = settings.fields.length ? settings.fields : fields.text;
  const hits = result.hits.hits.map((hit, position) => clusterHit(hit, position + 1, texts));
  const report = result._rerank ?? { applied: false, reason: "disabled", candidates: hits.length, scored: 0, dropped: 0 };
  const rerank = Math.max(0, total - result.took);
  return { hits, report, took: { encode: 0, retrieve: result.took, rerank: settings.rerank ? rerank : 0, total } };
}

function rerankOptions(settings) {
  const options = {
    query_context: { query_text: settings.query },
    window: Math.max(settings.depth, settings.hits),
    timeout_ms: settings.timeout,
  };
  if (settings.fields.length) options.fields = settings.fields;
  if (settings.minScore) options.min_score = settings.minScore;
  if (settings.model) options.model = settings.model;
  return settings.boosts.trim() ? { ...options, ...JSON.parse(settings.boosts) } : options;
}

function clusterHit(hit, rank, textFields) {
  const source = hit._source ?? {};
  const values = textFields.map((field) => [field, valueAt(source, field)]).filter(([, value]) => value);
  const titled = values.find(([field]) => TITLES.includes(field.split(".").pop().toLowerCase()));
  const others = values.filter((entry) => entry !== titled).map(([, value]) => value);
  const body = others.sort((a, b) => b.length - a.length)[0] ?? titled?.[1] ?? "";
  return {
    key: `${hit._index}/${hit._id}`,
    id: hit._id,
    title: titled?.[1] ?? "",
    text: body,
    passage: { start: 0, end: Array.from(body).length, text: body },
    fields: source,
    rank,
    firstRank: hit._rerank?.retrieval_rank ?? rank,
    score: hit._score,
    firstScore: hit._rerank?.retrieval_score ?? hit._score,
    explain: hit._rerank?.explain ?? null,
  };
}

/** Returns the text at a dotted path, which the source can hold as nested objects or as one key. */
function valueAt(source, path) {
  const found = path in source ? source[path] : path.split(".").reduce((value, name) => value?.[name], source);
  return Array.isArray(found) ? found.filter((item) => typeof item === "string").join("\n") : typeof found === "string" ? found : "";
}
