// Short messages at the foot of the page. They wait while somebody reads them.
import { make, meta, say } from "./page.js";

const SHORT = 6000;
const LONG = 12000;

/** Show a message; `undo` is a function behind a button (and behind the key z). */
export function toast(text, { tone = "", undo = null } = {}) {
  const box = make("div", { class: `toast ${tone}` }, make("span", {}, text));
  if (undo) {
    const button = make("button", { type: "button", "data-undo": "" }, say("undo"), " ", make("kbd", {}, "Z"));
    button.addEventListener("click", () => { box.remove(); undo(); });
    box.append(button);
  }
  document.getElementById("toasts")?.append(box);
  fade(box, undo || tone === "bad" ? LONG : SHORT);
  return box;
}

function fade(box, after) {
  let timer = setTimeout(() => box.remove(), after);
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("focusin", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => { timer = setTimeout(() => box.remove(), SHORT / 2); });
}

async function postForm(url, fields) {
  const body = new URLSearchParams({ ...fields, _token: meta("zena-token") });
  const answer = await fetch(url, { method: "POST", body, headers: { "HX-Request": "true" }, credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok) return toast(say("failed"), { tone: "bad" });
  const told = JSON.parse(answer.headers.get("HX-Trigger") ?? "{}")["zena:toast"];
  if (told) toast(told.text, { tone: told.tone ?? "" });
}

/** Take up the messages of the server: those drawn into the page and those in HX-Trigger. */
export function startToasts() {
  for (const box of document.querySelectorAll("[data-toast]")) fade(box, SHORT);
  document.body.addEventListener("zena:toast", ({ detail }) => {
    const undo = detail.undo ? () => postForm(detail.undo.url, detail.undo.fields ?? {}) : null;
    toast(detail.text, { tone: detail.tone ?? "", undo });
  });
}
