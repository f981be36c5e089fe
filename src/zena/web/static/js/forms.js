// Forms: sent once, asked about where it matters, drafts kept until they are taken.
import { say } from "./page.js";
import { ask } from "./overlays.js";
import { toast } from "./toast.js";

const DRAFT = "zena-draft:";

const agreed = new WeakSet();

function sending(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  if (form.dataset.confirm && !agreed.delete(form)) {
    stop(event);
    const submitter = event.submitter;
    ask(form.dataset.confirm, { go: submitter?.textContent.trim() || say("ok"), tone: "bad" }).then((yes) => {
      if (yes) { agreed.add(form); form.requestSubmit(submitter); }
    });
    return;
  }
  if (!form.hasAttribute("data-once")) return;
  if (form.getAttribute("aria-busy") === "true") stop(event);
  else form.setAttribute("aria-busy", "true");
}

function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

function release(form) {
  form?.closest?.("form")?.removeAttribute("aria-busy");
}

function drafted(form) {
  return [...form.querySelectorAll("textarea[name]")].map((area) => [area, `${DRAFT}${form.dataset.draft}:${area.name}`]);
}

function restore(root) {
  for (const form of root.querySelectorAll?.("form[data-draft]") ?? []) {
    for (const [area, key] of drafted(form)) {
      const kept = localStorage.getItem(key);
      if (kept && !area.value) area.value = kept;
    }
  }
}

function keep(event) {
  const form = event.target.closest?.("form[data-draft]");
  if (!form) return;
  for (const [area, key] of drafted(form)) {
    if (area.value) localStorage.setItem(key, area.value);
    else localStorage.removeItem(key);
  }
}

/** Forget a form's drafts; called when the server has taken it. */
function forget(form) {
  if (form?.matches?.("form[data-draft]")) for (const [, key] of drafted(form)) localStorage.removeItem(key);
}

/** Tell whether a field holds something its page did not come with. */
export function dirty(field) {
  if (field instanceof HTMLSelectElement) return [...field.options].some((o) => o.selected !== o.defaultSelected);
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  return field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue;
}

function guard(event) {
  const open = [...document.querySelectorAll("form[data-guard]:not([aria-busy])")];
  if (open.some((form) => [...form.elements].some(dirty))) event.preventDefault();
}

export function startForms() {
  document.addEventListener("submit", sending, true);
  document.addEventListener("submit", (event) => { if (!event.defaultPrevented && !event.target.hasAttribute("hx-post")) forget(event.target); });
  document.addEventListener("input", keep);
  document.addEventListener("change", (event) => event.target.closest?.("[data-autosubmit]")?.closest("form")?.requestSubmit());
  window.addEventListener("beforeunload", guard);
  window.addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(release));
  document.body.addEventListener("htmx:afterRequest", (event) => release(event.detail.elt));
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status < 300) forget(event.detail.elt); // before the fresh form looks for its draft
  });
  document.body.addEventListener("htmx:sendError", () => toast(say("unreachable"), { tone: "bad" }));
  document.body.addEventListener("htmx:load", (event) => restore(event.detail.elt.parentElement ?? document));
  restore(document);
}
