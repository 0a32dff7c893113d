// The page's connection for events: Socket.IO 0.9 over a websocket, as the client libraries use it.

const OPEN_AGAIN_SECONDS = [0.5, 1, 2, 5, 10, 30];

/** Return 32 random hex digits. The browser's own function exists only on pages with HTTPS. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class EventHub {
  #formToken;
  #id = newId();
  #subscriptions = []; // the data of ftrack.meta.subscribe, to repeat on a new connection
  #callbacks = []; // [topic, callback] of the subscriptions
  #asked = new Map(); // what to call with each reply to an event, by the id of the event
  #waiting = []; // packets for the time when the websocket is open
  #socket = null;
  #failures = 0;
  #leaving = false;

  /** *formToken* proves that this page asks. *onState* is called with "open", "lost" or "denied". */
  constructor(formToken, onState = () => {}) {
    this.#formToken = formToken;
    this.onState = onState;
    this.#add("ftrack.meta.reply", "", {}, this.#id);
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.connect(); // the browser took the page from its cache
    });
  }

  /** Open the connection, and open it again whenever it is lost. */
  async connect() {
    this.#leaving = false;
    let response = null;
    try {
      const body = new URLSearchParams({ form_token: this.#formToken });
      response = await fetch("/browse/connection", { method: "POST", body });
    } catch {
      // Ignore the error: the server cannot be reached, and the next attempt follows.
    }
    if (response?.status === 403) return this.onState("denied");
    if (!response?.ok) return this.#lost();
    const [session] = (await response.text()).split(":");
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/socket.io/1/websocket/${session}`);
    socket.onmessage = (message) => this.#receive(socket, message.data);
    socket.onclose = () => this.#lost();
  }

  /** Call *callback* with each event of *topic* whose target fits *metadata*. */
  subscribe(topic, metadata, callback) {
    const data = this.#add(topic, callback, metadata, newId());
    if (this.#socket) this.#send("ftrack.meta.subscribe", data);
  }

  /** Publish an event; *onReply* is called with the data of each reply, however late. */
  publish(topic, data, onReply) {
    const id = newId();
    if (onReply) this.#asked.set(id, onReply);
    this.#send(topic, data, id);
  }

  #add(topic, callback, metadata, id) {
    const data = { subscriber: { ...metadata, id }, subscription: `topic=${topic}` };
    this.#subscriptions.push(data);
    if (callback) this.#callbacks.push([topic, callback]);
    return data;
  }

  #send(topic, data, id = newId()) {
    const packet = this.#packet(topic, data, id);
    if (this.#socket) this.#socket.send(packet);
    else this.#waiting.push(packet);
  }

  #packet(topic, data, id) {
    // The server adds the user to the source, as it does for every connection.
    const event = { id, topic, data, source: { id: this.#id }, target: "", inReplyToEvent: null, sent: null };
    return `5:::${JSON.stringify({ name: "ftrack.event", args: [event] })}`;
  }

  #receive(socket, packet) {
    if (packet.startsWith("1:")) this.#opened(socket);
    else if (packet.startsWith("2:")) socket.send("2::");
    else if (packet.startsWith("5:")) {
      const { name, args } = JSON.parse(/^5:[^:]*:[^:]*:(.*)$/s.exec(packet)[1]);
      if (name === "ftrack.event") args.forEach((event) => this.#handle(event));
    }
  }

  #opened(socket) {
    this.#socket = socket;
    this.#failures = 0;
    for (const data of this.#subscriptions) this.#send("ftrack.meta.subscribe", data);
    for (const packet of this.#waiting.splice(0)) socket.send(packet);
    this.onState("open");
  }

  #handle(event) {
    if (event.topic === "ftrack.meta.reply") this.#asked.get(event.inReplyToEvent)?.(event.data);
    else for (const [topic, callback] of this.#callbacks) if (topic === event.topic) callback(event.data);
  }

  #lost() {
    this.#socket = null;
    if (this.#leaving) return;
    this.onState("lost");
    const seconds = OPEN_AGAIN_SECONDS[Math.min(this.#failures++, OPEN_AGAIN_SECONDS.length - 1)];
    setTimeout(() => this.#leaving || this.connect(), seconds * 1000);
  }

  #leave() {
    this.#leaving = true;
    this.#socket?.send("0::"); // the server then keeps no events for this page
    this.#socket?.close();
  }
}
