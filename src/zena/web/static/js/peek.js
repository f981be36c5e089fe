// The panel beside the list: a link marked data-peek opens there, the address keeps it, Escape closes it.
import { follow } from "./live.js";
import { part, say, typing } from "./page.js";
import { toast } from "./toast.js";

const host = () => document.getElementById("peek");
let opener = null;

function remember(key, push) {
  const url = new URL(location.href);
  if (key) url.searchParams.set("task", key);
  else url.searchParams.delete("task");
  if (url.href === location.href) return;
  history[push ? "pushState" : "replaceState"]({ peek: key }, "", url);
}

async function open(url, key, push = true) {
  const panel = host();
  const answer = await part(url, "peek").catch(() => null);
  if (!answer?.ok || answer.redirected) {
    if (answer?.redirected) location.assign(url);
    else toast(say(answer ? "failed" : "unreachable"), { tone: "bad" });
    return;
  }
  window.htmx.swap(panel, await answer.text(), { swapStyle: "innerHTML" });
  panel.hidden = false;
  panel.dataset.key = key;
  follow();
  remember(key, push);
  panel.focus({ preventScroll: true });
}

function close(push = true) {
  const panel = host();
  if (!panel || panel.hidden) return;
  panel.hidden = true;
  panel.replaceChildren();
  follow();
  remember(null, push);
  (opener?.isConnected ? opener : document.querySelector(`[data-peek="${CSS.escape(panel.dataset.key ?? "")}"]`))?.focus();
}

function fromAddress() {
  const panel = host();
  const key = new URL(location.href).searchParams.get("task");
  if (!panel) return;
  if (key && /^[\w-]{1,40}$/.test(key)) open(panel.dataset.peekUrl.replace("{key}", key), key, false);
  else close(false);
}

function clicked(event) {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-close-peek]")) {
    event.preventDefault();
    return close();
  }
  const link = target?.closest("a[data-peek]");
  if (!link || !host() || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  opener = link.closest("[tabindex]") ?? link;
  open(link.href, link.dataset.peek);
}

export function startPeek() {
  if (!host()) return;
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || typing(event.target) || document.querySelector("dialog[open], details[data-menu][open]")) return;
    close();
  });
  window.addEventListener("popstate", fromAddress);
  if (location.search.includes("task=")) fromAddress();
}
