/** The search page: starts both views. */

import { useTheme } from "./appearance.js";
import { CompareView } from "./compare_view.js";
import { showIndexes, showModels } from "./controls.js";
import { byId } from "./elements.js";
import { listIndexes } from "./indexes.js";
import { listenForKeys } from "./keyboard.js";
import { send, useKey } from "./requests.js";
import { SearchView } from "./search_view.js";
import { showError, showNoIndexes } from "./status.js";
import { language, translatePage, useLanguage } from "./texts.js";

const searchView = new SearchView(() => (byId("key-form").hidden = false));
const compareView = new CompareView(searchView);

async function load() {
  try {
    searchView.indexes = await listIndexes();
    byId("key-form").hidden = true;
    showIndexes(searchView.indexes);
    const { models } = await send("/models");
    showModels(models.filter((model) => model.kind === "reranker").map((model) => model.name));
    if (searchView.indexes.length) await searchView.restore(byId("query").value.trim());
    else showNoIndexes();
  } catch (problem) {
    if (problem.status === 401) byId("key-form").hidden = false;
    showError(problem, load);
  }
}

function showView(name) {
  for (const view of ["search", "compare"]) {
    byId(`${view}-view`).hidden = view !== name;
    byId(`${view}-tab`).setAttribute("aria-pressed", String(view === name));
  }
  if (name === "compare") compareView.show();
}

translatePage();
byId("language").value = language();
byId("theme").value = useTheme();
byId("language").addEventListener("change", async () => {
  useLanguage(byId("language").value);
  showIndexes(searchView.indexes);
  await load();
});
byId("theme").addEventListener("change", () => useTheme(byId("theme").value));
for (const view of ["search", "compare"]) byId(`${view}-tab`).addEventListener("click", () => showView(view));
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("key").value);
  load();
});
listenForKeys();
load();
