// Keys: what an element declares with data-shortcut or data-chord, walking lists with j and k, and the list behind "?".
import { make, typing } from "./page.js";

const CHORD = 1200;
let waiting = 0;

const visible = (element) => element.checkVisibility?.() ?? true;

/** Return what pressing an element does, in its own words without its key caps and counts. */
function label(element) {
  if (element.dataset.shortcutLabel) return element.dataset.shortcutLabel;
  const copy = (element.querySelector(".name") ?? element).cloneNode(true);
  for (const extra of copy.querySelectorAll("kbd, .tag")) extra.remove();
  return copy.textContent.trim() || element.getAttribute("aria-label") || "";
}

function find(attribute, key) {
  return [...document.querySelectorAll(`[${attribute}="${CSS.escape(key)}"]`)].find(visible);
}

function rows() {
  const list = document.querySelector("[data-rows]");
  return list ? [...list.querySelectorAll("[data-row]")].filter(visible) : [];
}

function walk(step) {
  const all = rows();
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return Boolean(next);
}

function openRow() {
  const row = document.activeElement;
  if (!row?.matches?.("[data-row], [data-card]")) return false;
  row.querySelector("a[data-peek], a[href]")?.click();
  return true;
}

function list() {
  const dialog = document.getElementById("shortcuts");
  const keys = dialog?.querySelector("[data-shortcuts]");
  if (!keys) return false;
  for (const old of keys.querySelectorAll("[data-made]")) old.remove();
  for (const fixed of keys.querySelectorAll("[data-when]")) fixed.hidden = !document.querySelector(fixed.dataset.when);
  for (const element of document.querySelectorAll("[data-chord], [data-shortcut]")) {
    const press = element.dataset.chord ? ["g", element.dataset.chord] : [element.dataset.shortcut];
    const caps = press.flatMap((key) => [make("kbd", {}, key), " "]);
    keys.append(make("div", { "data-made": "" }, make("dt", {}, ...caps), make("dd", {}, label(element))));
  }
  dialog.showModal();
  return true;
}

const FIXED = {
  "?": list,
  j: () => walk(1),
  k: () => walk(-1),
  Enter: openRow,
  z: () => press(document.querySelector("#toasts [data-undo]")),
  "/": () => focusOn(document.querySelector("[data-search]")),
};

function press(element) {
  element?.click();
  return Boolean(element);
}

function focusOn(element) {
  element?.focus();
  return Boolean(element);
}

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const { key } = event;
  if (waiting && Date.now() - waiting < CHORD) {
    waiting = 0;
    if (press(find("data-chord", key))) event.preventDefault();
    return;
  }
  if (key === "g" && document.querySelector("[data-chord]")) {
    waiting = Date.now();
    return;
  }
  if (FIXED[key]?.() || (key.length === 1 && press(find("data-shortcut", key)))) event.preventDefault();
}

export function startShortcuts() {
  document.addEventListener("keydown", pressed);
}
