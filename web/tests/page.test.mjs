/** The settings page in a real browser, against the real binary and real receivers. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import {
	close,
	goTo,
	KEY,
	launch,
	open,
	Proxy,
	Receiver,
	row,
	Service,
	seedCall,
	shot,
	signIn,
	someCall,
	violations,
} from "./world.mjs";

let browser, service, receiver;

before(async () => {
	browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
	service = await Service.start("--retry-schedule", "1h");
	receiver = await Receiver.start();
});
afterEach(async () => {
	await receiver.stop();
	await service.stop();
});

const makeWebhook = (more = {}) =>
	service.ask("POST", "v1/webhooks", { url: receiver.url, name: "CRM", ...more });
const visit = (page, hash) => goTo(page, service, hash);

describe("a customer sets up an integration", () => {
	test("from nothing to a verified test", async () => {
		const page = await open(browser, service);
		await signIn(page);
		await page.getByRole("heading", { name: "No webhook yet" }).waitFor();
		await page.getByRole("link", { name: "Add a webhook" }).click();
		const url = page.getByLabel("Webhook URL");
		const create = page.getByRole("button", { name: "Create" });
		for (const [typed, wrong] of [
			["ftp://crm.example.com/", "Only https"],
			["https://me:secret@crm.example.com/", "No user name or password"],
			["https://crm.example.com/#calls", "No # in the URL"],
			["not a url at all", "This is not a URL"],
		]) {
			await url.fill(typed);
			await page.getByText(wrong).waitFor();
			assert.equal(await create.isDisabled(), true, typed);
		}
		await url.fill(receiver.url);
		await page.getByLabel("Name", { exact: true }).fill("CRM");
		await create.click();
		await page.getByRole("heading", { level: 1, name: "CRM" }).waitFor();
		await page.getByRole("button", { name: "Generate a secret" }).click();
		const secret = await page.locator(".secret code").innerText();
		assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
		await page.getByRole("button", { name: "Send test" }).click();
		await page.getByText("The receiver took it").waitFor();
		const [got] = await receiver.count(1);
		assert.equal(
			got.headers["x-webhook-signature"],
			createHmac("sha256", secret).update(got.body).digest("hex"),
		);
		await shot(page, "webhook-tested");
		// The request, taken over to the inspector, with the secret that was shown.
		await page.getByRole("button", { name: "Inspect the signature" }).click();
		await page.getByLabel("Secret", { exact: true }).fill(secret);
		await page.getByRole("button", { name: "Check" }).click();
		await page.getByText("The signature fits body and secret.").first().waitFor();
		assert.equal(await page.locator(".badge", { hasText: /^Valid$/ }).count(), 2);
		await shot(page, "inspector-valid");
		await page.getByLabel("Secret", { exact: true }).fill("whsec_" + Buffer.alloc(32, 7).toString("base64"));
		await page.getByRole("button", { name: "Check" }).click();
		await page.getByText("It fits neither the body nor the secret").first().waitFor();
		await close(page);
	});

	test("events go where the keys' view says, signed with what it shows once", async () => {
		const gone = await Receiver.start();
		gone.status = 410;
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/keys");
		const field = page.getByLabel("URL for events");
		const save = page.getByRole("button", { name: "Save the URL" });
		await field.fill("http://10.0.0.1/events");
		await save.click();
		await page
			.getByRole("alert")
			.filter({ hasText: /10\.0\.0\.1/ })
			.waitFor();
		await field.fill(receiver.url);
		await save.click();
		const secret = await page.locator(".secret code").innerText();
		assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
		await shot(page, "events");
		assert.deepEqual(await violations(page), []);
		await makeWebhook({ url: gone.url });
		const call = someCall();
		await service.ask("PUT", `v1/calls/${call.id}`, call);
		const [got] = await receiver.count(1);
		assert.equal(JSON.parse(got.body).type, "webhook.disabled");
		assert.equal(
			got.headers["x-webhook-signature"],
			createHmac("sha256", secret).update(got.body).digest("hex"),
		);
		await page.getByRole("button", { name: "No more events" }).click();
		await page.getByRole("button", { name: "No more events" }).waitFor({ state: "detached" });
		assert.equal((await service.ask("GET", "v1/account")).eventsUrl, null);
		await gone.stop();
		await close(page);
	});

	test("the service's refusal stands beside the field that it is about", async () => {
		await service.stop();
		service = await Service.start("--max-webhooks", "1");
		await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/webhooks/new");
		await page.getByLabel("Webhook URL").fill("http://user@/");
		await page.getByLabel("Webhook URL").fill("https://crm.example.com/calls");
		await page.getByRole("button", { name: "Create" }).click();
		await page
			.getByRole("alert")
			.filter({ hasText: /webhook/i })
			.waitFor();
		assert.equal((await service.ask("GET", "v1/webhooks")).content.length, 1);
		await close(page);
	});

	test("settings are kept as they were entered", async () => {
		const made = await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByText("Agents, headers and limits").click();
		await page.getByLabel("No answer").check();
		await page.getByLabel("Completed").uncheck();
		await page.getByLabel("Agent ids").fill(seedCall().agentId);
		await page.getByRole("button", { name: "Add a header" }).click();
		await page.getByLabel("Header 1: name").fill("X-Team");
		await page.getByLabel("Header 1: value").fill("blue");
		await page.getByLabel("Timeout in seconds").fill("61");
		await page.getByText("1 to 60").waitFor();
		assert.equal(await page.getByRole("button", { name: "Save" }).isDisabled(), true);
		await page.getByLabel("Timeout in seconds").fill("7");
		await page.getByLabel("Limit the rate").check();
		await page.getByLabel("Requests", { exact: true }).fill("5");
		await page.getByLabel("in seconds", { exact: true }).fill("2");
		await page.getByRole("button", { name: "Save" }).click();
		await page.getByText("Saved", { exact: true }).waitFor();
		const kept = await service.ask("GET", `v1/webhooks/${made.id}`);
		assert.deepEqual([...kept.statuses].sort(), ["FAILED", "NO_ANSWER"]);
		assert.deepEqual(kept.agentIds, [seedCall().agentId]);
		assert.deepEqual(Object.keys(kept.headers), ["X-Team"]);
		assert.equal(kept.timeout, 7);
		assert.deepEqual(kept.rateLimit, { count: 5, seconds: 2 });
		await close(page);
	});

	test("what would go wrong with a URL is found out before a call is lost", async () => {
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/webhooks/new");
		const check = page.getByRole("button", { name: "Check the URL" });
		const step = (name) => page.getByRole("listitem").filter({ hasText: name });
		await page.getByLabel("Webhook URL").fill(receiver.url);
		await check.click();
		await page.getByText("Nothing would go wrong").waitFor();
		await step("Connection").getByText("good").waitFor();
		await step("TLS").getByText("nothing is encrypted").waitFor();
		assert.deepEqual(await violations(page), []);
		await shot(page, "check-good");
		const { port } = new URL(receiver.url);
		await receiver.stop();
		await check.click();
		await page.getByText("Deliveries would fail").waitFor();
		await step("Connection").getByText(`connection to 127.0.0.1 port ${port} refused`).waitFor();
		await page.getByLabel("Webhook URL").fill("https://10.0.0.7/calls");
		await page.getByText("Deliveries would fail").waitFor({ state: "detached" });
		await check.click();
		await step("URL").filter({ hasText: "failed" }).getByText("not public").waitFor();
		assert.deepEqual(await violations(page), []);
		await shot(page, "check-failed");
		receiver = await Receiver.start();
		await close(page);
	});

	test("what is not saved yet is said, and can be dropped", async () => {
		const made = await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/webhooks/${made.id}`);
		const name = page.getByLabel("Name", { exact: true });
		const unsaved = page.getByText("Not saved yet");
		assert.equal(await unsaved.count(), 0);
		await name.fill("Billing");
		await unsaved.waitFor();
		await page.getByRole("button", { name: "Discard the changes" }).click();
		assert.equal(await name.inputValue(), "CRM");
		await name.fill("  Billing ");
		await page.getByRole("button", { name: "Save" }).click();
		await page.getByRole("heading", { level: 1, name: "Billing" }).waitFor();
		await unsaved.waitFor({ state: "detached" });
		await close(page);
	});

	test("of many webhooks one is found by its name, its URL or its state", async () => {
		for (let i = 0; i < 12; i++)
			await makeWebhook({ name: `Team ${i}`, url: `${receiver.url}/${i}`, enabled: i !== 7 });
		const page = await open(browser, service);
		await signIn(page);
		await row(page, "Team 11").waitFor();
		await page.getByLabel("Find").fill("team 1");
		await page.getByText("3 of 12 webhooks").waitFor();
		assert.match(page.url(), /#\/webhooks\?find=team\+1$/);
		await page.getByLabel("Find").fill("");
		await page.getByLabel("State").selectOption("DISABLED");
		await page.getByText("1 of 12 webhooks").waitFor();
		await row(page, "Team 7").waitFor();
		await page.getByLabel("Find").fill("nobody");
		await page.getByText("No webhook is like this.").waitFor();
		await close(page);
	});

	test("a webhook goes only when its name was typed", async () => {
		const made = await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByRole("button", { name: "Delete the webhook" }).click();
		const dialog = page.getByRole("dialog");
		const sure = dialog.getByRole("button", { name: "Delete the webhook" });
		assert.equal(await sure.isDisabled(), true);
		await dialog.getByLabel(/to confirm/).fill("CR");
		assert.equal(await sure.isDisabled(), true);
		await dialog.getByLabel(/to confirm/).fill("CRM");
		await sure.click();
		await page.getByRole("heading", { name: "No webhook yet" }).waitFor();
		assert.deepEqual((await service.ask("GET", "v1/webhooks")).content, []);
		await close(page);
	});
});

describe("signing in and out", () => {
	test("a wrong key is said, and signing out ends the session", async () => {
		const page = await open(browser, service);
		await page.getByLabel("API key").fill("not-a-key-0123456789");
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.getByText("This key is not known.").waitFor();
		await signIn(page);
		const [cookie] = await page.context().cookies();
		assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);
		assert.equal(await page.evaluate((key) => JSON.stringify(localStorage).includes(key), KEY), false);
		await page.getByRole("button", { name: "Sign out" }).click();
		await page.getByRole("heading", { name: "Sign in" }).waitFor();
		const headers = { Cookie: `${cookie.name}=${cookie.value}` };
		assert.equal((await fetch(service.url + "v1/webhooks", { headers })).status, 401);
		await close(page);
	});

	test("a session that is over leads back to the sign-in", async () => {
		const page = await open(browser, service);
		await signIn(page);
		await page.getByRole("heading", { name: "No webhook yet" }).waitFor();
		await service.ask("POST", "v1/account/keys/primary/rotate");
		await page.getByRole("link", { name: "Deliveries" }).click();
		await page.getByRole("heading", { name: "Sign in" }).waitFor();
		await close(page);
	});

	test("that a session ends is said while there is time", async () => {
		const page = await open(browser, service, {}, (p) => p.clock.install());
		await signIn(page);
		const ends = await page.evaluate(() => Date.parse(JSON.parse(localStorage["callhook.session"]).expires));
		const left = ends - (await page.evaluate(() => Date.now()));
		await page.clock.runFor(1000);
		assert.equal(await page.getByText("Your session ends at").count(), 0);
		await page.clock.fastForward(left - 4 * 60_000);
		await page.clock.runFor(20_000);
		await page.getByRole("alert").filter({ hasText: "Your session ends at" }).waitFor();
		await shot(page, "session-ends");
		await page.clock.fastForward(4 * 60_000);
		await page.clock.runFor(20_000);
		await page.getByRole("heading", { name: "Sign in" }).waitFor();
		await close(page);
	});

	test("one key is replaced while the other works; one's own ends the session", async () => {
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/keys");
		const replace = async (name) => {
			const card = page.getByRole("region", { name });
			await card.getByRole("button", { name: "Replace the key" }).click();
			await page.getByRole("dialog").getByRole("button", { name: "Replace the key" }).click();
			return card;
		};
		const card = await replace("Secondary key");
		const made = await card.locator(".secret code").innerText();
		const asks = (key) => fetch(service.url + "v1/webhooks", { headers: { "X-Api-Key": key } });
		assert.equal((await asks(made)).status, 200);
		assert.deepEqual(await violations(page), []);
		await shot(page, "keys-replaced");
		await replace("Primary key");
		await page.getByRole("region", { name: "Primary key" }).locator(".secret code").waitFor();
		assert.equal((await asks(KEY)).status, 401);
		assert.equal((await asks(made)).status, 200);
		await page.getByRole("region", { name: "Primary key" }).getByText("Your session ended").waitFor();
		await page.getByRole("button", { name: "Sign in again" }).click();
		await page.getByRole("heading", { name: "Sign in" }).waitFor();
		await close(page);
	});

	test("a portal link opens the page once, with less", async () => {
		const made = await makeWebhook();
		await service.ask("POST", `v1/webhooks/${made.id}/secret`);
		const { url } = await service.asOperator("POST", "v1/accounts/default/portal-link", {});
		const page = await open(browser, service);
		await page.goto(url);
		await page.locator("nav .nav").waitFor();
		assert.equal(page.url().includes("link="), false);
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByText("Every request is signed").waitFor();
		assert.equal(await page.getByRole("button", { name: "Disable security" }).count(), 0);
		assert.equal(await page.getByRole("button", { name: "Show the secret" }).count(), 0);
		assert.equal(await page.getByText("Rotate the secret").count(), 0);
		await visit(page, "#/keys");
		await page.getByRole("heading", { name: "Primary key" }).waitFor();
		assert.equal(await page.getByRole("button", { name: "Replace the key" }).count(), 0);
		await close(page);
		const other = await open(browser, service);
		await other.goto(url);
		await other.getByText("This link was used already").waitFor();
		await close(other);
	});

	test("it works behind a proxy, under a path of its own", async () => {
		const proxy = await Proxy.start(service, "/hooks/");
		const page = await open(browser, { url: proxy.url });
		await signIn(page);
		await page.getByRole("link", { name: "Add a webhook" }).click();
		await page.getByLabel("Webhook URL").fill(receiver.url);
		await page.getByRole("button", { name: "Create" }).click();
		await page.getByRole("button", { name: "Generate a secret" }).waitFor();
		await close(page);
		await proxy.stop();
	});
});

describe("security", () => {
	test("a secret is generated, shown again, rotated with an overlap, and disabled", async () => {
		const made = await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByRole("button", { name: "Generate a secret" }).click();
		const first = await page.locator(".secret code").innerText();
		await page.getByRole("button", { name: "Hide" }).click();
		assert.equal(await page.getByText(first).count(), 0);
		await page.getByRole("button", { name: "Show the secret" }).click();
		assert.equal(await page.locator(".secret code").innerText(), first);
		await page.getByText("Rotate the secret").click();
		await page.getByRole("button", { name: "Make a new secret" }).click();
		await page.getByText("A rotation is under way").waitFor();
		const second = await page.locator(".secret code").first().innerText();
		assert.notEqual(second, first);
		await page.getByRole("timer").waitFor();
		await shot(page, "rotation");
		await page.getByRole("button", { name: "Keep the old secret" }).click();
		await page.getByText("A rotation is under way").waitFor({ state: "detached" });
		const kept = await service.ask("POST", `v1/webhooks/${made.id}/secret/reveal`);
		assert.deepEqual([kept.secret, kept.next], [first, null]);
		await page.getByText("Rotate the secret").click();
		await page.getByRole("button", { name: "Make a new secret" }).click();
		await page.getByText("A rotation is under way").waitFor();
		const third = await page.locator(".secret code").first().innerText();
		const { rotation } = await service.ask("GET", `v1/webhooks/${made.id}`);
		assert.ok(rotation);
		await page.getByRole("button", { name: "Finish now" }).click();
		await page.getByText("A rotation is under way").waitFor({ state: "detached" });
		const revealed = await service.ask("POST", `v1/webhooks/${made.id}/secret/reveal`);
		assert.deepEqual([revealed.secret, revealed.next], [third, null]);
		await page.getByRole("button", { name: "Disable security" }).click();
		await page.getByRole("dialog").getByRole("button", { name: "Disable security" }).click();
		await page.getByRole("button", { name: "Generate a secret" }).waitFor();
		assert.equal((await service.ask("GET", `v1/webhooks/${made.id}`)).secured, false);
		await close(page);
	});
});

describe("an endpoint fails", () => {
	test("it is seen, understood, repaired and replayed", async () => {
		const made = await makeWebhook();
		receiver.status = 500;
		for (let i = 0; i < 12; i++) await service.put(someCall());
		await service.until(`v1/webhooks/${made.id}`, (w) => w.state === "DEAD");
		const page = await open(browser, service);
		await signIn(page);
		await row(page, "CRM").getByText("Not answering").waitFor();
		await page.getByRole("link", { name: "CRM" }).click();
		await page.getByText(/attempts in a row failed/).waitFor();
		await shot(page, "webhook-dead");
		await page.getByRole("link", { name: "Its deliveries" }).click();
		await row(page, "answered 500").first().waitFor();
		const waiting = (await service.ask("GET", "v1/deliveries?state=PENDING&size=100")).content;
		const tried = waiting.find((d) => d.attemptCount > 0);
		await visit(page, `#/deliveries/${tried.id}`);
		await page.getByText("HTTP 500").first().waitFor();
		await page.getByText("Answer", { exact: true }).first().click();
		await page.getByText("no database today").first().waitFor();
		await shot(page, "delivery-failing");
		receiver.status = 200;
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByRole("button", { name: "Send test" }).click();
		await page.getByText("The receiver took it").waitFor();
		await page.locator(".badge", { hasText: "Ready" }).waitFor();
		// Its next try is an hour away; sent again by hand it goes now.
		await visit(page, `#/deliveries/${tried.id}`);
		await page.getByRole("button", { name: "Send again" }).click();
		await service.until(`v1/deliveries/${tried.id}`, (d) => d.state === "DELIVERED");
		await page.locator(".head .badge", { hasText: "Delivered" }).waitFor();
		await page.getByText("HTTP 200").waitFor();
		await close(page);
	});

	test("in French the service's reasons are French too", async () => {
		const made = await makeWebhook();
		receiver.status = 500;
		for (let i = 0; i < 12; i++) await service.put(someCall());
		await service.until(`v1/webhooks/${made.id}`, (w) => w.state === "DEAD");
		const { content } = await service.ask("GET", "v1/deliveries?state=PENDING");
		const page = await open(browser, service, { locale: "fr-FR" });
		await signIn(page, { key: "Clé d’API", action: "Se connecter" });
		for (const [view, words] of [
			["webhooks", /tentatives de suite ont échoué, la dernière\s: a répondu 500/],
			[`webhooks/${made.id}`, /prochaine requête d’essai\s: \d\d:\d\d:\d\d/],
			["deliveries", /a répondu 500/],
			[`deliveries/${content.at(-1).id}`, /a répondu 500/],
		]) {
			await visit(page, `#/${view}`);
			await page.getByText(words).first().waitFor();
			assert.equal(await page.locator("main [lang=en]").count(), 0, view);
			await shot(page, `french-${view.replace(/\/.*/, "-one")}`);
		}
		await visit(page, "#/webhooks/new");
		await page.getByLabel("URL du webhook").fill("https://127.0.0.1:1/" + "é");
		await page.getByRole("button", { name: "Créer" }).click();
		await page.getByText("le chemin ou la requête de l’URL n’est pas en ASCII").first().waitFor();
		await close(page);
	});

	test("what was delivered is replayed with its progress", async () => {
		const made = await makeWebhook();
		for (let i = 0; i < 5; i++) await service.put(someCall());
		await receiver.count(5);
		await service.until("v1/deliveries?state=DELIVERED", (p) => p.content.length === 5);
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByText("Choose what to send again").click();
		await page.getByLabel("Delivered").check();
		await page.getByRole("button", { name: "Start" }).click();
		await page.getByText("5 sent again", { exact: false }).waitFor();
		await page.locator(".badge", { hasText: "Done" }).waitFor();
		await receiver.count(10);
		await close(page);
	});

	test("switched off, calls are parked; switched on, they are delivered", async () => {
		const made = await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByRole("button", { name: "Switch off" }).click();
		await page.getByRole("button", { name: "Switch on" }).waitFor();
		for (let i = 0; i < 3; i++) await service.put(someCall());
		await service.until(`v1/webhooks/${made.id}`, (w) => w.parked === 3);
		assert.equal(receiver.got.length, 0);
		await visit(page, "#/webhooks");
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByLabel("Deliver what was parked meanwhile (3)").waitFor();
		await page.getByRole("button", { name: "Switch on" }).click();
		await receiver.count(3);
		await page.getByRole("button", { name: "Switch off" }).waitFor();
		await close(page);
	});
});
