/** Figures of a comparison of two settings, and their form as CSV. */

import { overlapOf } from "./search.js";

const MOST_MOVERS = 5;

/**
 * Returns the comparison of two lists of hits for one query: `overlap`, `firstChanged`, and `movers`, the hits with the
 * largest change of rank as objects with `hit`, `from` and `to`. A rank outside a list is null.
 */
export function compareHits(query, hitsA, hitsB) {
  const ranksA = ranksOf(hitsA);
  const ranksB = ranksOf(hitsB);
  const hits = new Map([...hitsA, ...hitsB].map((hit) => [hit.key, hit]));
  const moves = [...hits].map(([key, hit]) => ({ hit, from: ranksA.get(key) ?? null, to: ranksB.get(key) ?? null }));
  const outside = Math.max(hitsA.length, hitsB.length) + 1;
  const distance = ({ from, to }) => Math.abs((from ?? outside) - (to ?? outside));
  const movers = moves.filter((move) => distance(move)).sort((a, b) => distance(b) - distance(a));
  return {
    query,
    count: Math.max(hitsA.length, hitsB.length),
    overlap: overlapOf(hitsA, hitsB),
    firstChanged: hitsA[0]?.key !== hitsB[0]?.key,
    movers: movers.slice(0, MOST_MOVERS),
    moves,
  };
}

function ranksOf(hits) {
  return new Map(hits.map((hit, position) => [hit.key, position + 1]));
}

/** Returns the mean overlap and the number of changed first hits. */
export function summaryOf(comparisons) {
  const total = comparisons.length;
  return {
    total,
    first: comparisons.filter((comparison) => comparison.firstChanged).length,
    overlap: comparisons.reduce((sum, comparison) => sum + comparison.overlap, 0) / total,
    count: Math.max(...comparisons.map((comparison) => comparison.count)),
  };
}

/** Returns one line for each hit of each query, as CSV with a header. */
export function toCsv(comparisons) {
  const lines = [["query", "hit", "title", "rank_a", "rank_b"]];
  for (const { query, moves } of comparisons) {
    for (const { hit, from, to } of moves) lines.push([query, hit.key, hit.title, from ?? "", to ?? ""]);
  }
  return lines.map((line) => line.map(csvField).join(",")).join("\r\n") + "\r\n";
}

/** Quotes a field by RFC 4180. A leading quote mark keeps spreadsheets from running text as a formula. */
function csvField(value) {
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
