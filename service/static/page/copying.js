/** Copying of a text to the clipboard, or its display where the browser has no clipboard. */

import { byId } from "./elements.js";
import { text } from "./texts.js";

/** Copies `content`. Without a clipboard (a page over plain HTTP), shows it in a dialog, selected. */
export async function copy(content) {
  try {
    await navigator.clipboard.writeText(content);
    byId("copy-status").textContent = text("copied");
  } catch {
    byId("copy-text").value = content;
    byId("copy-dialog").showModal();
    byId("copy-text").select();
  }
}
