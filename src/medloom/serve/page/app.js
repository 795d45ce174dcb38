// The page: what the address asks is fetched and shown; what the user does changes the address.

import { ask } from "./api.js";
import { show as showDocument } from "./document.js";
import { $, el, number } from "./dom.js";
import * as filters from "./filters.js";
import { show as showMap } from "./map.js";
import { failed, list, nothing } from "./results.js";
import { go, read } from "./state.js";

const MODES = { fused: "By meaning and words", dense: "By meaning", lexical: "By words" };
const KEYS = "medloom-keys";
let indexes = [];
let known = { index: null, facets: null };
let shown = "";
let asked = new AbortController();

async function start() {
  try {
    ({ indexes } = await ask("/v1/indexes"));
  } catch (trouble) {
    $("results").replaceChildren(failed(trouble, start));
    return;
  }
  $("side-a").replaceChildren(...choices(""));
  $("side-b").replaceChildren(el("strong", {}, "against"), ...choices("2"));
  await render();
}

/** The choices of a side: index, mode, re-ranking; a choice of one is left out. */
function choices(side) {
  const change = (name) => (event) => go({ [name + side]: event.target.value, like: side ? read().like : "" });
  const field = (name, text, options) => el("label", {}, text,
    el("select", { id: name + side, onchange: change(name) }, options.map(([value, label]) => el("option", { value }, label))));
  const rerank = [...new Set(indexes.flatMap((one) => one.rerank))].map((name) => [name === "none" ? "" : name, name === "late" ? "late interaction" : name === "none" ? "no" : name]);
  return [
    indexes.length > 1 && field("index", "Index", indexes.map((one, at) => [at || side ? one.name : "", `${one.name} (${one.model})`])),
    field("mode", "How", Object.entries(MODES).map(([value, label]) => [value === "fused" ? "" : value, label])),
    rerank.length > 1 && field("rerank", "Re-rank", rerank),
  ].filter(Boolean);
}

async function render() {
  const state = read();
  sync(state);
  showDocument(state);
  const facets = await facetsOf(state.index);
  if (state.view === "map") {
    if (facets) await showMap(state, ["source", ...Object.keys(facets.facets).filter((name) => name !== "source").sort()]);
    return;
  }
  const wanted = JSON.stringify({ ...state, source: "", doc: "", view: "", by: "" });
  if (wanted === shown) return;
  shown = wanted;
  await results(state);
}

function sync(state) {
  const map = state.view === "map";
  $("search-view").hidden = map;
  $("form").hidden = map;
  $("map-view").hidden = !map;
  for (const [id, here] of [["to-search", !map], ["to-map", map]]) {
    if (here) $(id).setAttribute("aria-current", "page");
    else $(id).removeAttribute("aria-current");
  }
  if (document.activeElement !== $("q") || state.q) $("q").value = state.q;
  for (const id of ["index", "mode", "rerank", "index2", "mode2", "rerank2"]) if ($(id)) $(id).value = state[id];
  if ($("index2") && !state.index2) $("index2").value = indexes[0].name;
  for (const id of ["abbreviations", "lay"]) $(id).checked = state.expand.includes(id);
  $("compare").checked = state.compare;
  $("side-b").hidden = !state.compare;
  filters.sync();
  document.title = state.q && !map ? `${state.q} – medloom` : map ? "Map – medloom" : "medloom search";
}

async function facetsOf(index) {
  if (known.index === index && known.facets) return known.facets;
  try {
    const facets = await ask(`/v1/facets${index ? `?index=${encodeURIComponent(index)}` : ""}`);
    known = { index, facets };
    filters.draw(facets);
  } catch (trouble) {
    $("facets").replaceChildren(el("p", { className: "soft" }, "Filters cannot be shown: ", trouble.message));
    if (read().view === "map") $("map-status").replaceChildren(failed(trouble, render));
  }
  return known.facets;
}

async function results(state) {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  if (!state.q && !state.like) {
    const n = indexes.reduce((sum, one) => sum + one.chunks, 0);
    $("results").replaceChildren();
    tell(`${number(n)} passages can be searched. Ask in your own words: a question, a finding, a line of a note.`);
    return;
  }
  tell("Searching …", true);
  try {
    if (state.like) await likes(state, signal);
    else await searches(state, signal);
  } catch (trouble) {
    if (trouble.name === "AbortError") return;
    shown = "";
    tell("");
    $("results").replaceChildren(failed(trouble, render));
  }
}

function tell(text, busy = false) {
  $("status").classList.toggle("busy", busy);
  $("status").textContent = text;
}

