// Redrawing in place: what somebody has in hand (focus, selection, open details, unsaved input) stays as it is.
import { dirty } from "./forms.js";

/** Tell whether somebody is carrying a card in this region: it is not redrawn under their hand. */
export const carried = (region) => region.matches("[data-carrying]") || Boolean(region.querySelector("[data-carrying]"));

/** Morph one region to the state in an answer, which is a whole page or the region alone; false if it could not be. */
export function renew(id, html) {
  const region = document.getElementById(id);
  const answer = new DOMParser().parseFromString(html, "text/html");
  const fresh = answer.getElementById(id) ?? answer.body.firstElementChild;
  if (!region || !fresh || carried(region)) return false;
  window.Idiomorph.morph(region, fresh, {
    morphStyle: "outerHTML",
    ignoreActiveValue: true,
    callbacks: { beforeNodeMorphed: mayMorph, beforeAttributeUpdated: mayUpdate },
  });
  const now = document.getElementById(id);
  window.htmx?.process(now);
  now?.dispatchEvent(new CustomEvent("zena:renewed", { bubbles: true }));
  return true;
}

function mayMorph(node) {
  if (!(node instanceof Element)) return true;
  if (node.matches("[data-live-keep], dialog[open]")) return false;
  if (node.matches("input, select, textarea")) return !dirty(node);
  if (node instanceof HTMLFormElement) return !node.contains(document.activeElement) && ![...node.elements].some(dirty);
  return true;
}

function mayUpdate(name, node) {
  return !(name === "open" && node.matches("details")) && !(name === "hidden" && node.matches("[data-live-state], [data-live-word]"));
}
