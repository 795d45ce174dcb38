// Facets as boxes to tick, dates from and to, and what is on as chips.

import { $, el, number } from "./dom.js";
import { go, read } from "./state.js";

const CONDITION = /^([^=!<>]+)(!=|<=|>=|=|<|>)([\s\S]+)$/;
const LEFT_OUT = new Set(["url", "date"]);
const OPEN = 3;

const parse = (written) => {
  const [, name, operator, values] = CONDITION.exec(written) ?? [null, written, "", ""];
  return { name: name.trim(), operator, values: values.split("|") };
};
const spoken = (name) => name.replaceAll("_", " ");

/** Draw the facets of an index. */
export function draw({ facets, names }) {
  const shown = Object.entries(facets)
    .filter(([name]) => !LEFT_OUT.has(name) && !/[=!<>]/.test(name))
    .map(([name, values]) => [name, values.filter(({ value }) => !value.includes("|"))])
    .filter(([, values]) => values.length > 1)
    .sort(([a], [b]) => (b === "source") - (a === "source") || a.localeCompare(b));
  const dates = names.includes("date") ? [dateFields()] : [];
  const boxes = shown.map(([name, values], at) => facet(name, values, at < OPEN));
  const none = el("p", { className: "soft" }, "The documents have no facts that few values tell apart.");
  $("facets").replaceChildren(...dates, ...(dates.length + boxes.length ? boxes : [none]));
  sync();
}

function facet(name, values, open) {
  const boxes = values.map(({ value, n }) =>
    el("label", { className: "check" },
      el("input", { type: "checkbox", "data-name": name, value, onchange: () => ticked(name) }),
      el("span", {}, value), el("span", { className: "soft" }, number(n))));
  return el("details", { open, className: "facet" }, el("summary", {}, spoken(name)),
    el("div", { role: "group", "aria-label": spoken(name) }, boxes));
}

function dateFields() {
  const field = (text, operator) => el("label", {}, text,
    el("input", { type: "date", "data-date": operator, onchange: (event) => dated(operator, event.target.value) }));
  return el("fieldset", {}, el("legend", {}, "Date"), field("from", ">="), field("to", "<="));
}

function ticked(name) {
  const values = [...$("facets").querySelectorAll("input[data-name]")]
    .filter((box) => box.dataset.name === name && box.checked).map((box) => box.value);
  put((one) => one.name === name && one.operator === "=", values.length ? `${name}=${values.join("|")}` : "");
}

const dated = (operator, day) => put((one) => one.name === "date" && one.operator === operator, day && `date${operator}${day}`);

function put(isOld, written) {
  const kept = read().filter.filter((one) => !isOld(parse(one)));
  go({ filter: written ? [...kept, written] : kept });
}

/** Make boxes and chips say what the address says. */
export function sync() {
  const { filter } = read();
  const on = filter.map(parse);
  for (const box of $("facets").querySelectorAll("input[data-name]")) {
    box.checked = on.some((one) => one.name === box.dataset.name && one.operator === "=" && one.values.includes(box.value));
  }
  for (const field of $("facets").querySelectorAll("input[data-date]")) {
    field.value = on.find((one) => one.name === "date" && one.operator === field.dataset.date)?.values[0] ?? "";
  }
  const chips = filter.map((written, at) => {
    const { name, operator, values } = parse(written);
    const text = `${spoken(name)} ${operator === "=" ? "is" : operator} ${values.join(" or ")}`;
    const off = () => { go({ filter: read().filter.filter((_, other) => other !== at) }); $("main").focus(); };
    return el("li", {}, el("button", { type: "button", onclick: off, "aria-label": `Take away the filter: ${text}` }, text, " ×"));
  });
  $("chips").replaceChildren(...chips);
  $("chips").hidden = !chips.length;
}
