/** Requests to the service, with the reader's API key, and their errors. */

const STORED = "rerank-key";

/** A response other than 2xx, or none (`status` 0). `retryAfter` is in seconds, or null. */
export class RequestError extends Error {
  constructor(message, status, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Keeps the API key until the tab is closed. */
export function useKey(key) {
  sessionStorage.setItem(STORED, key);
}

/** Returns the API key, or an empty string. */
export function apiKey() {
  return sessionStorage.getItem(STORED) ?? "";
}

/** Sends GET, or POST if there is a body. Returns the JSON of the response. Throws RequestError, or AbortError. */
export async function send(path, { body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (apiKey()) headers["X-API-Key"] = apiKey();
  if (body) headers["Content-Type"] = "application/json";
  const options = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal };
  let response;
  try {
    response = await fetch(addressOf(path), options);
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new RequestError(problem.message, 0);
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content !== null) return content;
  throw new RequestError(messageOf(content, response), response.status, Number(response.headers.get("Retry-After")) || null);
}

/** Returns the URL of a path of the service, which a path prefix can precede. */
export function addressOf(path) {
  return new URL(path.slice(1), document.baseURI).href;
}

function messageOf(content, response) {
  const error = content?.message ?? content?.error;
  if (typeof error === "string") return error;
  return error?.root_cause?.[0]?.reason ?? error?.reason ?? `${response.status} ${response.statusText}`;
}
