// Regions without a channel: fetched again every few seconds, as long as somebody looks.
import { carried, renew } from "./morph.js";
import { part, reload, typing } from "./page.js";

let at = Date.now();
let busy = false;

async function refresh(region) {
  busy = true;
  try {
    const answer = await part(location.href, region.id);
    if (answer.redirected || answer.headers.has("HX-Redirect") || [401, 403].includes(answer.status)) return reload();
    if (answer.ok && !carried(region)) renew(region.id, await answer.text());
  } catch {
    // the network is away; asked again in a while
  } finally {
    busy = false;
    at = Date.now();
  }
}

function look() {
  const region = document.querySelector("[data-poll]");
  if (!region?.id || busy || document.hidden || typing(document.activeElement)) return;
  if (Date.now() - at >= Number(region.dataset.poll) * 1000) refresh(region);
}

export function startPoll() {
  if (!document.querySelector("[data-poll]") || !window.Idiomorph) return;
  setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
}
