// The canonical body against JavaScript itself.
//
//   node fixed_point.mjs DRIVER [--seed N] [--records N]
//
// Makes records with hostile content in hostile spellings, sends them through the codec, and checks that
// each body is a fixed point of JSON.stringify(JSON.parse(body)), says what was meant (defaults and derived
// fields are made again here, from the contract), and stays as it is in a second pass. Then records that
// must be refused, each with the place of its mistake; then numbers, bit by bit.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

const args = process.argv.slice(2);
const driver = args[0];
const option = (name, otherwise) => {
  const at = args.indexOf(name);
  return at < 0 ? otherwise : Number(args[at + 1]);
};
const seed = option("--seed", Date.now() % 2 ** 31);
const recordCount = option("--records", 4000);
console.log(`seed ${seed}`);

// mulberry32
let state = seed >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const chance = (p) => random() < p;
const pick = (list) => list[below(list.length)];

function shuffle(list) {
  for (let i = list.length - 1; i > 0; i--) {
    const k = below(i + 1);
    [list[i], list[k]] = [list[k], list[i]];
  }
  return list;
}

function run(mode, lines) {
  const input = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from("\n")]));
  const done = spawnSync(driver, [mode], { input, maxBuffer: 2 ** 30 });
  if (done.error) throw done.error;
  assert.equal(done.status, 0, done.stderr.toString());
  // Invalid UTF-8 in an answer must not pass unseen.
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(done.stdout);
  const answers = text.split("\n");
  assert.equal(answers.pop(), "");
  assert.equal(answers.length, lines.length);
  return answers;
}

// ---- what is meant: JavaScript values, but an object is a list of pairs, so that the order and the
// spelling of its keys are ours.

class Pairs {
  constructor(pairs) {
    this.pairs = pairs;
  }
}

const put = (object, key, value) =>
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });

function toJs(value) {
  if (Array.isArray(value)) return value.map(toJs);
  if (!(value instanceof Pairs)) return value;
  const object = {};
  for (const [key, member] of value.pairs) put(object, key, toJs(member));
  return object;
}

const oddStrings = [
  "", "a", "é", "\u2028", "\u2029", "\u007f", "\u0080", "😀", "𝒳y", "\uffff", "\ufeff", '"', "\\", "/", "</script>",
  "\b\t\n\f\r", "\u0001\u001f\u000b", "\u00e9 and e\u0301", "null", "0", "~1", "a/b", "日本語",
];
const oddKeys = [
  "", "__proto__", "constructor", "toString", "hasOwnProperty", "length", "0", "1", "2", "10", "007", "-0", "-1",
  "1.5", "1e3", "4294967294", "4294967295", "4294967296", "9007199254740993", "99999999999999999999", "system.phone",
  "name", "value", "id", ...oddStrings,
];

function randomString() {
  if (chance(0.3)) return pick(oddStrings);
  let text = "";
  for (let n = below(chance(0.05) ? 300 : 12); n > 0; n--) {
    const kind = random();
    if (kind < 0.7) text += String.fromCharCode(0x20 + below(0x5f));
    else if (kind < 0.8) text += String.fromCharCode(1 + below(0x1f));
    else if (kind < 0.9) text += String.fromCodePoint(0x80 + below(0xd800 - 0x80));
    else if (kind < 0.95) text += String.fromCodePoint(0xe000 + below(0x2000));
    else text += String.fromCodePoint(0x10000 + below(0x100000));
  }
  return text;
}

const randomKey = () => (chance(0.5) ? pick(oddKeys) : chance(0.3) ? String(below(1e6)) : randomString());

function randomBits() {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint32(0, Math.floor(random() * 2 ** 32));
  bytes.setUint32(4, Math.floor(random() * 2 ** 32));
  return bytes.getFloat64(0);
}

const oddNumbers = [
  0, -0, 1, -1, 0.1, 0.2 + 0.1, 1 / 3, 5e-324, -5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1e-6, 1e-7,
  1.5e-7, 123456.789, 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 52 - 0.5, 4.35, 100, 1e15, 1.7976931348623157, 2 ** -44, 2 ** -24,
  1e21, -1.5e21, 1e300, Number.MAX_VALUE,
];

