"use strict";
(() => {
  const all = (root, selector) => [...root.querySelectorAll(selector)];
  const shown = (value) => value.toFixed(3).replace("-", "\u2212");

  const intoButton = (holder) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...holder.childNodes);
    holder.append(button);
    return button;
  };

  const leaderboard = (table, form) => {
    const heads = all(table, "thead th");
    const rows = all(table, "tbody tr");
    const tasks = heads.flatMap((head, at) => ("task" in head.dataset ? [{ at, ...head.dataset }] : []));
    const groups = ["type", "facet", "suite", "size"].filter((name) => form.querySelector(`[name=${name}]`));
    const state = { at: heads.findIndex((head) => "start" in head.dataset), down: false };

    const compare = (one, other) => {
      const [a, b] = [one.cells[state.at].dataset, other.cells[state.at].dataset];
      const last = (a.v === "") - (b.v === "") || ("partial" in a) - ("partial" in b);
      if (last) return last;
      const way = heads[state.at].dataset.first === "text" ? a.v.localeCompare(b.v) : a.v - b.v;
      return state.down ? -way : way;
    };

    const sort = () => {
      heads.forEach((head, at) => {
        if (at === state.at) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      for (const body of table.tBodies) body.append(...[...body.rows].sort(compare));
    };

    heads.forEach((head, at) => {
      intoButton(head).addEventListener("click", () => {
        state.down = at === state.at ? !state.down : head.dataset.first === "desc";
        state.at = at;
        sort();
      });
    });

    const fillMean = (cell, row, kept) => {
      const values = kept.map(({ at }) => row.cells[at].dataset.v).filter((value) => value !== "").map(Number);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const partial = values.length > 0 && values.length < kept.length;
      cell.dataset.v = values.length ? String(mean) : "";
      cell.toggleAttribute("data-partial", partial);
      cell.querySelector(".v").textContent = values.length ? shown(mean) : "\u2013";
      cell.querySelector("small").textContent = partial ? `${values.length} of ${kept.length} tasks` : "";
    };

    const showColumn = (at, visible) => {
      heads[at].hidden = !visible;
      for (const row of rows) row.cells[at].hidden = !visible;
    };

    const chosen = (name) => new Set(all(form, `[name=${name}]:checked`).map((input) => input.value));

    const update = () => {
      const keep = Object.fromEntries(groups.map((name) => [name, chosen(name)]));
      const passes = (data, names) => names.every((name) => !(name in keep) || keep[name].has(data[name]));
      const columns = chosen("show");
      const kept = tasks.filter((task) => passes(task, ["type", "facet", "suite"]));
      const keptAt = new Set(kept.map(({ at }) => at));
      tasks.forEach(({ at }) => showColumn(at, keptAt.has(at) && columns.has("tasks")));
      heads.forEach((head, at) => {
        if ("cost" in head.dataset) showColumn(at, columns.has("costs"));
        if ("mean" in head.dataset) rows.forEach((row) => fillMean(row.cells[at], row, kept));
        if ("kind" in head.dataset) updateKind(head, at, kept, columns.has("types"));
      });
      all(table, "[data-count=shown]").forEach((note) => (note.textContent = count(kept.length)));
      rows.forEach((row) => (row.hidden = !passes(row.dataset, ["size"])));
      table.classList.toggle("bare", !columns.has("details"));
      const models = rows.filter((row) => !row.hidden).length;
      const some = kept.length < tasks.length ? " Ranks and macro means are still over all tasks." : "";
      document.getElementById("shown").textContent =
        `Showing ${kept.length} of ${count(tasks.length)} and ${models} of ${rows.length} models.${some}`;
      sort();
    };

    const count = (n) => `${n} ${n === 1 ? "task" : "tasks"}`;

    const updateKind = (head, at, kept, wanted) => {
      const own = tasks.filter(({ type }) => type === head.dataset.kind);
      const mine = kept.filter(({ type }) => type === head.dataset.kind);
      showColumn(at, wanted && mine.length > 0);
      head.querySelector("small").textContent =
        mine.length < own.length ? `${mine.length} of ${count(own.length)}` : count(own.length);
      for (const row of rows) {
        const cell = row.cells[at];
        if (mine.length < own.length) fillMean(cell, row, mine);
        else {
          cell.dataset.v = cell.dataset.whole;
          cell.removeAttribute("data-partial");
          cell.querySelector(".v").textContent = cell.dataset.whole === "" ? "\u2013" : shown(Number(cell.dataset.whole));
          cell.querySelector("small").textContent = "";
        }
      }
    };

    form.addEventListener("change", update);
    form.querySelector("button").addEventListener("click", () => {
      all(form, "input").forEach((input) => (input.checked = true));
      update();
    });
    form.hidden = false;
    update();
  };

  const headToHead = (matrix) => {
    const panels = all(document, "details.duel");
    const many = panels.length > 6;
    panels.forEach((panel) => (panel.hidden = many));
    const open = (link) => {
      const wanted = document.querySelector(link.getAttribute("href")).closest("details");
      panels.forEach((panel) => {
        panel.open = panel === wanted;
        panel.hidden = many && panel !== wanted;
      });
      all(matrix, "a").forEach((one) => one.classList.toggle("open", one.hash === link.hash));
    };
    for (const link of all(matrix, "a")) {
      link.addEventListener("focus", () => open(link));
      link.addEventListener("click", () => open(link));
    }
  };

  const mapLegend = (legend) => {
    const layers = all(document, "#map path[data-label]");
    const buttons = all(legend, "li").map((item) => [intoButton(item), item.dataset.label]);
    buttons.forEach(([button, label]) => {
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        buttons.forEach(([other]) => other.setAttribute("aria-pressed", String(on && other === button)));
        layers.forEach((layer) => layer.classList.toggle("dim", on && layer.dataset.label !== label));
      });
    });
  };

  const table = document.getElementById("board");
  const matrix = document.getElementById("matrix");
  const legend = document.getElementById("legend");
  if (table) leaderboard(table, document.getElementById("filters"));
  if (matrix) headToHead(matrix);
  if (legend) mapLegend(legend);
})();
