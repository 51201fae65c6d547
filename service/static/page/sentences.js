/** The sentence of a hit that matches the query best, scored by the same model through POST /rerank. */

import { language } from "./texts.js";
import { send } from "./requests.js";

const MOST_SENTENCES = 40;
const MOST_CACHED = 500;
const cache = new Map();

/** Returns the sentences of `text` as objects with `start` and `end`, in UTF-16 units, without surrounding spaces. */
export function sentencesOf(text) {
  const spans = [];
  for (const { segment, index } of new Intl.Segmenter(language(), { granularity: "sentence" }).segment(text)) {
    const start = index + segment.length - segment.trimStart().length;
    const end = index + segment.trimEnd().length;
    if (end > start) spans.push({ start, end });
  }
  return spans;
}

/** Returns the best sentence of `text` as `start` and `end`, or null if there is only one sentence. */
export async function decidingSentence(query, text, model, signal) {
  const key = JSON.stringify([query, text, model]);
  if (cache.has(key)) return cache.get(key);
  const spans = sentencesOf(text).slice(0, MOST_SENTENCES);
  if (spans.length < 2) return null;
  const body = { query, documents: spans.map(({ start, end }) => text.slice(start, end)), top_n: 1 };
  if (model) body.model = model;
  const { results } = await send("/v1/rerank", { body, signal });
  if (cache.size >= MOST_CACHED) cache.delete(cache.keys().next().value);
  cache.set(key, spans[results[0].index]);
  return spans[results[0].index];
}
