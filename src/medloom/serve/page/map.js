// The map: points on a canvas, told apart by colour and by shape, moved by mouse, touch and keys.

import { ask } from "./api.js";
import { $, el, number } from "./dom.js";
import { failed } from "./results.js";
import { go } from "./state.js";

const SIZE = 4;
const NEAR = 14;
const SHAPES = 4;
const CLOSEST = 40;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const canvas = $("canvas");
const view = { x: 0, y: 0, zoom: 1 };
let points = [];
let labels = [];
let only = "";
let current = -1;
let drawn = "";

/** Show the map of an index, coloured by a fact. */
export async function show({ index, by }, names) {
  by ||= "source";
  $("map-by").replaceChildren(...names.map((name) => el("option", { value: name, selected: name === by }, name.replaceAll("_", " "))));
  const wanted = JSON.stringify([index, by]);
  if (wanted === drawn) return draw();
  tell("Drawing the map …", true);
  try {
    const given = new URLSearchParams({ points: 2000, by, ...(index && { index }) });
    ({ points, labels } = await ask(`/v1/map?${given}`));
    drawn = wanted;
  } catch (trouble) {
    $("map-status").classList.remove("busy");
    $("map-status").replaceChildren(failed(trouble, () => show({ index, by }, names)));
    return undefined;
  }
  only = "";
  current = -1;
  legend();
  draw();
  return tell(`${number(points.length)} documents on the map.`);
}

function tell(text, busy = false) {
  $("map-status").classList.toggle("busy", busy);
  $("map-status").textContent = text;
}

const colour = (at) => getComputedStyle(document.documentElement).getPropertyValue(`--c${at}`).trim();

function legend() {
  const counts = Map.groupBy ? Map.groupBy(points, (one) => one.label) : new Map();
  $("legend").replaceChildren(...labels.map((label, at) => {
    const sign = el("canvas", { width: 28, height: 28, "aria-hidden": "true" });
    const pen = sign.getContext("2d");
    pen.fillStyle = colour(at);
    shape(pen, at, 14, 14, 9);
    const press = () => { only = only === label ? "" : label; legend(); draw(); };
    const n = counts.get(label)?.length;
    return el("li", {}, el("button", { type: "button", onclick: press, "aria-pressed": String(only === label) }, sign, label, n ? ` ${number(n)}` : ""));
  }));
}

function shape(pen, at, x, y, r) {
  pen.beginPath();
  const kind = at % SHAPES;
  if (kind === 0) pen.arc(x, y, r, 0, 2 * Math.PI);
  else if (kind === 1) pen.rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7);
  else if (kind === 2) { pen.moveTo(x, y - r * 1.15); pen.lineTo(x + r * 1.1, y + r * 0.85); pen.lineTo(x - r * 1.1, y + r * 0.85); }
  else { pen.moveTo(x, y - r * 1.25); pen.lineTo(x + r * 1.25, y); pen.lineTo(x, y + r * 1.25); pen.lineTo(x - r * 1.25, y); }
  pen.fill();
}

const shown = () => points.map((one, at) => at).filter((at) => !only || points[at].label === only);
const half = () => (Math.min(canvas.clientWidth, canvas.clientHeight) / 2 - 16) * view.zoom;
const wide = () => Math.max(1, Math.min(1.8, canvas.clientWidth / canvas.clientHeight));
const place = ({ x, y }) => [canvas.clientWidth / 2 + (x - view.x) * half() * wide(), canvas.clientHeight / 2 - (y - view.y) * half()];

function draw() {
  const scale = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * scale;
  canvas.height = canvas.clientHeight * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const r = SIZE * Math.min(2, Math.sqrt(view.zoom)) * (points.length < 300 ? 1.4 : 1);
  const colours = labels.map((_, at) => colour(at));
  const kinds = new Map(labels.map((label, at) => [label, at]));
  pen.globalAlpha = 0.8;
  for (const at of shown()) {
    const kind = kinds.get(points[at].label);
    pen.fillStyle = colours[kind];
    shape(pen, kind, ...place(points[at]), r);
  }
  pen.globalAlpha = 1;
  const [x, y] = current < 0 ? [0, 0] : place(points[current]);
  if (current >= 0) {
    pen.strokeStyle = getComputedStyle(document.body).color;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, r + 5, 0, 2 * Math.PI);
    pen.stroke();
  }
  tip(x, y);
}

