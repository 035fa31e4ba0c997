/** Is this signature good, and if not, why not? The same explanations as `callhook verify` gives, tried from the
 * likeliest to the rarest. Everything happens here in the browser; nothing is sent anywhere.
 *
 * Not with WebCrypto: that is missing on pages that came over plain http. */
import { hmac } from "@noble/hashes/hmac";
import { sha256 } from "@noble/hashes/sha256";

export type Verdict =
	| "valid"
	| "stale"
	| "unsigned"
	| "noBody"
	| "badSecret"
	| "unreadable"
	| "nextSecret"
	| "otherSecret"
	| "spelledOtherwise"
	| "secretAsText"
	| "secretDecoded"
	| "otherWhitespace"
	| "otherKeyOrder"
	| "otherTimestampOrId"
	| "unexplained";

export interface Received {
	headers: Map<string, string>; // names in lower case
	body: Uint8Array;
	secret: string;
	others: string[]; // secrets that may have been used instead
	now: Date;
	toleranceSeconds: number;
}

export interface SchemeResult {
	scheme: "X-Webhook-Signature" | "webhook-signature";
	verdict: Verdict;
	expected: string | null;
	received: string;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

export function parseHeaders(text: string): Map<string, string> {
	const headers = new Map<string, string>();
	for (const line of text.split(/\r?\n/)) {
		const found = /^\s*(?:[<>]\s*)?([A-Za-z0-9-]+)\s*:\s*(.*?)\s*$/.exec(line);
		if (found) headers.set((found[1] as string).toLowerCase(), found[2] as string);
	}
	return headers;
}

function unbase64(text: string): Uint8Array | null {
	const plain = text.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "");
	if (!/^[A-Za-z0-9+/]+$/.test(plain)) return null;
	try {
		return Uint8Array.from(atob(plain), (c) => c.charCodeAt(0));
	} catch {
		return null;
	}
}

/** The key of the Standard Webhooks scheme: the bytes behind whsec_, or the secret's own when it has no prefix. */
function decodedKey(secret: string): Uint8Array | null {
	return secret.startsWith("whsec_") ? unbase64(secret.slice(6)) : encode(secret);
}

export function isUsableSecret(secret: string): boolean {
	const key = decodedKey(secret);
	if (secret.startsWith("whsec_")) return key !== null && key.length >= 24 && key.length <= 64;
	return secret.length >= 16 && secret.length <= 128 && /^[\x21-\x7e]+$/.test(secret);
}

interface Entry {
	mac: string; // lower-case hex
	isAsPrescribed: boolean;
}

function readEntry(text: string, isStandard: boolean): Entry | null {
	const hasVersion = text.startsWith("v1,");
	const bare = text.replace(/^v1,/, "").replace(/^sha256=/i, "");
	if (/^[0-9a-fA-F]{64}$/.test(bare))
		return {
			mac: bare.toLowerCase(),
			isAsPrescribed: !isStandard && bare === text && bare === bare.toLowerCase(),
		};
	const bytes = unbase64(bare);
	if (bytes?.length !== 32) return null;
	return { mac: hex(bytes), isAsPrescribed: isStandard && hasVersion && base64(bytes) === bare };
}

const readEntries = (text: string, isStandard: boolean): Entry[] =>
	text
		.split(/\s+/)
		.filter((one) => one && !/^v(?!1,)\w+,/.test(one))
		.map((one) => readEntry(one, isStandard))
		.filter((one) => one !== null);

/** The record's members in the order in which callhook writes them. */
const ORDER = [
	"id",
	"agentId",
	"phone",
	"type",
	"duration",
	"startTime",
	"endTime",
	"anonymous",
	"status",
	"extractors",
	"extractorData",
	"classifiers",
	"classifierData",
	"context",
	"recorded",
	"summary",
	"created",
];

function inOrder(value: unknown): unknown {
	if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
	const record = value as Record<string, unknown>;
	const out: Record<string, unknown> = {};
	for (const name of ORDER) if (name in record) out[name] = record[name];
	for (const name of Object.keys(record)) if (!(name in out)) out[name] = record[name];
	for (const list of ["extractors", "classifiers"])
		if (Array.isArray(out[list])) out[list] = (out[list] as unknown[]).map(named);
	return out;
}

/** Extractors and classifiers: name, value, type, at every depth. */
function named(value: unknown): unknown {
	if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
	const { name, value: inner, ...rest } = value as Record<string, unknown>;
	return {
		...(name !== undefined && { name }),
		...(inner !== undefined && { value: Array.isArray(inner) ? inner.map(named) : inner }),
		...rest,
	};
}

