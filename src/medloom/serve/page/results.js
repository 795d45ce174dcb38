// Results as a list: the evidence marked, where they are from, and how their scores came about.

import { el, units, webLink } from "./dom.js";
import { addressOf, go, read } from "./state.js";

const LONG = 520;
const AROUND = 190;
const WAYS = { dense: "By meaning", lexical: "By words", fused: "Both together", rerank: "Re-ranked" };

/** The list of an answer. `other` is the answer that it is compared with, if it is. */
export function list(answer, name, other) {
  const places = other && new Map(other.results.map((one) => [keyOf(one), one.rank]));
  return el("ol", { className: "results", "aria-label": name }, answer.results.map((one) => item(one, places)));
}

const keyOf = (one) => `${one.source}\n${one.document}`;

function item(one, places) {
  const open = { source: one.source, doc: one.document };
  const title = el("a", { href: addressOf({ ...read(), ...open }), "data-chunk": one.chunk, onclick: (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(open);
  } }, one.title || one.heading || one.document);
  const like = () => { go({ like: one.chunk, source: "", doc: "" }); };
  const whole = one.url && webLink(one.url, "Original");
  return el("li", {}, el("article", {},
    el("h2", {}, title),
    el("p", { className: "meta" }, meta(one, places)),
    passage(one),
    el("p", { className: "actions" },
      el("button", { type: "button", className: "like", onclick: like }, "More like this"), whole,
      one.further > 0 && el("span", { className: "soft" }, `${one.further} more ${one.further > 1 ? "passages" : "passage"} of it`)),
    scores(one)));
}

function meta(one, places) {
  const parts = [one.source, one.date, one.title && one.heading].filter(Boolean).map((text) => el("span", {}, text));
  if (places) {
    const place = places.get(keyOf(one));
    parts.push(el("span", { className: place === undefined ? "only" : "both" },
      place === undefined ? "only on this side" : place === one.rank ? "same place on the other side" : `${place}. on the other side`));
  }
  return parts;
}

function passage(one) {
  const text = el("p", { className: "text" });
  const [from, to] = one.evidence ? units(one.text, one.evidence.start, one.evidence.end) : [0, 0];
  const draw = (first, last) => text.replaceChildren(
    first > 0 ? "… " : "", one.text.slice(first, from),
    to > from ? el("mark", {}, one.text.slice(from, to)) : "", one.text.slice(to, last), last < one.text.length ? " …" : "");
  if (one.text.length <= LONG) {
    draw(0, one.text.length);
    return text;
  }
  const first = from <= AROUND ? 0 : wordStart(one.text, from - AROUND);
  draw(first, Math.max(to, wordStart(one.text, Math.max(to + AROUND, first + LONG))));
  const more = el("button", { type: "button", className: "whole", onclick: () => { draw(0, one.text.length); more.remove(); } }, "Show the whole passage");
  return [text, more];
}

function wordStart(text, place) {
  const space = text.indexOf(" ", place);
  return space < 0 || space > place + 30 ? place : space + 1;
}

function scores(one) {
  const parts = Object.entries(one.parts);
  if (!parts.length) return null;
  const row = ([way, { rank, score }]) => el("tr", {}, el("th", { scope: "row" }, WAYS[way] ?? way),
    el("td", {}, `${rank}.`), el("td", {}, score.toFixed(4)));
  return el("details", { className: "scores" }, el("summary", {}, "Score ", one.score.toFixed(3)),
    el("table", {}, el("thead", {}, el("tr", {}, ["Way of searching", "Place", "Score"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, parts.map(row))));
}

/** What to do where nothing was found. */
export function nothing({ total }, filter, like) {
  const advice = [];
  if (filter.length && total === 0) advice.push("No document meets the filters: take one away.");
  else if (filter.length) advice.push("Take a filter away.");
  if (!like) advice.push("Search by meaning, or by both: words alone find only what holds them.", "Use fewer or other words.");
  return el("div", { className: "box" }, el("h2", {}, "Nothing was found"), el("ul", {}, advice.map((text) => el("li", {}, text))));
}

/** An error, and what to do. */
export function failed(trouble, again) {
  return el("div", { className: "box bad", role: "alert" }, el("h2", {}, "The search did not work"),
    el("p", {}, trouble.message), el("p", {}, trouble.advice ?? "Load the page again."),
    el("button", { type: "button", onclick: again }, "Try again"));
}