function randomNumber() {
  const kind = random();
  if (kind < 0.3) return pick(oddNumbers);
  if (kind < 0.5) return below(1000) - 500;
  if (kind < 0.6) return Math.floor((random() * 2 - 1) * 2 ** 53);
  if (kind < 0.8) return (random() - 0.5) * 10 ** below(12);
  for (;;) {
    const value = randomBits();
    if (Math.abs(value) <= 2 ** 53 - 1 || (Math.abs(value) >= 1e21 && Number.isFinite(value))) return value;
  }
}

function uniquePairs(count, makeKey, makeValue) {
  const seen = new Set();
  const pairs = [];
  for (let i = 0; i < count; i++) {
    const key = makeKey();
    if (seen.has(key)) continue;
    seen.add(key);
    pairs.push([key, makeValue()]);
  }
  return new Pairs(pairs);
}

// room: how many containers may be inside each other, this value included.
function randomValue(room) {
  const kind = random();
  if (room > 0 && kind < 0.15) return Array.from({ length: below(5) }, () => randomValue(room - 1));
  if (room > 0 && kind < 0.35) return randomObject(room);
  if (kind < 0.65) return randomString();
  if (kind < 0.9) return randomNumber();
  return pick([null, true, false]);
}

const randomObject = (room) => uniquePairs(below(chance(0.02) ? 60 : 7), randomKey, () => randomValue(room - 1));

function deepContext(depth) {
  let value = pick([1, "x", null, 0.5]);
  for (let i = 1; i < depth; i++) value = chance(0.5) ? [value] : new Pairs([[randomKey(), value]]);
  return new Pairs([["deep", value]]);
}

// depth: how many lists of extractors may be inside each other, this one included.
function randomExtractors(depth) {
  return Array.from({ length: below(4) }, () => {
    const nest = depth > 1 && chance(0.4);
    const value = nest ? randomExtractors(depth - 1) : Array.from({ length: below(4) }, randomString);
    return new Pairs([["name", randomKey()], ["value", value]]);
  });
}

function deepExtractors(depth) {
  let value = ["end"];
  for (let i = 0; i < depth; i++) value = [new Pairs([["name", randomKey()], ["value", value]])];
  return value;
}

const hex = (n, digits) => n.toString(16).padStart(digits, "0");
const uuid = () =>
  [8, 4, 4, 4, 12].map((n) => Array.from({ length: n }, () => hex(below(16), 1)).join("")).join("-");

const iso = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19) + "Z";