async function likes(state, signal) {
  const given = new URLSearchParams([["k", state.k || 10], ...state.filter.map((one) => ["filter", one])]);
  if (state.index) given.set("index", state.index);
  const answer = await ask(`/v1/more-like/${encodeURIComponent(state.like)}?${given}`, { signal });
  const back = el("button", { type: "button", onclick: () => go({ like: "" }) }, state.q ? "Back to the search" : "Back");
  $("results").replaceChildren(el("p", {}, back), answer.results.length ? list(answer, "Documents like it") : nothing(answer, state.filter, true));
  tell(`${count(answer)} most like the passage you chose.`);
}

async function searches(state, signal) {
  const one = (side) => ask("/v1/search", { signal, body: {
    query: state.q, k: Number(state.k) || 10, explain: true, filter: state.filter, expand: state.expand,
    mode: state[`mode${side}`] || "fused", rerank: state[`rerank${side}`] || "none",
    ...(state[`index${side}`] && { index: state[`index${side}`] }),
  } });
  if (!state.compare) {
    const answer = await one("");
    $("results").replaceChildren(...added(answer), answer.results.length ? list(answer, "Results") : nothing(answer, state.filter));
    tell(`${count(answer)} in ${answer.seconds.toFixed(2)} s.`);
    return;
  }
  const answers = await Promise.all([one(""), one("2")]);
  const side = (answer, at) => el("div", {}, el("h2", { className: "which" }, named(state, at ? "2" : "")),
    el("p", { className: "soft" }, `${count(answer)} in ${answer.seconds.toFixed(2)} s.`), ...added(answer),
    answer.results.length ? list(answer, named(state, at ? "2" : ""), answers[1 - at]) : nothing(answer, state.filter));
  $("results").replaceChildren(el("div", { className: "sides" }, answers.map(side)));
  const keys = answers.map((answer) => new Set(answer.results.map((r) => `${r.source}\n${r.document}`)));
  tell(`${[...keys[0]].filter((key) => keys[1].has(key)).length} documents are on both sides.`);
}

const count = ({ results }) => (results.length === 1 ? "1 result" : `${number(results.length)} results`);

function named(state, side) {
  const index = state[`index${side}`] || indexes[0].name;
  const rerank = state[`rerank${side}`];
  return [indexes.length > 1 && index, MODES[state[`mode${side}`] || "fused"], rerank && `re-ranked: ${rerank}`].filter(Boolean).join(" · ");
}

const added = ({ expanded }) => (expanded.length
  ? [el("p", { className: "added" }, "Added to the search: ", expanded.map((one) => `${one.added.join(", ")} for ${one.term} (${one.from})`).join("; "))] : []);

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  shown = "";
  go({ q: $("q").value.trim(), like: "", source: "", doc: "" });
});
for (const id of ["abbreviations", "lay"]) {
  $(id).addEventListener("change", () => go({ expand: ["abbreviations", "lay"].filter((name) => $(name).checked) }));
}
$("compare").addEventListener("change", (event) => {
  const { mode, mode2, index2 } = read();
  const differs = mode2 || index2 || indexes.length > 1 ? {} : { mode2: mode === "lexical" ? "dense" : "lexical" };
  const second = indexes.length > 1 && !index2 ? { index2: indexes[1].name } : {};
  go({ compare: event.target.checked, like: "", ...(event.target.checked ? { ...differs, ...second } : {}) });
});
for (const [id, view] of [["to-search", ""], ["to-map", "map"]]) {
  $(id).addEventListener("click", (event) => { event.preventDefault(); go({ view }); });
}
$("to-help").addEventListener("click", () => $("help").showModal());
$("keys").checked = localStorage.getItem(KEYS) !== "off";
$("keys").addEventListener("change", () => localStorage.setItem(KEYS, $("keys").checked ? "on" : "off"));

const titles = () => [...document.querySelectorAll(".results h2 a")];

function along(by) {
  const all = titles();
  const at = all.indexOf(document.activeElement?.closest("article")?.querySelector("h2 a"));
  const next = at < 0 ? (by > 0 ? 0 : -1) : at + by;
  if (next < 0) $("q").focus();
  else all[next]?.focus();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const field = event.target.closest("input, select, textarea, canvas, summary");
  if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (!field || field === $("q")) && titles().length) {
    along(event.key === "ArrowDown" ? 1 : -1);
  } else if (field || !$("keys").checked) {
    return;
  } else if (event.key === "/" && !$("form").hidden) {
    $("q").focus();
    $("q").select();
  } else if (event.key === "?") {
    $("help").showModal();
  } else if (event.key === "m") {
    event.target.closest("article")?.querySelector(".like")?.click();
  } else {
    return;
  }
  event.preventDefault();
});
addEventListener("popstate", render);
addEventListener("moved", render);
$("filters").open = matchMedia("(min-width: 46.01rem)").matches;
start();
