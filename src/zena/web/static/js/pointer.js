// Carrying cards with mouse, pen or finger. A finger holds still for a moment first, so that it can still scroll.
import { Carry, cardsIn } from "./carry.js";

const SLACK = 6;
const HOLD = 260;
const EDGE = 60;

let start = null; // where a press began, until it becomes a carry or a click
let held = null; // {carry, ghost, dx, dy}

function pressed(event) {
  const card = event.target.closest?.("[data-card]");
  if (!card || held || event.button || "locked" in card.dataset || event.target.closest("button, input, select, textarea, summary")) return;
  start = { card, x: event.clientX, y: event.clientY, touch: event.pointerType === "touch", id: event.pointerId };
  if (start.touch) start.timer = setTimeout(() => start && lift(), HOLD);
}

function lift() {
  const { card, x, y, id } = start;
  const box = card.getBoundingClientRect();
  const ghost = card.cloneNode(true);
  ghost.removeAttribute("id");
  ghost.classList.add("ghost", "lifted");
  ghost.setAttribute("aria-hidden", "true");
  Object.assign(ghost.style, { width: `${box.width}px`, left: `${box.left}px`, top: `${box.top}px` });
  document.body.append(ghost);
  held = { carry: new Carry(card), ghost, dx: x, dy: y, id };
  card.classList.add("hole");
  start = null;
}

function moved(event) {
  if (start && !held) {
    const far = Math.hypot(event.clientX - start.x, event.clientY - start.y) > SLACK;
    if (far && start.touch) drop(event);
    else if (far) lift();
  }
  if (!held || event.pointerId !== held.id) return;
  event.preventDefault();
  const { ghost, dx, dy, carry } = held;
  ghost.style.translate = `${event.clientX - dx}px ${event.clientY - dy}px`;
  const lane = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-lane]");
  for (const each of carry.board.querySelectorAll("[data-lane]")) each.classList.toggle("over", each === lane);
  if (lane && carry.board.contains(lane)) carry.place(lane, under(lane, event.clientY, carry.card));
  scrollNear(carry.board, event.clientX);
}

function under(lane, y, card) {
  for (const each of cardsIn(lane)) {
    if (each === card) continue;
    const box = each.getBoundingClientRect();
    if (y < box.top + box.height / 2) return each;
  }
  return null;
}

function scrollNear(board, x) {
  const box = board.getBoundingClientRect();
  if (x > box.right - EDGE) board.scrollLeft += 12;
  else if (x < box.left + EDGE) board.scrollLeft -= 12;
}

function drop(event) {
  clearTimeout(start?.timer);
  start = null;
  if (!held) return;
  const { carry, ghost } = held;
  held = null;
  ghost.remove();
  carry.card.classList.remove("hole");
  if (event.type === "pointerup") {
    swallowClick();
    carry.drop();
  } else {
    carry.back();
  }
}

/** The click that ends a carry must not open the card's link. */
function swallowClick() {
  const stop = (event) => {
    if (!event.detail) return; // a key, not the pointer
    event.preventDefault();
    event.stopPropagation();
  };
  const end = () => window.removeEventListener("click", stop, { capture: true });
  window.addEventListener("click", stop, { capture: true });
  window.addEventListener("pointerdown", end, { capture: true, once: true });
  setTimeout(end, 60);
}

export function startPointer() {
  document.addEventListener("pointerdown", pressed);
  document.addEventListener("pointermove", moved);
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);
  document.addEventListener("touchmove", (event) => { if (held) event.preventDefault(); }, { passive: false });
  document.addEventListener("dragstart", (event) => { if (event.target.closest?.("[data-card]")) event.preventDefault(); });
  document.addEventListener("contextmenu", (event) => { if (held) event.preventDefault(); });
  document.addEventListener("keydown", (event) => { if (held && event.key === "Escape") { event.stopPropagation(); drop(event); } }, true);
}
