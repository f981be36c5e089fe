// Dialogs, menus and copy buttons. The elements are the browser's own; this only opens and closes them.
import { make, say } from "./page.js";
import { toast } from "./toast.js";

function openMarked(root = document) {
  for (const dialog of root.querySelectorAll("dialog[data-open]:not([open])")) dialog.showModal();
}

function closeMenus(except = null) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}

async function copy(text) {
  await navigator.clipboard?.writeText(text).then(() => toast(say("copied")), () => toast(say("failed"), { tone: "bad" }));
}

function clicked(event) {
  const target = event.target;
  if (!(target instanceof Element)) return;
  closeMenus(target);
  const opener = target.closest("[data-dialog]");
  if (opener) {
    document.getElementById(opener.dataset.dialog)?.showModal();
    closeMenus();
  }
  if (target.closest("[data-close]") || target.matches("dialog[open]")) target.closest("dialog")?.close();
  const copied = target.closest("[data-copy]");
  if (copied) copy(copied.dataset.copy);
}

/** Ask in a dialog and resolve to what was typed (or true), or null when it was called off. */
export function ask(question, { hint = "", text = false, go = say("ok"), tone = "" } = {}) {
  const input = make("textarea", { class: "input", rows: "3", maxlength: "500", required: "", "aria-label": question });
  const form = make("form", { class: "form in", method: "dialog" });
  if (hint) form.append(make("p", { class: "quiet" }, hint));
  if (text) form.append(input);
  const cancel = make("button", { class: "btn", type: "button", "data-close": "" }, say("cancel"));
  form.append(make("div", { class: "actions" }, make("button", { class: `btn go ${tone}`, value: "go" }, go), cancel));
  const dialog = make("dialog", { class: "dialog", "aria-label": question }, make("header", {}, make("h2", {}, question)), form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      const answer = text ? input.value.trim() : true;
      resolve(dialog.returnValue === "go" && answer ? answer : null);
    });
  });
}

export function startOverlays() {
  openMarked();
  document.addEventListener("click", clicked);
  document.body.addEventListener("htmx:load", (event) => openMarked(event.detail.elt.parentElement ?? document));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details[data-menu][open]");
    if (!menu) return;
    event.stopImmediatePropagation(); // one Escape closes one thing
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    closeMenus();
  });
}
