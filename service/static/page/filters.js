/** Filters: the conditions that a field's type offers, and the filter clause that they become. */

const OPERATORS = {
  string: ["is", "startsWith", "exists"],
  number: ["is", "minimum", "maximum", "exists"],
  date: ["minimum", "maximum", "exists"],
  boolean: ["is", "exists"],
};

/** Returns the conditions for a field of the given type, as keys of texts.js. */
export function operatorsOf(type) {
  return OPERATORS[type] ?? OPERATORS.string;
}

/** Returns the filter clause of one condition. `name` is the field's name in the store. */
export function clauseOf(name, type, operator, value) {
  const typed = type === "number" ? Number(value) : type === "boolean" ? value === "true" : value;
  switch (operator) {
    case "startsWith":
      return { prefix: { [name]: typed } };
    case "minimum":
      return { range: { [name]: { gte: typed } } };
    case "maximum":
      return { range: { [name]: { lte: typed } } };
    case "exists":
      return { exists: { field: name } };
    default:
      return { term: { [name]: typed } };
  }
}

/** Returns the conditions that are complete: with a field of the index, and with a value unless none is needed. */
export function completeFilters(filters, types) {
  return filters.filter(({ field, operator, value }) => {
    if (!(field in types) || !operatorsOf(types[field]).includes(operator)) return false;
    return operator === "exists" || (value !== "" && !(types[field] === "number" && Number.isNaN(Number(value))));
  });
}
