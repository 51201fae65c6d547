/** Keys: `/` selects the query, arrows move among hits, Enter opens the reasons, Esc returns to the query. */

import { byId } from "./elements.js";
import { moveFocus, toggleWhy } from "./rankings.js";

/** Listens for keys on the whole page. */
export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("search-view").hidden) return;
    const action = actionOf(event);
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function actionOf({ key, target }) {
  const isQuery = target === byId("query");
  const isHit = target.classList.contains("hit");
  if (key === "ArrowDown" && (isQuery || isHit)) return () => moveFocus(1);
  if (key === "ArrowUp" && isHit) return () => moveFocus(-1);
  if (key === "Enter" && isHit) return toggleWhy;
  if (key === "Escape" && !isQuery && !document.querySelector("dialog[open]")) return () => byId("query").focus();
  if (key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return () => byId("query").select();
  return null;
}
