// What every module needs of the page: its sentences, its form token, and requests that carry it.

let sentences;

/** Return one of the page's sentences, with its {placeholders} filled in. */
export function say(name, values = {}) {
  sentences ??= JSON.parse(document.getElementById("words")?.textContent ?? "{}");
  return (sentences[name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

export function meta(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content ?? "";
}

/** Tell screen readers something that is only seen. */
export function announce(text) {
  const region = document.getElementById("announce");
  if (region) region.textContent = text;
}

/** Fetch a part of a page as htmx would. */
export function part(url, target) {
  return fetch(url, { headers: { "HX-Request": "true", "HX-Target": target, Accept: "text/html" }, credentials: "same-origin" });
}

const ONCE = 30_000;

/** Load the page again, so that the server may say why it refused us; false where that has just been of no use. */
export function reload() {
  const last = Number(sessionStorage.getItem("reloaded") ?? 0);
  if (Date.now() - last < ONCE) return false;
  sessionStorage.setItem("reloaded", String(Date.now()));
  location.reload();
  return true;
}

/** Send JSON to our own API; the answer's body is parsed, a refusal is thrown as {status, detail}. */
export async function send(url, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-Zena-Token": meta("zena-token") };
  let answer;
  try {
    answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), credentials: "same-origin" });
  } catch {
    throw { status: 0, detail: say("unreachable") };
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw { status: answer.status, detail: content.detail ?? say("failed"), content };
  return content;
}

/** Make an element: make("p", {class: "tiny"}, "text", child). Text stays text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function typing(target) {
  const text = "textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])";
  return target instanceof HTMLElement && (target.isContentEditable || target.matches(text));
}
