// Regions that follow the firm's events: fetched again and morphed in place, so that nothing in hand is lost.
import { dirty } from "./forms.js";
import { carried, renew } from "./morph.js";
import { part, reload } from "./page.js";
import { Line } from "./socket.js";
import { Stream } from "./stream.js";

const JOIN = 80; // events this close together cause one fetch
const GONE = new Set([401, 403, 404]);
const CALM = 2500; // a shorter break of the line is not worth telling

const due = new Map(); // region id -> timer
const busy = new Set();
let line = null;
let away = 0;

const regions = () => [...document.querySelectorAll("[data-live]")].filter((region) => region.id);
const channelsOf = (region) => region.dataset.live.split(" ").filter(Boolean);

/** Follow what the page shows now; called again whenever regions come and go. */
export function follow() {
  const wanted = new Map();
  for (const region of regions()) {
    const position = region.dataset.livePosition ? Number(region.dataset.livePosition) : null;
    for (const channel of channelsOf(region)) {
      const known = wanted.get(channel);
      wanted.set(channel, known === undefined ? position : known === null || position === null ? null : Math.min(known, position));
    }
  }
  line?.follow(wanted);
}

function touched(channel) {
  const meant = regions().filter((region) => channelsOf(region).includes(channel));
  for (const region of meant) {
    if (!meant.some((outer) => outer !== region && outer.contains(region))) plan(region.id, JOIN);
  }
}

function plan(id, wait) {
  clearTimeout(due.get(id));
  due.set(id, setTimeout(() => refresh(id), wait));
}

async function refresh(id) {
  const region = document.getElementById(id);
  if (!region) return;
  if (busy.has(id) || carried(region)) return plan(id, JOIN * 3);
  busy.add(id);
  due.delete(id);
  try {
    const answer = await part(region.dataset.liveUrl || location.href, id);
    if (GONE.has(answer.status)) return ended(region);
    if (!answer.ok || answer.redirected) return;
    if (renew(id, await answer.text())) follow();
    else if (carried(region)) plan(id, JOIN * 3);
  } catch {
    line?.check(); // the network is away; the region is fetched again when the line is back
  } finally {
    busy.delete(id);
  }
}

/** What the page shows is no longer ours to see: let the server say so, unless something typed would be lost. */
function ended(region) {
  const close = region?.closest("#peek")?.querySelector("[data-close-peek]");
  if (close) close.click();
  else if ([...document.querySelectorAll("input, textarea")].some(dirty) || !reload()) state(false);
}

function state(connected) {
  const show = (hidden) => {
    for (const sign of document.querySelectorAll("[data-live-state]")) sign.hidden = hidden;
    for (const word of document.querySelectorAll("[data-live-word]")) word.hidden = !hidden;
  };
  if (!connected) {
    away ||= setTimeout(() => show(false), CALM);
    return;
  }
  clearTimeout(away);
  away = 0;
  show(true);
}

export function startLive() {
  if (!document.querySelector('meta[name="zena-live"]') || !window.Idiomorph) return;
  const on = { event: touched, gap: touched, state, barred, ended };
  function barred() {
    line = new Stream(on);
    follow();
  }
  line = new Line(on);
  follow();
  document.body.addEventListener("htmx:afterSettle", follow);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) line.check(); });
  window.addEventListener("online", () => line.check());
}
