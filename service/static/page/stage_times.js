/** The duration of each stage as one bar. */

import { element } from "./elements.js";
import { number, text } from "./texts.js";

const STAGES = [["encode", "stageEncode"], ["retrieve", "stageRetrieve"], ["rerank", "stageRerank"]];

/** Returns a figure with a segment for each stage. `took`: milliseconds by stage. */
export function stageTimes(took) {
  const bar = element("div", { class: "stage-bar", "aria-hidden": "true" });
  const labels = element("ul", { class: "stage-labels" });
  for (const [stage, key] of STAGES) {
    const milliseconds = Math.round(took[stage]);
    if (!milliseconds) continue;
    const segment = element("span", { class: `stage ${stage}` });
    segment.style.setProperty("--part", String(Math.max(took[stage], took.total / 100)));
    bar.append(segment);
    labels.append(element("li", { class: stage }, `${text(key)} ${text("milliseconds", { count: number(milliseconds) })}`));
  }
  return element("div", { class: "stages", role: "group", "aria-label": text("stages") }, bar, labels);
}
