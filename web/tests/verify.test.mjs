/** The inspector's verdicts, against signatures that Node makes, and beside what `callhook verify` says. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { before, test } from "node:test";
import { build } from "vite";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
const OTHER = "whsec_TmV4dCBzZWNyZXQgd2l0aCAzMiBieXRlcyBoZXJlISE=";
const BODY = '{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","status":"COMPLETED","summary":"é"}';
const NOW_S = 1722350700;
let verify, parseHeaders;

before(async () => {
	const made = await build({
		configFile: false,
		logLevel: "silent",
		build: { write: false, lib: { entry: "src/verify.ts", formats: ["es"] } },
	});
	const code = made[0].output[0].code;
	({ verify, parseHeaders } = await import("data:text/javascript," + encodeURIComponent(code)));
});

const plain = (body = BODY, key = SECRET) => createHmac("sha256", key).update(body).digest("hex");
const decoded = (secret = SECRET) => Buffer.from(secret.slice(6), "base64");
const standard = (body = BODY, key = decoded(), id = "msg", at = NOW_S) =>
	"v1," + createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64");

function check(headers, changes = {}) {
	const found = verify({
		headers: parseHeaders(
			Object.entries(headers)
				.map(([n, v]) => `${n}: ${v}`)
				.join("\r\n"),
		),
		body: Buffer.from(changes.body ?? BODY),
		secret: changes.secret ?? SECRET,
		others: changes.others ?? [],
		now: new Date((changes.now ?? NOW_S) * 1000),
		toleranceSeconds: 300,
	});
	return typeof found === "string" ? found : found.map((r) => r.verdict).join(" ");
}

const framed = (signature, more = {}) => ({
	"webhook-id": "msg",
	"webhook-timestamp": NOW_S,
	"webhook-signature": signature,
	...more,
});

test("what is signed as prescribed is valid", () => {
	assert.equal(check({ "X-Webhook-Signature": plain() }), "valid");
	assert.equal(check(framed(standard())), "valid");
	assert.equal(check(framed(standard(), { "X-Webhook-Signature": plain() })), "valid valid");
	assert.equal(check(framed(standard(BODY, decoded(OTHER)) + " " + standard())), "valid");
});

test("what can't be checked is said", () => {
	assert.equal(check({}), "unsigned");
	assert.equal(check({ "X-Webhook-Signature": plain() }, { body: "" }), "noBody");
	assert.equal(check({ "X-Webhook-Signature": plain() }, { secret: "whsec_short" }), "badSecret");
	assert.equal(check({ "X-Webhook-Signature": "nonsense" }), "unreadable");
	assert.equal(check({ "webhook-signature": standard() }), "unreadable");
});

test("each mistake has its name", () => {
	assert.equal(check({ "X-Webhook-Signature": plain().toUpperCase() }), "spelledOtherwise");
	assert.equal(
		check({ "X-Webhook-Signature": Buffer.from(plain(), "hex").toString("base64") }),
		"spelledOtherwise",
	);
	assert.equal(check({ "X-Webhook-Signature": plain(BODY, decoded()) }), "secretDecoded");
	assert.equal(check(framed(standard(BODY, SECRET))), "secretAsText");
	assert.equal(check({ "X-Webhook-Signature": plain(BODY, OTHER) }, { others: [OTHER] }), "otherSecret");
	assert.equal(check({ "X-Webhook-Signature": plain(BODY, OTHER) }), "unexplained");
	assert.equal(
		check({ "X-Webhook-Signature": plain(BODY, OTHER), "X-Webhook-Signature-Next": plain() }),
		"nextSecret",
	);
});

test("a body that was written again is told from one that was changed", () => {
	const signed = { "X-Webhook-Signature": plain() };
	assert.equal(check(signed, { body: JSON.stringify(JSON.parse(BODY), null, 2) }), "otherWhitespace");
	assert.equal(check(signed, { body: BODY + "\n" }), "otherWhitespace");
	const { id, ...rest } = JSON.parse(BODY);
	assert.equal(check(signed, { body: JSON.stringify({ ...rest, id }) }), "otherKeyOrder");
	assert.equal(check(signed, { body: BODY.replace("é", "e") }), "unexplained");
});

test("time and id are part of the standard signature", () => {
	assert.equal(check(framed(standard()), { now: NOW_S + 301 }), "stale");
	assert.equal(check(framed(standard()), { now: NOW_S - 301 }), "stale");
	assert.equal(check(framed(standard()), { now: NOW_S + 299 }), "valid");
	const moved = framed(standard(BODY, decoded(), "other"), { "X-Webhook-Signature": plain() });
	assert.equal(check(moved), "valid otherTimestampOrId");
});