type Form = [Uint8Array, Verdict];

function otherForms(body: Uint8Array): Form[] {
	const text = new TextDecoder().decode(body);
	const forms: Form[] = [
		[encode(text.replace(/\r\n/g, "\n")), "otherWhitespace"],
		[encode(text.replace(/\r?\n/g, "\r\n")), "otherWhitespace"],
		[encode(text.trim()), "otherWhitespace"],
		[encode(text + "\n"), "otherWhitespace"],
	];
	try {
		const value: unknown = JSON.parse(text);
		forms.push([encode(JSON.stringify(value)), "otherWhitespace"]);
		forms.push([encode(JSON.stringify(inOrder(value))), "otherKeyOrder"]);
	} catch {
		// Not JSON: nothing more to try.
	}
	return forms;
}

function signed(r: Received, body: Uint8Array, isStandard: boolean): Uint8Array {
	if (!isStandard) return body;
	const head = encode(`${r.headers.get("webhook-id") ?? ""}.${r.headers.get("webhook-timestamp") ?? ""}.`);
	const all = new Uint8Array(head.length + body.length);
	all.set(head);
	all.set(body, head.length);
	return all;
}

function explain(r: Received, entries: Entry[], isStandard: boolean): Verdict {
	const keyOf = (secret: string): Uint8Array | null => (isStandard ? decodedKey(secret) : encode(secret));
	const find = (key: Uint8Array | null, body: Uint8Array): Entry | undefined => {
		if (!key) return undefined;
		const mac = hex(hmac(sha256, key, signed(r, body, isStandard)));
		return entries.find((e) => e.mac === mac && e.isAsPrescribed) ?? entries.find((e) => e.mac === mac);
	};
	const key = keyOf(r.secret);
	const plain = find(key, r.body);
	if (plain) return plain.isAsPrescribed ? "valid" : "spelledOtherwise";
	for (const other of r.others) if (find(keyOf(other), r.body)) return "otherSecret";
	const swapped = isStandard ? encode(r.secret) : decodedKey(r.secret);
	if (find(swapped, r.body)) return isStandard ? "secretAsText" : "secretDecoded";
	for (const [form, verdict] of otherForms(r.body)) if (find(key, form)) return verdict;
	return "unexplained";
}

function isStale(r: Received): boolean {
	const at = Number(r.headers.get("webhook-timestamp"));
	return !(Math.abs(r.now.getTime() / 1000 - at) <= r.toleranceSeconds);
}

function plainScheme(r: Received, text: string): SchemeResult {
	const entries = readEntries(text, false);
	let verdict: Verdict = entries.length ? explain(r, entries, false) : "unreadable";
	const next = r.headers.get("x-webhook-signature-next");
	if (verdict === "unexplained" && next && explain(r, readEntries(next, false), false) === "valid")
		verdict = "nextSecret";
	return {
		scheme: "X-Webhook-Signature",
		verdict,
		expected: hex(hmac(sha256, encode(r.secret), r.body)),
		received: text,
	};
}

function standardScheme(r: Received, text: string, plain: Verdict | undefined): SchemeResult {
	const entries = readEntries(text, true);
	const key = decodedKey(r.secret);
	const hasFrame = r.headers.has("webhook-id") && r.headers.has("webhook-timestamp");
	let verdict: Verdict = entries.length && hasFrame ? explain(r, entries, true) : "unreadable";
	// Body and secret are right, or the other header would not fit: so what is signed beside them differs.
	if (verdict === "unexplained" && (plain === "valid" || plain === "nextSecret"))
		verdict = "otherTimestampOrId";
	if (verdict === "valid" && isStale(r)) verdict = "stale";
	return {
		scheme: "webhook-signature",
		verdict,
		expected: key && "v1," + base64(hmac(sha256, key, signed(r, r.body, true))),
		received: text,
	};
}

/** One result for each of the two headers that came. What makes checking pointless comes alone, as a verdict. */
export function verify(r: Received): SchemeResult[] | Verdict {
	if (!isUsableSecret(r.secret)) return "badSecret";
	if (r.body.length === 0) return "noBody";
	const plain = r.headers.get("x-webhook-signature");
	const standard = r.headers.get("webhook-signature");
	const results: SchemeResult[] = [];
	if (plain !== undefined) results.push(plainScheme(r, plain));
	if (standard !== undefined) results.push(standardScheme(r, standard, results[0]?.verdict));
	return results.length ? results : "unsigned";
}
