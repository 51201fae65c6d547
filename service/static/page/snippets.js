/** The current search as a curl command and as a Python program. */

import { addressOf, apiKey } from "./requests.js";

/** Returns a curl command for a POSIX shell. The API key appears as the variable RERANK_API_KEY. */
export function asCurl({ path, body }) {
  const lines = [`curl -X POST ${quoted(addressOf(path))}`, "-H 'Content-Type: application/json'"];
  if (apiKey()) lines.push('-H "X-API-Key: $RERANK_API_KEY"');
  lines.push(`-d ${quoted(JSON.stringify(body, null, 2))}`);
  return lines.join(" \\\n  ");
}

/** Returns a program that needs only Python's standard library. */
export function asPython({ path, body }) {
  const headers = apiKey()
    ? '{"Content-Type": "application/json", "X-API-Key": os.environ["RERANK_API_KEY"]}'
    : '{"Content-Type": "application/json"}';
  return [
    "import json",
    ...(apiKey() ? ["import os"] : []),
    "import urllib.request",
    "",
    `body = ${pythonLiteral(body, 0)}`,
    "request = urllib.request.Request(",
    `    ${JSON.stringify(addressOf(path))},`,
    "    data=json.dumps(body).encode(),",
    `    headers=${headers},`,
    ")",
    "with urllib.request.urlopen(request) as response:",
    "    result = json.load(response)",
    "print(json.dumps(result, indent=2, ensure_ascii=False))",
    "",
  ].join("\n");
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function pythonLiteral(value, depth) {
  const inner = "    ".repeat(depth + 1);
  const outer = "    ".repeat(depth);
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item) => inner + pythonLiteral(item, depth + 1))
    : Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${pythonLiteral(item, depth + 1)}`);
  const [open, close] = isList ? "[]" : "{}";
  return items.length ? `${open}\n${items.join(",\n")},\n${outer}${close}` : open + close;
}
