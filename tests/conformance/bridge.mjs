// Passes batches of operations to the published JavaScript client: one line of JSON in, one out.
// Run as: node bridge.mjs SERVER_URL USER KEY, with @ftrack/api in a node_modules folder above.
import { createInterface } from "node:readline";
import { Session } from "@ftrack/api";

const [url, user, key] = process.argv.slice(2);
const session = new Session(url, user, key, { autoConnectEventHub: false });

for await (const line of createInterface({ input: process.stdin })) {
  let told;
  try {
    await session.initializing;
    told = { results: await session.call(JSON.parse(line), { decodeDatesAsIso: true }) };
  } catch (error) {
    told = { problem: error.name ?? "Error", text: String(error.message), code: error.errorCode };
  }
  console.log(JSON.stringify(told));
}
