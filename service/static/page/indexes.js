/** The indexes that the page can search, and their fields. */

import { send } from "./requests.js";

/** Mapping types of OpenSearch and Elasticsearch, as the field types of filters.js. */
const FILTER_TYPES = {
  keyword: "string", constant_keyword: "string", ip: "string", version: "string", boolean: "boolean", date: "date",
  date_nanos: "date", long: "number", integer: "number", short: "number", byte: "number", double: "number",
  float: "number", half_float: "number", scaled_float: "number", unsigned_long: "number",
};
const TEXT_TYPES = new Set(["text", "match_only_text", "search_as_you_type", "annotated_text"]);

/**
 * Returns the indexes of the service, and those of the cluster behind the proxy, as objects with `name`, `documents` and
 * `cluster`. Without a cluster, or without permission to list it, the second kind is missing.
 */
export async function listIndexes() {
  const { indexes } = await send("/indexes");
  const own = indexes.map((index) => ({ name: index.name, documents: index.documents, cluster: false, fields: index.fields ?? {} }));
  return [...own, ...(await clusterIndexes(new Set(own.map((index) => index.name))))];
}

async function clusterIndexes(ownNames) {
  try {
    const listed = await send("/_cat/indices?format=json&h=index,docs.count&expand_wildcards=open");
    const aliased = await send("/_cat/aliases?format=json&h=alias,index");
    const ownTables = new Set(aliased.filter(({ alias }) => ownNames.has(alias)).map(({ index }) => index));
    return listed
      .filter(({ index }) => !index.startsWith(".") && !ownTables.has(index) && !ownNames.has(index))
      .map((entry) => ({ name: entry.index, documents: Number(entry["docs.count"]), cluster: true }))
      .sort((a, b) => a.name.localeCompare(b.name));
  } catch (problem) {
    if (problem.status === 0 || problem.status === 401) throw problem;
    return []; // The store is embedded, or the reader's credentials do not permit the list.
  }
}

/** Returns the fields of an index: `text` (names) and `filters` (type of filters.js by name). */
export async function fieldsOf(index) {
  if (!index.cluster) return { text: [], filters: index.fields };
  const mappings = await send(`/${encodeURIComponent(index.name)}/_mapping`);
  const fields = { text: [], filters: {} };
  for (const { mappings: mapping } of Object.values(mappings)) collect(mapping.properties ?? {}, "", fields);
  return fields;
}

function collect(properties, prefix, fields) {
  for (const [name, property] of Object.entries(properties)) {
    const path = prefix + name;
    if (property.type === "nested") continue; // A nested field needs a query of its own.
    if (property.properties) collect(property.properties, `${path}.`, fields);
    else if (TEXT_TYPES.has(property.type)) fields.text.push(path);
    else if (FILTER_TYPES[property.type]) fields.filters[path] = FILTER_TYPES[property.type];
    if (TEXT_TYPES.has(property.type) && property.fields?.keyword) fields.filters[`${path}.keyword`] = "string";
  }
}
