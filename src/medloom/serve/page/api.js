// The server's answers, and its errors as something to show.

import { $ } from "./dom.js";

const KEY = "medloom-key";

export class Trouble extends Error {
  constructor(status, message, advice) {
    super(message);
    this.status = status;
    this.advice = advice;
  }
}

/** What the server answers, as JSON. Asks for the key when the server wants one. */
export async function ask(path, { body, signal } = {}) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers.authorization = `Bearer ${key}`;
  if (body) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(0, "The server cannot be reached.", "See whether medloom serve still runs, then try again.");
  }
  const content = await answer.json().catch(() => null);
  if (answer.ok && content) return content;
  if (answer.status === 401) {
    await newKey();
    return ask(path, { body, signal });
  }
  throw trouble(answer, content?.error?.message);
}

function trouble(answer, said) {
  const message = said ? said[0].toUpperCase() + said.slice(1) + "." : `The server answered ${answer.status}.`;
  if (answer.status === 429 || answer.status === 503) {
    return new Trouble(answer.status, message, `Try again in ${answer.headers.get("retry-after") ?? 5} seconds.`);
  }
  if (answer.status >= 500) {
    return new Trouble(answer.status, message, "Try again. If it stays so, tell whoever runs the server, with the text above.");
  }
  return new Trouble(answer.status, message, "Change the search or its filters, and try again.");
}

let asking = null;

function newKey() {
  sessionStorage.removeItem(KEY);
  asking ??= new Promise((resolve, reject) => {
    const dialog = $("key");
    let given = false;
    $("key-form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, $("key-value").value.trim());
      $("key-value").value = "";
      given = true;
      dialog.close();
    };
    dialog.onclose = () => {
      asking = null;
      if (given) resolve();
      else reject(new Trouble(401, "The server asks for a key.", "Try again, and give the key."));
    };
    dialog.showModal();
  });
  return asking;
}
