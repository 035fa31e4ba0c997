// The worker that people write today: takes a job, signs the body, POSTs it, lets BullMQ retry what fails.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { Worker } from "bullmq";
import { Agent, request } from "undici";

const conf = JSON.parse(process.argv[2]);
const dispatcher = new Agent({
  connections: conf.connections, // per origin
  pipelining: 1,
  headersTimeout: 15_000,
  bodyTimeout: 15_000,
  connect: { timeout: 5_000, ca: conf.ca ? readFileSync(conf.ca) : undefined },
});

async function deliver(job) {
  const { url, body } = job.data;
  const signature = createHmac("sha256", conf.secret).update(body).digest("hex");
  const answer = await request(url, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "user-agent": "worker/1.0",
      "webhook-id": job.id,
      "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
      "x-webhook-signature": signature,
    },
    dispatcher,
  });
  await answer.body.dump();
  if (answer.statusCode < 200 || answer.statusCode > 299)
    throw new Error(`answered ${answer.statusCode}`);
}

const worker = new Worker("webhooks", deliver, {
  connection: conf.redis,
  concurrency: conf.concurrency,
  lockDuration: 60_000,
});
worker.on("error", (error) => console.error(String(error)));
await worker.waitUntilReady();
console.log("ready");
