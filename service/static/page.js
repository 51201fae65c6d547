"use strict";

const ITALIAN = navigator.language.toLowerCase().startsWith("it");
const TEXTS = ITALIAN
  ? {
      docs: "Interfaccia", query: "Che cosa cerchi?", search: "Cerca", index: "Indice", mode: "Primo stadio",
      defaultMode: "predefinito", hybrid: "entrambi", vector: "per vettore", text: "per testo", k: "Risultati",
      rerank: "riordina", key: "Chiave", none: "Nessun risultato.", searching: "Ricerca in corso…",
      noIndex: "Non c'è ancora un indice: creane uno con rerank-cli ingest.", was: "era", same: "come prima",
      notReranked: "non riordinati", reranked: "riordinati", of: "di", hits: "risultati", dropped: "scartati",
      score: "punteggio", retrieval: "primo stadio", more: "mostra tutto", less: "mostra meno",
      disabled: "non richiesto", timeout: "tempo scaduto", overloaded: "troppe richieste",
      model_unavailable: "modello non disponibile", error: "errore del modello",
      encode: "codifica", retrieve: "ricerca", rank: "riordino",
    }
  : {
      docs: "API reference", query: "Search for…", search: "Search", index: "Index", mode: "First stage",
      defaultMode: "default", hybrid: "hybrid", vector: "vector", text: "text", k: "Hits", rerank: "rerank", key: "API key",
      none: "No hits.", searching: "Searching…", noIndex: "No index yet. Create one with rerank-cli ingest.",
      was: "was", same: "unchanged", notReranked: "not reranked", reranked: "reranked", of: "of",
      hits: "hits", dropped: "below the minimum score", score: "score", retrieval: "first stage", more: "show more",
      less: "show less", disabled: "disabled", timeout: "timeout", overloaded: "overloaded",
      model_unavailable: "model unavailable", error: "model error",
      encode: "encode", retrieve: "retrieve", rank: "rerank",
    };
const CONTEXT_CHARS = 160;

const at = (id) => document.getElementById(id);

function element(name, className, text) {
  const created = document.createElement(name);
  if (className) created.className = className;
  if (text !== undefined) created.textContent = text;
  return created;
}

function showStatus(text, isProblem) {
  at("status").textContent = text;
  at("status").classList.toggle("problem", Boolean(isProblem));
}

async function sendRequest(path, body) {
  const headers = at("key").value ? { "X-API-Key": at("key").value } : {};
  const options = { headers };
  if (body) {
    options.method = "POST";
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  if (response.status === 401) at("keyline").hidden = false;
  const content = await response.json();
  if (!response.ok) throw new Error(content.message);
  return content;
}

function passageText(hit) {
  const { start, end } = hit.passage;
  const characters = Array.from(hit.text); // Offsets count characters, but string indexes count UTF-16 units.
  const cut = (from, to) => characters.slice(Math.max(0, from), to).join("").replace(/\n\s*\n/g, "\n");
  const shown = element("p", "text");
  const isFullText = start === 0 && end >= characters.length;
  if (start > CONTEXT_CHARS) shown.append("…");
  shown.append(cut(start - CONTEXT_CHARS, start));
  shown.append(isFullText ? cut(start, end) : element("mark", "", cut(start, end)));
  shown.append(cut(end, end + CONTEXT_CHARS));
  if (end + CONTEXT_CHARS < characters.length) shown.append("…");
  return shown;
}

function expandButton(text) {
  const button = element("button", "more", TEXTS.more);
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const open = text.classList.toggle("open");
    button.textContent = open ? TEXTS.less : TEXTS.more;
    button.setAttribute("aria-expanded", String(open));
  });
  return button;
}

function collapseLongTexts() {
  for (const text of document.querySelectorAll(".text")) {
    if (text.scrollHeight > text.clientHeight + 1) text.after(expandButton(text));
  }
}

