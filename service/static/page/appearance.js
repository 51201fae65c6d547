/** The colors of the page: those of the system, light, or dark. */

const STORED = "rerank-theme";

/** Applies the reader's choice, or a new one, which this browser remembers: `auto`, `light` or `dark`. */
export function useTheme(name = localStorage.getItem(STORED) ?? "auto") {
  localStorage.setItem(STORED, name);
  document.documentElement.dataset.theme = name;
  return name;
}
