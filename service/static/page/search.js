/** One search of either kind of index. */

import { clusterRequest, clusterSearch } from "./cluster_search.js";
import { ownRequest, ownSearch } from "./own_search.js";

/** Returns the path and the body that a client would send for `settings`. */
export function requestOf(settings, fields) {
  return settings.cluster ? clusterRequest(settings, fields) : ownRequest(settings, fields.filters);
}

/** Returns `hits`, `report` and `took` (milliseconds). Throws RequestError and AbortError. */
export function search(settings, fields, signal) {
  return settings.cluster ? clusterSearch(settings, fields, signal) : ownSearch(settings, fields.filters, signal);
}

/** Returns the reranked search, and the search of the first stage alone. */
export async function searchBothStages(settings, fields, signal) {
  const [reranked, firstStage] = await Promise.all([
    search({ ...settings, rerank: true }, fields, signal),
    search({ ...settings, rerank: false }, fields, signal),
  ]);
  return { reranked, firstStage };
}

/** Returns how many of the first hits of both lists are the same. */
export function overlapOf(hits, others) {
  const keys = new Set(others.map((hit) => hit.key));
  return hits.filter((hit) => keys.has(hit.key)).length;
}
