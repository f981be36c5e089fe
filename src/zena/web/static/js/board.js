// The board by keyboard: arrows walk, Alt+arrows carry at once, m picks up until Enter puts down.
import { Carry, accepts, cardsIn, laneOf } from "./carry.js";
import { announce, say } from "./page.js";
import { startPointer } from "./pointer.js";

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

let carry = null;
let byAlt = false;

const lanes = (board) => [...board.querySelectorAll("[data-lane]")];

function neighbour(card, [across, down]) {
  const lane = laneOf(card);
  if (down) return cardsIn(lane)[cardsIn(lane).indexOf(card) + down];
  const all = lanes(card.closest("[data-board]"));
  const at = cardsIn(lane).indexOf(card);
  for (let next = all.indexOf(lane) + across; all[next]; next += across) {
    const cards = cardsIn(all[next]);
    if (cards.length) return cards[Math.min(at, cards.length - 1)];
  }
  return null;
}

function walk(card, way) {
  const next = neighbour(card, way);
  next?.focus();
  next?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function begin(card, alt) {
  carry = new Carry(card);
  byAlt = alt;
  card.classList.add("lifted");
  if (!alt) announce(say("lifted", { title: card.dataset.title }));
}

function shift([across, down]) {
  const { card, board, from } = carry;
  const lane = laneOf(card);
  const cards = cardsIn(lane);
  const at = cards.indexOf(card);
  if (down) {
    if (cards[at + down]) carry.place(lane, down < 0 ? cards[at - 1] : (cards[at + 2] ?? null));
  } else {
    const open = lanes(board).filter((each) => accepts(each, from));
    const target = open[open.indexOf(lane) + across];
    if (target) carry.place(target, cardsIn(target)[Math.min(at, cardsIn(target).length)] ?? null);
  }
  card.focus();
  card.scrollIntoView({ block: "nearest", inline: "nearest" });
}

async function end(put) {
  const done = carry;
  carry = null;
  done.card.classList.remove("lifted");
  if (put) await done.drop();
  else done.back();
  document.getElementById(done.card.id)?.focus();
}

function pressed(event) {
  const card = event.target.closest?.("[data-card]");
  if (!card || event.target !== card || event.ctrlKey || event.metaKey) return;
  const way = ARROWS[event.key];
  if (carry) {
    if (way) shift(way);
    else if (event.key === "Enter" || event.key === " ") end(true);
    else if (event.key === "Escape") end(false);
    else return;
  } else if (way && event.altKey && !("locked" in card.dataset)) {
    begin(card, true);
    shift(way);
  } else if (way && !event.altKey) {
    walk(card, way);
  } else if (event.key === "m" && !("locked" in card.dataset)) {
    begin(card, false);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

export function startBoard() {
  document.addEventListener("keydown", pressed, true);
  document.addEventListener("keyup", (event) => { if (event.key === "Alt" && carry && byAlt) end(true); });
  document.addEventListener("focusout", (event) => {
    if (carry && event.target === carry.card && event.relatedTarget && !carry.board.contains(event.relatedTarget)) end(false);
  });
  startPointer();
}
