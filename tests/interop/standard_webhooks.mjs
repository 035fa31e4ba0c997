// Verifies a received webhook with the npm package standardwebhooks, and checks what it must refuse.
// Arguments: secret, headers file ("Name: value" lines), body file. Prints one JSON object.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const [secret, headersFile, bodyFile] = process.argv.slice(2);
const headers = {};
for (const line of readFileSync(headersFile, "utf8").split("\n")) {
  const colon = line.indexOf(":");
  if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
}
const body = readFileSync(bodyFile);
const text = body.toString("utf8");

function verdict(key, payload, heads) {
  try {
    new Webhook(key).verify(payload, heads);
    return "valid";
  } catch (e) {
    return e.message;
  }
}

const old = { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) - 3600) };
const otherSecret = "whsec_" + Buffer.alloc(32, 7).toString("base64");
console.log(JSON.stringify({
  asReceived: verdict(secret, body, headers),
  parsedAndWrittenAgain: verdict(secret, JSON.stringify(JSON.parse(text)), headers),
  changedBody: verdict(secret, text.replace("COMPLETED", "FAILED"), headers),
  oldTimestamp: verdict(secret, body, old),
  wrongSecret: verdict(otherSecret, body, headers),
  isNonAscii: /[^\x00-\x7f]/.test(text),
}));
