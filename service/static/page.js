"use strict";

const ITALIAN = navigator.language.toLowerCase().startsWith("it");
const TEXTS = ITALIAN
  ? {
      docs: "Interfaccia", query: "Che cosa cerchi?", search: "Cerca", index: "Indice", mode: "Primo stadio",
      usual: "predefinito", hybrid: "entrambi", vector: "per vettore", text: "per testo", k: "Risultati",
      rerank: "riordina", key: "Chiave", none: "Nessun risultato.", searching: "Ricerca in corso…",
      noIndex: "Non c'è ancora un indice: creane uno con rerank-cli ingest.", was: "era", same: "come prima",
      notReranked: "non riordinati", reranked: "candidati riordinati", hits: "risultati", dropped: "scartati",
      score: "punteggio", retrieval: "primo stadio",
    }
  : {
      docs: "Interface", query: "What are you looking for?", search: "Search", index: "Index", mode: "First stage",
      usual: "as set", hybrid: "both", vector: "by vector", text: "by text", k: "Hits", rerank: "re-rank", key: "Key",
      none: "Nothing found.", searching: "Searching…", noIndex: "There is no index yet: make one with rerank-cli ingest.",
      was: "was", same: "as before", notReranked: "not re-ranked", reranked: "candidates re-ranked", hits: "hits",
      dropped: "dropped", score: "score", retrieval: "first stage",
    };
const CONTEXT_CHARS = 240;

const at = (id) => document.getElementById(id);

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function say(text, isProblem) {
  at("status").textContent = text;
  at("status").classList.toggle("problem", Boolean(isProblem));
}

async function ask(path, body) {
  const headers = at("key").value ? { "X-API-Key": at("key").value } : {};
  const options = { headers };
  if (body) {
    options.method = "POST";
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  if (response.status === 401) at("keyline").hidden = false;
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

function passageText(hit) {
  const { start, end } = hit.passage;
  const shown = element("p");
  const before = hit.text.slice(Math.max(0, start - CONTEXT_CHARS), start);
  const after = hit.text.slice(end, end + CONTEXT_CHARS);
  const whole = start === 0 && end >= hit.text.length;
  if (start > CONTEXT_CHARS) shown.append("…");
  shown.append(before, whole ? hit.passage.text : element("mark", "", hit.passage.text), after);
  if (end + CONTEXT_CHARS < hit.text.length) shown.append("…");
  return shown;
}

function place(hit, applied) {
  const moved = hit.retrieval_rank - hit.rank;
  const box = element("div", "place");
  box.append(element("div", "rank", hit.rank));
  if (applied) {
    const sign = moved > 0 ? "▲" : moved < 0 ? "▼" : "";
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
  line.append(place(hit, applied), content);
  return line;
}

function summary(answer) {
  const parts = [`${answer.hits.length} ${TEXTS.hits}`];
  const { applied, reason, scored, dropped } = answer.rerank;
  parts.push(applied ? `${scored} ${TEXTS.reranked}` : TEXTS.notReranked);
  if (reason) parts[parts.length - 1] += ` (${reason})`;
  if (dropped) parts.push(`${dropped} ${TEXTS.dropped}`);
  parts.push(`${Math.round(answer.took_ms.total)} ms`);
  return parts.join(" · ");
}

async function search(event) {
  event.preventDefault();
  const body = { index: at("index").value, query: at("query").value, k: Number(at("k").value), rerank: at("rerank").checked };
  if (at("mode").value) body.mode = at("mode").value;
  say(TEXTS.searching);
  at("hits").replaceChildren();
  try {
    const answer = await ask("/search", body);
    at("hits").replaceChildren(...answer.hits.map((hit) => item(hit, answer.rerank.applied)));
    say(answer.hits.length ? summary(answer) : TEXTS.none);
    const address = new URLSearchParams({ q: body.query, index: body.index });
    history.replaceState(null, "", `?${address}`);
  } catch (problem) {
    say(problem.message, true);
  }
}

async function listIndexes() {
  try {
    const { indexes } = await ask("/indexes");
    const chosen = new URLSearchParams(location.search).get("index");
    at("index").replaceChildren(
      ...indexes.map((index) => {
        const option = element("option", "", `${index.name} (${index.documents})`);
        option.value = index.name;
        option.selected = index.name === chosen;
        return option;
      }),
    );
    if (!indexes.length) say(TEXTS.noIndex);
    return indexes.length > 0;
  } catch (problem) {
    say(problem.message, true);
    return false;
  }
}

async function start() {
  document.documentElement.lang = ITALIAN ? "it" : "en";
  for (const labelled of document.querySelectorAll("[data-text]")) labelled.textContent = TEXTS[labelled.dataset.text];
  for (const hinted of document.querySelectorAll("[data-hint]")) hinted.placeholder = TEXTS[hinted.dataset.hint];
  at("search").addEventListener("submit", search);
  at("key").addEventListener("change", listIndexes);
  const ready = await listIndexes();
  const asked = new URLSearchParams(location.search).get("q");
  if (ready && asked) {
    at("query").value = asked;
    at("search").requestSubmit();
  }
}

start();
