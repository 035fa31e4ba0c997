// Receives callhook's webhooks and verifies them. Node 18 or later is all it needs:
//
//     WEBHOOK_SECRET=whsec_... node receiver.mjs 9000

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";

const TOLERANCE_SECONDS = 300;

/** A secret of your own without the prefix is used as it is. */
function keyOf(secret) {
  const prefix = "whsec_";
  return secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), "base64") : Buffer.from(secret);
}

function isEqual(a, b) {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The body must be the bytes that came: not parsed, not decoded, not written again. */
function isGenuine(key, headers, body) {
  const timestamp = headers["webhook-timestamp"] ?? "";
  const age = Date.now() / 1000 - Number(timestamp);
  if (!/^[0-9]+$/.test(timestamp) || Math.abs(age) > TOLERANCE_SECONDS) {
    return false;
  }
  const mac = createHmac("sha256", key).update(`${headers["webhook-id"]}.${timestamp}.`).update(body);
  const expected = Buffer.from("v1," + mac.digest("base64"));
  // While a secret is rotated there are two, with a space between them.
  const signatures = (headers["webhook-signature"] ?? "").split(" ");
  return signatures.some((signature) => isEqual(expected, Buffer.from(signature)));
}

const key = keyOf(process.env.WEBHOOK_SECRET);
const server = createServer(async (request, response) => {
  const body = await buffer(request);
  const good = isGenuine(key, request.headers, body);
  if (good) {
    // Keep the body under its webhook-id here, and do the work afterwards.
    console.log(`call ${request.headers["webhook-id"]}`);
  }
  response.writeHead(good ? 204 : 401).end();
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => {
  console.log(`listening on port ${server.address().port}`);
});