// A spelling of that second: another offset, a fraction to be cut.
function spellTime(seconds) {
  const fraction = chance(0.3) ? "." + String(below(10 ** 6)) : "";
  if (chance(0.5)) return iso(seconds).slice(0, 19) + fraction + "Z";
  const minutes = below(24 * 60);
  const east = chance(0.5);
  const local = iso(seconds + (east ? minutes : -minutes) * 60).slice(0, 19);
  return `${local}${fraction}${east ? "+" : "-"}${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

const statuses = ["IN_PROGRESS", "CANCELED", "COMPLETED", "NO_ANSWER", "VOICE_BOX", "UNREACHABLE", "FAILED",
  "TRANSFERRED", "REJECTED", "FAILOVER"];
const now = "2024-07-30T14:45:00Z";

// The members given, and the record meant, with times in seconds.
function randomRecord() {
  const meant = { id: uuid(), agentId: uuid(), type: pick(["INBOUND", "OUTBOUND"]), status: pick(statuses) };
  const given = [["id", meant.id], ["agentId", meant.agentId], ["type", meant.type], ["status", meant.status]];
  const give = (key, value, spelled = value) => {
    meant[key] = value;
    given.push([key, spelled]);
  };
  if (chance(0.8)) give("phone", chance(0.2) ? null : "+" + (1 + below(9)) + String(below(1e14)));
  if (chance(0.5)) give("duration", chance(0.2) ? null : pick([0, -0, 360, below(1e6), 2 ** 53 - 1]));
  const start = below(4e9);
  if (chance(0.7)) give("startTime", start, spellTime(start));
  const end = start + pick([0, 1, below(1e5)]);
  if (chance(0.7)) give("endTime", end, spellTime(end));
  const created = below(4e9);
  if (chance(0.5)) give("created", created, spellTime(created));
  else if (chance(0.2)) given.push(["created", null]);
  for (const key of ["anonymous", "recorded"]) if (chance(0.7)) give(key, chance(0.5));
  if (chance(0.7)) give("summary", chance(0.2) ? null : randomString());
  if (chance(0.8)) give("extractors", chance(0.05) ? deepExtractors(16) : randomExtractors(5));
  if (chance(0.8)) {
    give("classifiers", Array.from({ length: below(5) }, () => {
      const pairs = [["name", randomKey()], ["value", randomString()]];
      if (chance(0.6)) pairs.push(["type", pick(["PRIMARY", "SECONDARY"])]);
      return new Pairs(pairs);
    }));
  }
  if (chance(0.9)) give("context", chance(0.05) ? deepContext(64) : randomObject(6));
  if (chance(0.3)) given.push(["extractorData", randomValue(3)]);
  if (chance(0.3)) given.push(["classifierData", randomValue(3)]);
  return { meant, given: new Pairs(shuffle(given)) };
}

// ---- spelling

function spellString(text) {
  const style = random();
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const short = { 8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 34: '"', 47: "/", 92: "\\" }[unit];
    const astral = unit >= 0xd800 && unit <= 0xdbff;
    const code = hex(unit, 4);
    if (style < 0.1 || (style < 0.4 && chance(0.3))) {
      out += "\\u" + (chance(0.5) ? code : code.toUpperCase());
      if (astral) out += "\\u" + hex(text.charCodeAt(++i), 4).toUpperCase();
    } else if (short && (unit !== 47 || chance(0.5))) {
      out += "\\" + short;
    } else if (unit < 0x20) {
      out += "\\u" + code;
    } else {
      out += text[i];
      if (astral) out += text[++i];
    }
  }
  return `"${out}"`;
}

function spellNumber(value) {
  // Numbers that are printed with an exponent must be written with one.
  if (Math.abs(value) >= 1e21) return pick([String(value), value.toExponential(), value.toExponential().toUpperCase()]);
  const spellings = [
    String(value), Object.is(value, -0) ? "-0" : String(value), value.toExponential(), value.toExponential().toUpperCase(),
    String(value) + ".0", String(value) + ".000e+00", value.toExponential() + "0", value.toPrecision(25),
    value.toFixed(30), value.toExponential(40),
  ];
  const good = spellings.filter((s) => /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(s) && Number(s) === value);
  return pick(good);
}

const space = () => (chance(0.9) ? "" : pick([" ", "\t", "\r", "  \t "]));

function spell(value) {
  if (value instanceof Pairs) {
    const members = value.pairs.map(([k, v]) => space() + spellString(k) + space() + ":" + space() + spell(v) + space());
    return "{" + (members.join(",") || space()) + "}";
  }
  if (Array.isArray(value)) return "[" + (value.map((v) => space() + spell(v) + space()).join(",") || space()) + "]";
  if (typeof value === "string") return spellString(value);
  if (typeof value === "number") return spellNumber(value);
  return String(value);
}

// ---- the contract, made again

function deriveExtractors(list) {
  const object = {};
  for (const { pairs } of list) {
    const [[, name], [, value]] = pairs;
    if (Object.hasOwn(object, name)) continue;
    const isNested = value[0] instanceof Pairs;
    put(object, name, isNested ? deriveExtractors(value) : value.length > 0 ? value[0] : null);
  }
  return object;
}

function deriveClassifiers(list) {
  const object = {};
  for (const { pairs } of list) if (!Object.hasOwn(object, pairs[0][1])) put(object, pairs[0][1], pairs[1][1]);
  return object;
}

function expected(meant) {
  const time = (seconds) => (seconds === undefined ? null : iso(seconds));
  const derived = meant.startTime === undefined || meant.endTime === undefined ? null : meant.endTime - meant.startTime;
  const classifiers = (meant.classifiers ?? []).map(toJs);
  return JSON.stringify({
    id: meant.id,
    agentId: meant.agentId,
    phone: meant.phone ?? null,
    type: meant.type,
    duration: meant.duration ?? derived,
    startTime: time(meant.startTime),
    endTime: time(meant.endTime),
    anonymous: meant.anonymous ?? false,
    status: meant.status,
    extractors: toJs(meant.extractors ?? []),
    extractorData: deriveExtractors(meant.extractors ?? []),
    classifiers: classifiers.map(({ name, value, type }) => ({ name, value, type: type ?? "SECONDARY" })),
    classifierData: deriveClassifiers(meant.classifiers ?? []),
    context: toJs(meant.context ?? new Pairs([])),
    recorded: meant.recorded ?? false,
    summary: meant.summary ?? null,
    created: meant.created === undefined ? now : iso(meant.created),
  });
}

// ---- the checks

function checkAccepted() {
  const records = Array.from({ length: recordCount }, randomRecord);
  const lines = records.map(({ given }) => space() + spell(given) + space());
  const bodies = run("records", lines);
  records.forEach(({ meant }, i) => {
    assert.equal(bodies[i], expected(meant), `seed ${seed}, record ${i}: ${lines[i]}`);
    assert.equal(JSON.stringify(JSON.parse(bodies[i])), bodies[i], `seed ${seed}, record ${i}`);
  });
  const again = run("records", bodies);
  bodies.forEach((body, i) => assert.equal(again[i], body, `seed ${seed}, record ${i}, second pass`));
  return bodies.reduce((sum, body) => sum + body.length, 0);
}

// Mistakes: each puts a bad member into a good record and says where.
const deep = (depth) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
const nest = (depth) => '[{"name":"n","value":'.repeat(depth) + "[]" + "}]".repeat(depth);
const mistakes = [
  ["/phone", () => `"phone":${pick(['"112"', '"+0123"', '"+1"', "7", '"+3361234567890123"', '"+33 6"', "[]"])}`],
  ["/duration", () => `"duration":${pick(["-1", "0.5", '"1"', "1e-9", "9007199254740992", "1e21", "1e400", "-1e-5"])}`],
  ["/startTime", () => `"startTime":${pick(['"2024-02-30T00:00:00Z"', '"2024-01-01"', '"2024-01-01t00:00:00z"', "1"])}`],
  ["/endTime", () => '"startTime":"2024-01-01T00:00:01Z","endTime":"2024-01-01T00:00:00Z"'],
  ["/created", () => `"created":${pick(['"now"', "0", "{}", '"2024-01-01T00:00:00+24:00"'])}`],
  ["/anonymous", () => `"anonymous":${pick(["null", "0", '"true"'])}`],
  ["/recorded", () => `"recorded":${pick(["null", "[]", '"false"'])}`],
  ["/summary", () => `"summary":${pick(['"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', "1", '"\\uD83Dx"'])}`],
  ["/context", () => `"context":${pick(["[]", "null", '"x"'])}`],
  ["/context/n", () => `"context":{"n":${pick(["1e400", "9007199254740992", "-9007199254740993", "1e20", "1000000000000000000000", "1.8e308"])}}`],
  ["/context/a", () => `"context":{"a":1,"b":2,${pick(['"a"', '"\\u0061"'])}:3}`],
  ["/context/l/0/__proto__", () => '"context":{"l":[{"__proto__":1,"x":[],"__proto__":1}]}'],
  ["/context" + "/a".repeat(64), () => `"context":${deep(65)}`],
  ["/extractors" + "/0/value".repeat(16), () => `"extractors":${nest(17)}`],
  ["/extractors/0/value/1", () => '"extractors":[{"name":"a","value":["s",{"name":"b","value":[]}]}]'],
  ["/extractors/1/name", () => '"extractors":[{"name":"a","value":[]},{"value":[]}]'],
  ["/classifiers/0/type", () => '"classifiers":[{"name":"a","value":"b","type":"TERTIARY"}]'],
  ["/classifiers/0/value", () => `"classifiers":[{"name":"a"${pick([',"value":null', "", ',"value":["x"]'])}}]`],
  ["/nonsense", () => '"nonsense":1'],
  ["/a~1b~0c", () => '"a/b~c":1'],
  ["/summary", () => '"summary":"x","summary":"x"'],
];

function malformedLines() {
  const good = spell(randomRecord().given);
  const bytes = Buffer.from(good);
  const lone = Buffer.from('{"summary":"\xed\xa0\x80"}', "latin1");
  return [
    "", " ", "nul", "{", "}", "[", "[]", '"x"', "\ufeff" + good, good + "x", good + "{}", good + "\u00a0", "//" + good,
    good.replace("{", "{,"), good.slice(0, -1) + ",}", bytes.subarray(0, below(bytes.length)),
    Buffer.from('{"summary":"\xff"}', "latin1"), Buffer.from('{"summary":"\xc0\xaf"}', "latin1"), lone,
    Buffer.from([0x7b, 0x22, 0x61, 0x00, 0x22, 0x3a, 0x31, 0x7d]), "[".repeat(100000), '{"a":'.repeat(100000),
    '{"a":01}', '{"a":1.}', '{"a":.1}', '{"a":+1}', '{"a":NaN}', "{'a':1}", '{"a":"\t"}', '{"a":"\\v"}',
  ];
}

function checkRefused() {
  const cases = [];
  for (let round = 0; round < 20; round++) {
    for (const [pointer, make] of mistakes) {
      const status = pick(statuses);
      const members = [`"id":"${uuid()}"`, `"agentId":"${uuid()}"`, '"type":"INBOUND"', `"status":"${status}"`, make()];
      cases.push([pointer, `{${shuffle(members).join(",")}}`]);
    }
  }
  const lines = cases.map(([, line]) => line);
  run("records", lines).forEach((answer, i) => {
    const { problems } = JSON.parse(answer);
    assert.ok(problems, `accepted: ${lines[i]}`);
    assert.deepEqual(problems.map((p) => p.pointer), [cases[i][0]], `${lines[i]} gave ${answer}`);
    assert.match(problems[0].detail, /\S/);
  });
  const malformed = Array.from({ length: 20 }, malformedLines).flat();
  run("records", malformed).forEach((answer, i) => {
    assert.ok(JSON.parse(answer).problems?.length > 0, `accepted: ${malformed[i]}`);
  });
  return cases.length + malformed.length;
}

function checkNumbers() {
  const values = [...oddNumbers, 123456789012345680000];
  for (let e = -1074; e <= 1023; e++) {
    const power = 2 ** e;
    values.push(power, -power);
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setFloat64(0, power);
    for (const step of [-1n, 1n]) {
      bytes.setBigUint64(0, bytes.getBigUint64(0) + step);
      const neighbour = bytes.getFloat64(0);
      if (Number.isFinite(neighbour)) values.push(neighbour);
      bytes.setFloat64(0, power);
    }
  }
  for (let e = -323; e <= 308; e++) values.push(Number(`1e${e}`), Number(`9.5e${Math.min(e, 307)}`));
  while (values.length < 30000) {
    const value = randomBits();
    if (Number.isFinite(value)) values.push(value);
  }
  const bits = values.map((value) => {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setFloat64(0, value);
    return hex(bytes.getBigUint64(0), 16);
  });
  run("numbers", bits).forEach((text, i) => assert.equal(text, String(values[i]), `bits ${bits[i]}, seed ${seed}`));
  return values.length;
}

const bytes = checkAccepted();
const refused = checkRefused();
const numbers = checkNumbers();
console.log(`fixed point: ${recordCount} records (${bytes} characters) accepted, ${refused} refused, ${numbers} numbers`);