function tip(x, y) {
  const box = $("tip");
  box.hidden = current < 0;
  if (box.hidden) return;
  box.textContent = `${points[current].title || points[current].document} · ${points[current].label}`;
  const left = Math.max(4, Math.min(x + 14, canvas.clientWidth - box.offsetWidth - 4));
  const below = y + 14 + box.offsetHeight < canvas.clientHeight;
  box.style.translate = `${left}px ${Math.max(4, below ? y + 14 : y - 14 - box.offsetHeight)}px`;
}

function select(at, spoken) {
  if (at === current) return;
  current = at;
  canvas.style.cursor = at < 0 ? "grab" : "pointer";
  if (spoken && at >= 0) tell(`${points[at].title || points[at].document}, ${points[at].label}`);
  draw();
}

function under(x, y) {
  let best = -1;
  let least = NEAR ** 2;
  for (const at of shown()) {
    const [px, py] = place(points[at]);
    const far = (px - x) ** 2 + (py - y) ** 2;
    if (far < least) [best, least] = [at, far];
  }
  return best;
}

function step([dx, dy]) {
  const [x, y] = current < 0 ? [canvas.clientWidth / 2, canvas.clientHeight / 2] : place(points[current]);
  let best = current;
  let least = Infinity;
  for (const at of shown()) {
    const [px, py] = place(points[at]);
    const along = (px - x) * dx - (py - y) * dy;
    const aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    if (at === current || (current >= 0 && along <= aside)) continue;
    const far = Math.abs(along) + 2 * aside;
    if (far < least) [best, least] = [at, far];
  }
  if (best >= 0 && best !== current) {
    select(best, true);
    const [px, py] = place(points[best]);
    if (px < 0 || py < 0 || px > canvas.clientWidth || py > canvas.clientHeight) { view.x = points[best].x; view.y = points[best].y; draw(); }
  }
}

function zoom(by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const before = half();
  view.zoom = Math.max(1, Math.min(CLOSEST, view.zoom * by));
  const [dx, dy] = [x - canvas.clientWidth / 2, canvas.clientHeight / 2 - y];
  view.x += (dx / before - dx / half()) / wide();
  view.y += dy / before - dy / half();
  draw();
}

function pan(dx, dy) {
  view.x -= dx / (half() * wide());
  view.y += dy / half();
  draw();
}

function whole() {
  Object.assign(view, { x: 0, y: 0, zoom: 1 });
  draw();
}

const open = (at) => at >= 0 && go({ source: points[at].source, doc: points[at].document });
const held = new Map();
let moved = 0;

canvas.addEventListener("pointerdown", (event) => {
  held.set(event.pointerId, [event.offsetX, event.offsetY]);
  canvas.setPointerCapture(event.pointerId);
  moved = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const before = held.get(event.pointerId);
  if (!before) { select(under(event.offsetX, event.offsetY), false); return; }
  const [dx, dy] = [event.offsetX - before[0], event.offsetY - before[1]];
  const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
  held.set(event.pointerId, [event.offsetX, event.offsetY]);
  moved += Math.abs(dx) + Math.abs(dy);
  if (other) zoom(Math.hypot(event.offsetX - other[0], event.offsetY - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1])));
  else if (moved > 4) pan(dx, dy);
});
canvas.addEventListener("pointerup", (event) => {
  held.delete(event.pointerId);
  if (moved <= 4) open(under(event.offsetX, event.offsetY));
});
canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
canvas.addEventListener("pointerleave", () => { if (!held.size) select(-1, false); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey) pan(-arrow[0] * 60, arrow[1] * 60);
  else if (arrow) step(arrow);
  else if (event.key === "Enter") open(current);
  else if (event.key === "+" || event.key === "=") zoom(1.4);
  else if (event.key === "-") zoom(1 / 1.4);
  else if (event.key === "0") whole();
  else return;
  event.preventDefault();
});
$("map-in").addEventListener("click", () => zoom(1.6));
$("map-out").addEventListener("click", () => zoom(1 / 1.6));
$("map-reset").addEventListener("click", whole);
$("map-by").addEventListener("change", (event) => go({ by: event.target.value }));
new ResizeObserver(() => { if (points.length && canvas.clientWidth) draw(); }).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { legend(); draw(); });
