"use strict";
(() => {
  const form = document.getElementById("tools");
  const boxes = [...form.querySelectorAll("[name=kind]")];
  const marks = [...document.querySelectorAll("mark")];
  const notes = [...document.querySelectorAll(".note")];
  const status = document.getElementById("at");
  let shown = marks;
  let at = -1;

  const tell = () => {
    const place = at >= 0 ? `${at + 1} of ${shown.length}` : `${shown.length} marked`;
    const seen = notes.filter((note) => !note.hidden).length;
    status.textContent = `${place}, ${seen} of ${notes.length} notes`;
  };

  const update = () => {
    const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const every = chosen.size === boxes.length;
    for (const mark of marks) mark.classList.toggle("off", !chosen.has(mark.dataset.kind));
    for (const note of notes) note.hidden = !every && chosen.size > 0 && !note.dataset.kinds.split(" ").some((kind) => chosen.has(kind));
    shown = marks.filter((mark) => chosen.has(mark.dataset.kind));
    at = -1;
    tell();
  };

  const step = (by) => {
    if (!shown.length) return;
    at = at < 0 ? (by > 0 ? 0 : shown.length - 1) : (at + by + shown.length) % shown.length;
    shown[at].focus({ preventScroll: true });
    shown[at].scrollIntoView({ block: "center" });
    tell();
  };

  const setAll = (checked) => {
    for (const box of boxes) box.checked = checked;
    update();
  };

  form.addEventListener("change", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("all").addEventListener("click", () => setAll(true));
  document.getElementById("no").addEventListener("click", () => setAll(false));
  document.getElementById("next").addEventListener("click", () => step(1));
  document.getElementById("previous").addEventListener("click", () => step(-1));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "n") step(1);
    if (event.key === "p") step(-1);
  });
  form.hidden = false;
  update();
})();