function rankBox(hit, applied) {
  const moved = hit.retrieval_rank - hit.rank;
  const box = element("div", "position");
  box.append(element("div", "rank", hit.rank));
  if (applied) {
    const sign = moved > 0 ? "▲" : "▼";
    const text = moved === 0 ? TEXTS.same : `${sign} ${TEXTS.was} ${hit.retrieval_rank}`;
    box.append(element("div", `was ${moved > 0 ? "up" : moved < 0 ? "down" : ""}`, text));
  }
  return box;
}

function item(hit, applied) {
  const line = element("li");
  const content = element("div", "hit");
  content.append(element("h2", "", hit.title || hit.doc_id), passageText(hit));
  const facts = [
    hit.doc_id,
    `${TEXTS.score} ${hit.score.toFixed(3)}`,
    `${TEXTS.retrieval} ${hit.retrieval_score.toFixed(3)}`,
  ];
  content.append(element("div", "facts", facts.join(" · ")));
  line.append(rankBox(hit, applied), content);
  return line;
}

function summary(result) {
  const parts = [`${result.hits.length} ${TEXTS.hits}`];
  const { applied, reason, scored, candidates, dropped } = result.rerank;
  const scoredCount = scored === candidates ? scored : `${scored} ${TEXTS.of} ${candidates}`;
  const outcome = applied ? `${scoredCount} ${TEXTS.reranked}` : TEXTS.notReranked;
  parts.push(reason ? `${outcome} (${TEXTS[reason]})` : outcome);
  if (dropped) parts.push(`${dropped} ${TEXTS.dropped}`);
  const { encode, retrieve, rerank, total } = result.took_ms;
  const stages = [[TEXTS.encode, encode], [TEXTS.retrieve, retrieve], [TEXTS.rank, rerank]];
  parts.push(`${Math.round(total)} ms (${stages.map(([name, ms]) => `${name} ${Math.round(ms)}`).join(", ")})`);
  return parts.join(" · ");
}

async function search(event) {
  event.preventDefault();
  const body = { index: at("index").value, query: at("query").value, k: Number(at("k").value), rerank: at("rerank").checked };
  if (at("mode").value) body.mode = at("mode").value;
  showStatus(TEXTS.searching);
  at("hits").replaceChildren();
  try {
    const result = await sendRequest("/search", body);
    at("hits").replaceChildren(...result.hits.map((hit) => item(hit, result.rerank.applied)));
    collapseLongTexts();
    showStatus(result.hits.length ? summary(result) : TEXTS.none);
    const parameters = new URLSearchParams({ q: body.query, index: body.index });
    history.replaceState(null, "", `?${parameters}`);
  } catch (problem) {
    showStatus(problem.message, true);
  }
}

async function listIndexes() {
  try {
    const { indexes } = await sendRequest("/indexes");
    const chosen = new URLSearchParams(location.search).get("index");
    at("index").replaceChildren(
      ...indexes.map((index) => {
        const option = element("option", "", `${index.name} (${index.documents})`);
        option.value = index.name;
        option.selected = index.name === chosen;
        return option;
      }),
    );
    if (!indexes.length) showStatus(TEXTS.noIndex);
    return indexes.length > 0;
  } catch (problem) {
    showStatus(problem.message, true);
    return false;
  }
}

async function start() {
  document.documentElement.lang = ITALIAN ? "it" : "en";
  for (const labelled of document.querySelectorAll("[data-text]")) labelled.textContent = TEXTS[labelled.dataset.text];
  for (const hinted of document.querySelectorAll("[data-hint]")) hinted.placeholder = TEXTS[hinted.dataset.hint];
  at("search").addEventListener("submit", search);
  at("key").addEventListener("change", listIndexes);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    at("query").select();
  });
  const ready = await listIndexes();
  const query = new URLSearchParams(location.search).get("q");
  if (ready && query) {
    at("query").value = query;
    at("search").requestSubmit();
  }
}

start();
