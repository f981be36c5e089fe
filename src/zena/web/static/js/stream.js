// The same events over plain HTTP, for networks that let no socket through. Slower to start, otherwise alike.

export class Stream {
  #source = null;
  #key = "";

  /** `on` is told the same as by Line. */
  constructor(on) {
    this.on = on;
  }

  /** Follow exactly these channels. A stream cannot say where a page stands, so each region is drawn once when it opens. */
  follow(channels) {
    const key = [...channels.keys()].sort().join(" ");
    if (key === this.#key) return;
    this.#key = key;
    this.#open();
  }

  check() {
    if (this.#source?.readyState === EventSource.CLOSED) this.#open();
  }

  #open() {
    this.#source?.close();
    this.#source = null;
    if (!this.#key) return;
    const query = new URLSearchParams(this.#key.split(" ").map((channel) => ["channel", channel]));
    const source = (this.#source = new EventSource(`/api/v1/app/events?${query}`));
    const known = new Set();
    source.addEventListener("subscription", ({ data }) => {
      const { channel, recovered } = JSON.parse(data);
      this.on.state(true);
      if (!known.has(channel) || recovered === false) this.on.gap(channel);
      known.add(channel);
    });
    source.addEventListener("event", ({ data }) => this.on.event(JSON.parse(data).channel));
    source.addEventListener("error", () => this.on.state(false));
  }
}
