// One card being carried: where it came from, where it hangs now, and the request that makes it true.
import { announce, say, send } from "./page.js";
import { ask } from "./overlays.js";
import { toast } from "./toast.js";

export const laneOf = (card) => card.closest("[data-lane]");
export const cardsIn = (lane) => [...lane.querySelectorAll("[data-card]:not(.ghost)")];
const status = (lane) => lane.dataset.lane;
const near = (card, step) => {
  let at = card;
  do at = at[step]; while (at && !at.matches("[data-card]"));
  return at;
};

/** Tell whether the workflow lets a card of one lane into another. */
export function accepts(lane, from) {
  return lane === from || (lane.dataset.laneFrom ?? "").split(" ").includes(status(from));
}

export class Carry {
  constructor(card) {
    this.card = card;
    this.board = card.closest("[data-board]");
    this.from = laneOf(card);
    this.anchor = { before: card.nextSibling, parent: card.parentElement, card: near(card, "nextElementSibling")?.id };
    this.board.toggleAttribute("data-carrying", true);
    this.board.classList.add("carrying");
    for (const lane of this.board.querySelectorAll("[data-lane]")) lane.classList.toggle("refuses", !accepts(lane, this.from));
  }

  get moved() {
    return this.card.parentElement !== this.anchor.parent || this.card.nextSibling !== this.anchor.before;
  }

  /** Hang the card before another one of a lane (or at its end); say where it is. */
  place(lane, before) {
    const list = lane.querySelector("ul");
    if (before !== this.card && (this.card.parentElement !== list || near(this.card, "nextElementSibling") !== before)) {
      list.insertBefore(this.card, before ?? list.querySelector("[data-lane-end]"));
    }
    const all = cardsIn(lane);
    announce(say("over", { lane: lane.dataset.laneName, place: all.indexOf(this.card) + 1, count: all.length }));
  }

  back(tell = true) {
    this.anchor.parent.insertBefore(this.card, this.anchor.before?.parentNode === this.anchor.parent ? this.anchor.before : null);
    this.#done();
    if (tell) announce(say("returned", { title: this.card.dataset.title }));
  }

  /** Make it true. A refusal puts the card back and says why. */
  async drop() {
    const lane = laneOf(this.card);
    if (!this.moved) return this.#done();
    if (!accepts(lane, this.from)) {
      this.back(false);
      return toast(say("refused_lane", { source: this.from.dataset.laneName, target: lane.dataset.laneName }), { tone: "bad" });
    }
    const reason = lane !== this.from && "laneReason" in lane.dataset ? await ask(say("reason"), { hint: say("reason_hint"), text: true }) : undefined;
    if (reason === null) return this.back();
    this.card.classList.add("waiting");
    try {
      const answer = await send(this.board.dataset.boardMove.replace("{id}", this.card.dataset.card), this.#request(lane, reason));
      this.card.dataset.version = (answer.data ?? answer).version;
      this.#done();
      this.#tell(lane);
    } catch (refusal) {
      this.back(false);
      toast(refusal.detail ?? say("failed"), { tone: "bad" });
    }
  }

  #request(lane, reason) {
    const [after, before] = [near(this.card, "previousElementSibling"), near(this.card, "nextElementSibling")];
    return {
      status: status(lane),
      after: after?.dataset.card ?? null,
      before: before?.dataset.card ?? null,
      version: Number(this.card.dataset.version),
      ...(reason ? { reason } : {}),
    };
  }

  #tell(lane) {
    const text = say("moved", { title: this.card.dataset.title, lane: lane.dataset.laneName });
    announce(text);
    const undoable = accepts(this.from, lane) && !(lane !== this.from && "laneReason" in this.from.dataset);
    if (lane !== this.from || undoable) toast(text, { undo: undoable ? () => this.#undo() : null });
  }

  #undo() {
    const card = document.getElementById(this.card.id);
    if (!card) return;
    const again = new Carry(card);
    const lane = this.board.isConnected ? this.from : again.board.querySelector(`[data-lane="${CSS.escape(status(this.from))}"]`);
    const next = document.getElementById(this.anchor.card ?? "");
    again.place(lane, next && laneOf(next) === lane ? next : null);
    again.drop();
  }

  #done() {
    this.board.removeAttribute("data-carrying");
    this.board.classList.remove("carrying");
    this.card.classList.remove("waiting", "lifted", "hole");
    for (const lane of this.board.querySelectorAll(".refuses, .over")) lane.classList.remove("refuses", "over");
  }
}
