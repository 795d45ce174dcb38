// A document, as far as the index holds it.

import { ask } from "./api.js";
import { $, el, webLink } from "./dom.js";
import { failed } from "./results.js";
import { go } from "./state.js";

let shown = "";

/** Open the document that the address names, or close what is open. */
export async function show({ source, doc, index }) {
  const dialog = $("document");
  const wanted = doc ? JSON.stringify([source, doc, index]) : "";
  if (wanted === shown) return;
  shown = wanted;
  if (!wanted) {
    dialog.close();
    return;
  }
  dialog.replaceChildren(el("h2", { id: "document-title" }, "Loading …"));
  if (!dialog.open) dialog.showModal();
  const query = index ? `?index=${encodeURIComponent(index)}` : "";
  try {
    const found = await ask(`/v1/document/${encodeURIComponent(source)}/${encodeURIComponent(doc)}${query}`);
    if (shown === wanted) dialog.replaceChildren(...content(found));
  } catch (trouble) {
    const again = () => { shown = ""; show({ source, doc, index }); };
    dialog.replaceChildren(el("h2", { id: "document-title" }, doc), failed(trouble, again), closing());
  }
}

const closing = () => el("form", { method: "dialog" }, el("button", {}, "Close"));

function content(found) {
  const facts = Object.entries(found.facts).filter(([name]) => name !== "url" && name !== "date");
  return [
    el("h2", { id: "document-title", tabIndex: -1 }, found.title || found.document),
    el("p", { className: "meta" }, [found.source, found.document, found.date].filter(Boolean).map((text) => el("span", {}, text)),
      found.url && webLink(found.url, "Original")),
    ...found.sections.map((one) => el("section", {}, one.heading && el("h3", {}, one.heading), el("p", { className: "text" }, one.text))),
    facts.length && el("details", {}, el("summary", {}, "Facts"),
      el("dl", {}, facts.map(([name, values]) => el("div", {}, el("dt", {}, name), el("dd", {}, values.join(", ")))))),
    closing(),
  ].filter(Boolean);
}

$("document").addEventListener("close", () => {
  if (!shown) return;
  shown = "";
  go({ source: "", doc: "" });
});
