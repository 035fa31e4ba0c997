// Adds the jobs. Reads lines on standard input: "COUNT" adds so many, in bulk or (a batch of 1) singly with so many
// under way at once, and prints "added"; with {"each": true} every line is the number of one call, added when read.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Queue } from "bullmq";

const conf = JSON.parse(process.argv[2]);
const queue = new Queue("webhooks", {
  connection: conf.redis,
  defaultJobOptions: {
    attempts: 12,
    backoff: { type: "fixed", delay: conf.backoffMs },
    removeOnComplete: true,
    removeOnFail: 1000,
  },
});
const payload = readFileSync(conf.payload, "utf8");
const idAt = payload.indexOf('"id":"') + 6;
const head = payload.slice(0, idAt) + conf.run + "-0000-4000-8000-";
const tail = payload.slice(idAt + 36);
const jobOf = (number) => ({
  name: "deliver",
  data: {
    url: conf.urls[number % conf.urls.length],
    body: head + number.toString(16).padStart(12, "0") + tail,
  },
});

let made = 0;

async function addBulk(end) {
  while (made < end) {
    const jobs = [];
    while (jobs.length < conf.batch && made < end) jobs.push(jobOf(made++));
    await queue.addBulk(jobs);
  }
}

async function addSingly(end) {
  while (made < end) {
    const { name, data } = jobOf(made++);
    await queue.add(name, data);
  }
}

async function addMany(count) {
  const end = made + count;
  if (conf.batch > 1) await addBulk(end);
  else await Promise.all(Array.from({ length: conf.atOnce }, () => addSingly(end)));
  console.log("added");
}

await queue.waitUntilReady();
const fail = (error) => {
  console.error(String(error));
  process.exit(1);
};
createInterface({ input: process.stdin })
  .on("line", (line) => {
    if (!conf.each) return void addMany(Number(line)).catch(fail);
    const { name, data } = jobOf(Number(line));
    queue.add(name, data).catch(fail);
  })
  .on("close", () => queue.close().then(() => process.exit(0)));
console.log("ready");
