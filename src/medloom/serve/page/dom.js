// Elements are made here and nowhere else. Text only ever becomes a text node: documents are not to be trusted.

export const $ = (id) => document.getElementById(id);

/** An element with properties, data and children; strings become text. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.startsWith("aria")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A link to where a document came from; nothing but http and https is linked. */
export function webLink(address, text) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, text);
}

/** Offsets as the server counts them, in code points, as offsets in a JavaScript string. */
export function units(text, ...places) {
  const found = [];
  let point = 0;
  let unit = 0;
  for (const place of places) {
    while (point < place && unit < text.length) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point += 1;
    }
    found.push(unit);
  }
  return found;
}

export const number = (value) => value.toLocaleString("en");
