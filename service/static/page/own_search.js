/** Search of an index of the service, by POST /search. */

import { clauseOf, completeFilters } from "./filters.js";
import { send } from "./requests.js";

/** Returns the path and the body of the request for `settings`. `types`: the index's field types. */
export function ownRequest(settings, types) {
  const body = { index: settings.index, query: settings.query, k: settings.hits, depth: Math.max(settings.depth, settings.hits) };
  if (settings.mode) body.mode = settings.mode;
  if (settings.model && settings.rerank) body.model = settings.model;
  const clauses = completeFilters(settings.filters, types).map(({ field, operator, value }) =>
    clauseOf(`metadata.${field}`, types[field], operator, value),
  );
  if (clauses.length) body.filter = { bool: { filter: clauses } };
  if (settings.rerank) Object.assign(body, { min_score: settings.minScore, timeout_ms: settings.timeout, ...boostsOf(settings) });
  else body.rerank = false;
  return { path: "/search", body };
}

/** Returns the hits of one search, with its report and durations. */
export async function ownSearch(settings, types, signal) {
  const { path, body } = ownRequest(settings, types);
  const result = await send(path, { body: { ...body, explain: true }, signal });
  return { hits: result.hits.map(ownHit), report: result.rerank, took: result.took_ms };
}

function boostsOf(settings) {
  return settings.boosts.trim() ? JSON.parse(settings.boosts) : {};
}

function ownHit(hit) {
  return {
    key: hit.doc_id,
    id: hit.doc_id,
    title: hit.title,
    text: hit.text,
    passage: hit.passage,
    fields: hit.metadata,
    rank: hit.rank,
    firstRank: hit.retrieval_rank,
    score: hit.score,
    firstScore: hit.retrieval_score,
    explain: hit.explain ?? null,
  };
}
