// The WebSocket: opened with a one-time ticket, kept alive, opened again with growing pauses, positions kept.
import { meta, send } from "./page.js";

const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 20000;
const HEARTBEAT = 25000;
const SILENCE = 60000;
const SHUT_OUT = 4403;
const BROKEN = 1006; // closed without a word: mostly a proxy that knows no sockets
const HOPELESS = 3; // sockets in a row that never opened

export class Line {
  #socket = null;
  #pause = FIRST_PAUSE;
  #wanted = new Map(); // channel -> last position seen, or null
  #ready = false;
  #heard = 0;
  #timer = 0;
  #failed = 0;
  #told = 0; // the pause the server named when it sent us away
  #sent = false; // whether that is what we wait for: nothing makes it shorter, or all would come at once

  /** `on` is told: event(channel, message), gap(channel) when events may be missing, state(connected), barred() when no socket ever opens, ended() when the session is over. */
  constructor(on) {
    this.on = on;
    setInterval(() => this.#beat(), HEARTBEAT);
  }

  /** Follow exactly these channels; `since` is where the page's content stands. */
  follow(channels) {
    for (const channel of this.#wanted.keys()) {
      if (!channels.has(channel)) {
        this.#wanted.delete(channel);
        this.#say({ op: "unsubscribe", channel });
      }
    }
    for (const [channel, since] of channels) {
      if (this.#wanted.has(channel)) continue;
      this.#wanted.set(channel, since);
      this.#subscribe(channel);
    }
    if (this.#wanted.size && !this.#socket && !this.#timer) this.open();
  }

  async open() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#sent = false;
    if (this.#socket) return;
    this.#socket = {};
    try {
      const answer = await send("/api/v1/auth/ticket", {});
      const url = new URL(meta("zena-live"), location.href);
      url.protocol = url.protocol.replace("http", "ws");
      const socket = (this.#socket = new WebSocket(url));
      socket.addEventListener("open", () => socket.send(JSON.stringify({ op: "authenticate", ticket: (answer.data ?? answer).ticket })));
      socket.addEventListener("message", (message) => this.#take(JSON.parse(message.data)));
      socket.addEventListener("close", (event) => this.#closed(event.code));
    } catch (refusal) {
      this.#closed(refusal.status === 401 || refusal.status === 403 ? SHUT_OUT : 0);
    }
  }

  /** Look whether the line is still there, e.g. after the computer slept. */
  check() {
    if (!this.#socket && this.#wanted.size) this.#sent || this.open();
    else if (this.#ready && Date.now() - this.#heard > SILENCE) this.#socket.close();
    else this.#say({ op: "ping" });
  }

  #take(message) {
    this.#heard = Date.now();
    const { op, channel, position } = message;
    if (op === "authentication") {
      this.#ready = true;
      this.#failed = -Infinity;
      this.#pause = FIRST_PAUSE;
      this.on.state(true);
      for (const each of this.#wanted.keys()) this.#subscribe(each);
    } else if (op === "subscription") {
      const blind = this.#wanted.get(channel) === null;
      this.#wanted.set(channel, Math.max(position, this.#wanted.get(channel) ?? 0));
      if (blind || message.recovered === false) this.on.gap(channel);
    } else if (op === "event" && this.#wanted.has(channel)) {
      this.#wanted.set(channel, position);
      this.on.event(channel, message);
    } else if (op === "error" && message.retry_after) {
      this.#told = message.retry_after * 1000;
    } else if ((op === "pong" || op === "mark") && position !== undefined) {
      for (const [each, since] of this.#wanted) if (since !== null) this.#wanted.set(each, Math.max(since, position));
    }
  }

  #subscribe(channel) {
    const since = this.#wanted.get(channel);
    this.#say(since === null ? { op: "subscribe", channel } : { op: "subscribe", channel, since });
  }

  #say(message) {
    if (this.#ready) this.#socket.send(JSON.stringify(message));
  }

  #beat() {
    if (this.#ready) this.check();
  }

  #closed(code) {
    this.#socket = null;
    this.#ready = false;
    if (!this.#wanted.size) return;
    if (code === SHUT_OUT) return this.on.ended();
    this.on.state(false);
    if (code === BROKEN && ++this.#failed >= HOPELESS) return this.on.barred();
    this.#sent = this.#told > 0;
    this.#timer = setTimeout(() => this.open(), this.#told || this.#pause * (0.5 + Math.random()));
    if (!this.#told) this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#told = 0;
  }
}
