// A round through the API with the published JavaScript client, told as one JSON line a step.
// Run as: node round.mjs SERVER_URL USER KEY, with @ftrack/api in a node_modules folder above.
import { Session, Event, expression, error } from "@ftrack/api";

// Uploading in parts, the client looks at what browsers have and Node does not: a window that
// hears of a lost network, a navigator that knows of it, and XMLHttpRequest.
globalThis.window = globalThis;
globalThis.addEventListener = globalThis.removeEventListener = () => {};
Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });
globalThis.XMLHttpRequest = class {
  upload = new EventTarget();
  headers = {};
  readyState = 0;
  listeners = {};
  open(method, url) {
    Object.assign(this, { method, url, readyState: 1 });
  }
  setRequestHeader(name, value) {
    this.headers[name] = value;
  }
  addEventListener(name, listener) {
    this.listeners[name] = listener;
  }
  getResponseHeader(name) {
    return this.answer.headers.get(name);
  }
  abort() {}
  tell(name) {
    this[`on${name}`]?.({ type: name, target: this });
    this.listeners[name]?.({ type: name, target: this });
  }
  async send(body) {
    try {
      this.answer = await fetch(this.url, { method: this.method, headers: this.headers, body });
      this.status = this.answer.status;
      this.responseText = this.response = await this.answer.text();
      this.readyState = 4;
      this.tell("readystatechange");
      this.tell("load");
      this.tell("loadend");
    } catch (failure) {
      this.tell("error");
    }
  }
};

const [serverUrl, user, key] = process.argv.slice(2);
const tell = (step, value) => console.log(JSON.stringify({ step, value }));
const named = (entities) => entities.map((entity) => entity.name).sort();

const session = new Session(serverUrl, user, key, { autoConnectEventHub: true, strictApi: true });
await session.initializing;
tell("session starts and knows the schemas", session.schemas.length > 100);
tell("server tells its version", typeof session.serverVersion === "string");
tell("primary key of a type", session.getPrimaryKeyAttributes("Metadata"));

const schema = (await session.query("select name from ProjectSchema order by name limit 1")).data[0];
const { data: project } = await session.create("Project", {
  name: "javascript",
  full_name: "From JavaScript",
  project_schema_id: schema.id,
});
tell("create answers the entity", [project.__entity_type__, project.name]);

const shots = ["sh010", "sh020", "sh030"].map((name) => ({
  action: "create",
  entity_type: "Shot",
  entity_data: { __entity_type__: "Shot", name, parent_id: project.id },
}));
const created = await session.call(shots);
tell("several creates in one batch", created.map((result) => result.data.name));

const queried = await session.query(
  expression`select name, parent.name, status.name from Shot where project_id is "${project.id}" order by name`
);
tell("query with projections", queried.data.map((shot) => [shot.name, shot.parent.name, shot.status.name]));
const page = await session.query(`select name from Shot where project_id is "${project.id}" order by name limit 2`);
tell("a page and where the next begins", [named(page.data), page.metadata.next.offset]);

const found = await session.search({ expression: "select name from Shot", entityType: "Shot", terms: ["sh02"] });
tell("search by a term", named(found.data));

const shot = queried.data[0];
const updated = await session.update("Shot", [shot.id], {
  description: 'quotes " and \\ and Ünïcode',
});
const task = await session.create("Task", { name: "anim", parent_id: shot.id, start_date: new Date("2023-10-10T09:50:34Z") });
tell("update answers what was sent", updated.data.description);
const again = (await session.query(`select parent.description, start_date from Task where id is "${task.data.id}"`)).data[0];
tell("changes and dates are stored", [again.parent.description, again.start_date.toISOString()]);

const ensured = await session.ensure("Shot", { name: "sh010", parent_id: project.id, description: "ensured" }, ["name", "parent_id"]);
tell("ensure finds and changes", [ensured.id === shot.id, ensured.description]);
const made = await session.ensure("Shot", { name: "sh040", parent_id: project.id }, ["name", "parent_id"]);
tell("ensure makes what is missing", made.name);

await session.create("Metadata", { key: "k", value: "v", parent_id: shot.id, parent_type: "Shot" });
const withMetadata = await session.query(`select metadata from Shot where metadata any (key is "k" and value is "v")`);
tell("metadata is found", withMetadata.data.map((entity) => entity.metadata.map((item) => [item.key, item.value])));

await session.delete("Shot", [made.id]);
tell("a deleted entity is gone", (await session.query(`Shot where id is "${made.id}"`)).data.length);

const failing = async (step, promise) => {
  try {
    await promise;
    tell(step, "no error");
  } catch (failure) {
    tell(step, [failure instanceof error.ServerError, failure.name, failure.message.split("\n")[0]]);
  }
};
await failing("an unknown attribute", session.update("Shot", [shot.id], { nmae: "x" }));
await failing("a syntax error", session.query("select name fro Shot"));
await failing("a name that is taken", session.create("Shot", { name: "sh010", parent_id: project.id }));
await failing("an unknown action", session.call([{ action: "dance" }]));
const stranger = new Session(serverUrl, user, "wrong");
await failing("a wrong key", stranger.initializing);
await failing("a batch is all or nothing", session.call([
  { action: "create", entity_type: "Shot", entity_data: { __entity_type__: "Shot", name: "sh050", parent_id: project.id } },
  { action: "update", entity_type: "Shot", entity_key: ["nothing"], entity_data: { __entity_type__: "Shot", name: "x" } },
]));
tell("nothing of it is left", (await session.query(`Shot where name is "sh050"`)).data.length);

// Events: what it publishes comes back to its own subscription, and changes are told.
const hub = session.eventHub;
const received = (topic, act) =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${topic} within 10 s`)), 10000);
    hub.subscribe(`topic=${topic}`, (event) => {
      clearTimeout(late);
      resolve(event);
    });
    act();
  });
const echo = await received("javascript.echo", () => hub.publish(new Event("javascript.echo", { number: 1 })));
tell("a published event comes back", [echo.data.number, echo.source.user.username]);
const change = await received("ftrack.update", () => session.update("Shot", [shot.id], { name: "sh011" }));
const entity = change.data.entities.find((item) => item.entityId === shot.id);
tell("a change is told", [entity.action, entity.entityType, entity.changes.name]);
hub.subscribe("topic=javascript.question", (event) => ({ answer: event.data.number + 1 }));
const reply = await hub.publishAndWaitForReply(new Event("javascript.question", { number: 41 }), { timeout: 10 });
tell("a question is replied to", reply.data);

// Files: one part, then several.
const upload = async (size) => {
  const bytes = new Uint8Array(size).map((_, index) => index % 251);
  const file = new File([bytes], "plate.bin");
  const [component, location] = await session.createComponent(file, { data: { name: "main" } });
  const answer = await fetch(session.getComponentUrl(component.data.id));
  const back = new Uint8Array(await answer.arrayBuffer());
  return [
    component.data.name,
    location.data.resource_identifier === component.data.id,
    back.length,
    back.every((value, index) => value === index % 251),
  ];
};
tell("a small file goes up and comes down", await upload(1000));
tell("a file of several parts goes up and comes down", await upload(20 * 1024 * 1024));
tell("a thumbnail is an image", (await fetch(session.thumbnailUrl(shot.id))).headers.get("content-type").split("/")[0]);

hub.disconnect?.();
process.exit(0);
