// Choosing rows of a list: click, Shift for a range, x on the row in focus, Escape for none. The bar itself is style.
import { typing } from "./page.js";

let last = null;

const picks = () => [...document.querySelectorAll("[data-pick]")];
const chosen = () => picks().filter((box) => box.checked);

function count() {
  const sign = document.querySelector("[data-bulk-count]");
  if (sign) sign.textContent = chosen().length || "";
}

function set(boxes, on) {
  for (const box of boxes) box.checked = on;
  count();
}

function clicked(event) {
  const box = event.target;
  if (!box.matches?.("[data-pick]")) return;
  if (event.shiftKey && last?.isConnected) {
    const all = picks();
    const ends = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    set(all.slice(ends[0], ends[1] + 1), box.checked);
  }
  last = box;
  count();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && chosen().length && document.querySelector("#peek")?.hidden !== false && !typing(event.target)) set(picks(), false);
  if (event.key !== "x" || typing(event.target)) return;
  document.activeElement?.closest?.("[data-row]")?.querySelector("[data-pick]")?.click();
}

export function startBulk() {
  const form = document.querySelector("[data-bulk]");
  if (!form) return;
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", pressed);
  document.addEventListener("zena:renewed", count);
  form.querySelector("[data-bulk-all]").addEventListener("click", () => set(picks(), true));
  form.querySelector("[data-bulk-clear]").addEventListener("click", () => set(picks(), false));
  form.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) return;
    form.reset();
    set(picks(), false);
  });
  count();
}
