/** The texts of the page in the language that the reader has chosen: English or Italian. */

import { ENGLISH } from "./english.js";
import { ITALIAN } from "./italian.js";

const STORED = "rerank-language";
const LANGUAGES = { en: ENGLISH, it: ITALIAN };

let current = LANGUAGES[localStorage.getItem(STORED)] ? localStorage.getItem(STORED) : browserLanguage();

function browserLanguage() {
  return navigator.language.toLowerCase().startsWith("it") ? "it" : "en";
}

/** Returns the current language: `en` or `it`. */
export function language() {
  return current;
}

/** Changes the language, remembers it in this browser, and translates the static parts of the page. */
export function useLanguage(name) {
  current = name;
  localStorage.setItem(STORED, name);
  translatePage();
}

/** Returns the text of `key` with its `{placeholders}` replaced by `values`. */
export function text(key, values = {}) {
  return LANGUAGES[current][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Fills every element with `data-text` (content) and `data-hint` (placeholder). */
export function translatePage() {
  document.documentElement.lang = current;
  document.title = `rerank: ${text("title")}`;
  for (const labelled of document.querySelectorAll("[data-text]")) labelled.textContent = text(labelled.dataset.text);
  for (const hinted of document.querySelectorAll("[data-hint]")) hinted.placeholder = text(hinted.dataset.hint);
}

/** Returns a number with at most three decimals, in the notation of the current language. */
export function number(value) {
  return new Intl.NumberFormat(current, { maximumFractionDigits: 3 }).format(value);
}
