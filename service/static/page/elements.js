/** Creation of page elements. Text from outside is only ever inserted as text, never as markup. */

/**
 * Returns a new element. Keys of `properties`: `class`, `text`, `data` (an object), `on` (listeners by event); every
 * other key is an attribute. An attribute that is false, null or undefined is left out.
 */
export function element(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** Returns a new SVG element, with the same properties as `element`. */
export function drawing(name, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), properties, children);
}

/** Returns the element of the page with the given id. */
export function byId(id) {
  return document.getElementById(id);
}

function fill(created, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") created.setAttribute("class", value);
    else if (key === "text") created.textContent = value;
    else if (key === "data") Object.assign(created.dataset, value);
    else if (key === "on") for (const [event, listener] of Object.entries(value)) created.addEventListener(event, listener);
    else created.setAttribute(key, value === true ? "" : value);
  }
  created.append(...children.filter((child) => child !== null && child !== undefined));
  return created;
}
