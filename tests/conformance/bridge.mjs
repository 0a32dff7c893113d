// Passes batches of operations to the published JavaScript client: one line of JSON in, one out.
// Run as: node bridge.mjs SERVER_URL USER KEY, with @ftrack/api in a node_modules folder above.
import { createInterface } from "node:readline";
import { Session } from "@ftrack/api";

const [url, user, key] = process.argv.slice(2);
const session = new Session(url, user, key, { autoConnectEventHub: false });

// The client takes dates as the dates of the language.
const revive = (_, value) =>
  value?.__type__ === "datetime"
    ? new Date(/Z|[+-]\d\d:\d\d$/.test(value.value) ? value.value : `${value.value}Z`)
    : value;

// The client answers moments, and gives each entity once, so that an entity may contain itself.
const plain = (value, above = []) => {
  if (value === null || typeof value !== "object") return value;
  if (value._isAMomentObject)
    return { __type__: "datetime", value: value.toISOString().replace(/\.000Z$/, "") };
  if (above.includes(value)) return { __entity_type__: value.__entity_type__, id: value.id };
  const next = [...above, value];
  if (Array.isArray(value)) return value.map((each) => plain(each, next));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each, next)]));
};

for await (const line of createInterface({ input: process.stdin })) {
  let told;
  try {
    await session.initializing;
    told = { results: plain(await session.call(JSON.parse(line, revive))) };
  } catch (error) {
    told = { problem: error.name ?? "Error", text: String(error.message), code: error.errorCode };
  }
  console.log(JSON.stringify(told));
}
