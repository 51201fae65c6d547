/** The reasons for the rank of a hit: features with weights, tokens, ranks of the first stage, and source fields. */

import { element } from "./elements.js";
import { number, text } from "./texts.js";

/** Returns the elements that explain `hit`. */
export function explanation(hit) {
  const reasons = hit.explain ? [fusionTable(hit.explain.fusion), facts(hit)] : [element("p", {}, text("noExplanation")), facts(hit)];
  return [...reasons.filter(Boolean), sourceFields(hit)];
}

function fusionTable(fusion) {
  if (!fusion) return null;
  const header = element("tr", {}, ...["feature", "value", "weight", "contribution"].map((key) => element("th", { scope: "col" }, text(key))));
  const rows = fusion.parts.map((part) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, part.feature.replaceAll("_", " ")),
      ...[part.value, part.weight, part.contribution].map((value) => element("td", {}, number(value))),
    ),
  );
  const sum = element(
    "tr",
    { class: "sum" },
    element("th", { scope: "row", colspan: "3" }, text("sum")),
    element("td", {}, number(fusion.fused)),
  );
  return element("table", { class: "features" }, element("caption", {}, text("whyTitle")), element("thead", {}, header), element("tbody", {}, ...rows, sum));
}

function facts(hit) {
  const explain = hit.explain ?? {};
  const lines = [
    ["ID", identifier(hit)],
    [text("firstScore"), number(hit.firstScore)],
    [text("logit"), optionalNumber(explain.logit)],
    [text("estimatedLogit"), optionalNumber(explain.estimated_logit)],
    [text("tokens"), tokens(explain)],
    [text("vectorRank"), optionalNumber(explain.vector_rank)],
    [text("textRank"), optionalNumber(explain.text_rank)],
  ].filter(([, value]) => value !== null);
  return definitions(lines);
}

function optionalNumber(value) {
  return value === null || value === undefined ? null : number(value);
}

function tokens({ tokens: count, truncated }) {
  if (count === undefined) return null;
  if (count === null) return text("notScored");
  return truncated ? text("tokensCut", { count: number(count) }) : number(count);
}

/** Returns the id of a hit, as a link if the hit has a web address. */
function identifier(hit) {
  const address = ["url", "link", "uri", "href"].map((name) => hit.fields[name]).find(isWebAddress);
  return address ? element("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, hit.id) : hit.id;
}

function isWebAddress(value) {
  return typeof value === "string" && /^https?:\/\//.test(value);
}

function sourceFields(hit) {
  const lines = Object.entries(hit.fields).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  if (!lines.length) return "";
  return element("details", { class: "source" }, element("summary", {}, text("source")), definitions(lines));
}

function definitions(lines) {
  return element("dl", {}, ...lines.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}
