/** Example queries of the demo's index. */

const EXAMPLES = {
  demo: ["come estrarre un archivio", "list open ports", "ridimensionare una immagine", "copy files over ssh"],
};

/** Returns the example queries of an index, or none. */
export function examplesOf(index) {
  return EXAMPLES[index] ?? [];
}
