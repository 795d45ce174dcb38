// What is asked, as the address holds it: so that it can be kept, sent and gone back to.

const ONE = ["q", "index", "mode", "rerank", "index2", "mode2", "rerank2", "like", "view", "by", "source", "doc", "k"];

export function read(address = location.search) {
  const given = new URLSearchParams(address);
  const state = Object.fromEntries(ONE.map((name) => [name, given.get(name) ?? ""]));
  return { ...state, compare: given.has("compare"), expand: given.getAll("expand"), filter: given.getAll("filter") };
}

export function addressOf(state) {
  const given = new URLSearchParams();
  for (const name of ONE) if (state[name]) given.set(name, state[name]);
  if (state.compare) given.set("compare", "1");
  for (const name of ["expand", "filter"]) for (const value of state[name]) given.append(name, value);
  const text = given.toString();
  return text ? `/?${text}` : "/";
}

export function go(change, { replace = false } = {}) {
  const address = addressOf({ ...read(), ...change });
  if (address !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", address);
  dispatchEvent(new Event("moved"));
}
