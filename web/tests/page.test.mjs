/** The settings page in a real browser, against the real binary and real receivers. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import {
	close,
	KEY,
	launch,
	open,
	Proxy,
	Receiver,
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
const row = (page, name) => page.getByRole("row").filter({ hasText: name });

async function visit(page, hash) {
	await page.goto(service.url + hash);
	await page.locator("main h1").waitFor();
	await page.locator(".skeleton").waitFor({ state: "detached" });
}

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
		await page.getByText("Saved").waitFor();
		const kept = await service.ask("GET", `v1/webhooks/${made.id}`);
		assert.deepEqual([...kept.statuses].sort(), ["FAILED", "NO_ANSWER"]);
		assert.deepEqual(kept.agentIds, [seedCall().agentId]);
		assert.deepEqual(Object.keys(kept.headers), ["X-Team"]);
		assert.equal(kept.timeout, 7);
		assert.deepEqual(kept.rateLimit, { count: 5, seconds: 2 });
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

	test("a portal link opens the page once, with less", async () => {
		const made = await makeWebhook();
		await service.ask("POST", `v1/webhooks/${made.id}/secret`);
		const { url } = await service.asOperator("POST", "v1/accounts/default/portal-link", {});
		const page = await open(browser, service);
		await page.goto(url);
		await page.locator("nav .nav").waitFor();
		assert.equal(page.url().includes("link="), false);
		await visit(page, `#/webhooks/${made.id}`);
		await page.getByRole("button", { name: "Disable security" }).waitFor();
		assert.equal(await page.getByRole("button", { name: "Show the secret" }).count(), 0);
		assert.equal(await page.getByText("Rotate the secret").count(), 0);
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

test("what the service does not offer yet is said where it belongs", async () => {
	const made = await makeWebhook();
	const page = await open(browser, service);
	await signIn(page);
	for (const view of ["calls", "health"]) {
		await visit(page, `#/${view}`);
		await page.getByText("does not offer this yet").waitFor();
	}
	await visit(page, `#/webhooks/${made.id}`);
	await page.getByRole("button", { name: "Check the URL" }).click();
	await page.getByText("does not offer this yet").waitFor();
	await close(page);
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
		const { rotation } = await service.ask("GET", `v1/webhooks/${made.id}`);
		assert.ok(rotation);
		await page.getByRole("button", { name: "Finish now" }).click();
		await page.getByText("A rotation is under way").waitFor({ state: "detached" });
		const revealed = await service.ask("POST", `v1/webhooks/${made.id}/secret/reveal`);
		assert.deepEqual([revealed.secret, revealed.next], [second, null]);
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

describe("calls and deliveries", () => {
	test("a call is readable, and its bytes are those that were sent", async () => {
		await makeWebhook();
		await service.put(seedCall());
		const [got] = await receiver.count(1);
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/calls/${seedCall().id}`);
		await page.getByText("Refund").first().waitFor();
		await page.getByText("John").first().waitFor();
		assert.equal(await page.locator("pre").innerText(), got.body.toString());
		await page.locator(".badge", { hasText: "Delivered" }).waitFor();
		await shot(page, "call");
		await close(page);
	});

	test("a call that ends now shows up by itself", async () => {
		await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/deliveries");
		await page.locator(".badge", { hasText: /^Live$/ }).waitFor();
		await page.getByText("No deliveries").waitFor();
		await service.put(someCall());
		await row(page, "CRM").getByText("Delivered").waitFor();
		await close(page);
	});

	test("the filters are in the address", async () => {
		await makeWebhook();
		await service.put(someCall());
		await service.until("v1/deliveries?state=DELIVERED", (p) => p.content.length === 1);
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/deliveries");
		await page.getByLabel("State").selectOption("FAILED");
		await page.getByText("Nothing matches these filters.").waitFor();
		assert.match(page.url(), /#\/deliveries\?state=FAILED$/);
		await page.reload();
		await page.getByText("Nothing matches these filters.").waitFor();
		await page.getByLabel("State").selectOption("DELIVERED");
		await row(page, "CRM").waitFor();
		await close(page);
	});
});

const VIEWS = ["webhooks", "webhooks/new", "deliveries", "calls", "health", "keys", "inspector"];

describe("everybody can use it", () => {
	for (const colorScheme of ["light", "dark"])
		test(`no rule of accessibility is broken, empty and filled, ${colorScheme}`, async () => {
			const page = await open(browser, service, { colorScheme });
			assert.deepEqual(await violations(page), [], "sign-in");
			await shot(page, `sign-in-${colorScheme}`);
			await signIn(page);
			for (const view of VIEWS) {
				await visit(page, `#/${view}`);
				assert.deepEqual(await violations(page), [], `${view}, empty`);
			}
			const made = await makeWebhook();
			await service.ask("POST", `v1/webhooks/${made.id}/secret`);
			await service.put(seedCall());
			await service.until("v1/deliveries?state=DELIVERED", (p) => p.content.length === 1);
			receiver.status = 500;
			for (let i = 0; i < 6; i++) await service.put(someCall());
			await receiver.count(5);
			const { content } = await service.ask("GET", "v1/deliveries?state=DELIVERED");
			const filled = [`webhooks/${made.id}`, `deliveries/${content[0].id}`, `calls/${seedCall().id}`];
			for (const view of [...VIEWS, ...filled]) {
				await visit(page, `#/${view}`);
				assert.deepEqual(await violations(page), [], `${view}, filled`);
				await shot(page, `${view.split("/")[0]}-${view.includes("/") ? "one" : "list"}-${colorScheme}`);
			}
			await close(page);
		});

	test("with the keyboard alone a webhook is set up", async () => {
		const page = await open(browser, service);
		const press = (...keys) =>
			keys.reduce((done, k) => done.then(() => page.keyboard.press(k)), Promise.resolve());
		const tabTo = async (name) => {
			for (let i = 0; i < 60; i++) {
				await press("Tab");
				const label = await page.evaluate(() => {
					const e = document.activeElement;
					return e?.getAttribute("aria-label") ?? e?.labels?.[0]?.innerText ?? e?.textContent ?? "";
				});
				if (label.trim().startsWith(name)) return;
			}
			assert.fail(`no Tab leads to ${name}`);
		};
		await signIn(page);
		await tabTo("Add a webhook");
		await press("Enter");
		await page.getByRole("heading", { name: "Add a webhook" }).waitFor();
		await tabTo("Webhook URL");
		await page.keyboard.type(receiver.url);
		await tabTo("Create");
		await press("Enter");
		await page.getByRole("button", { name: "Generate a secret" }).waitFor();
		await tabTo("Generate a secret");
		await press("Enter");
		await page.locator(".secret code").waitFor();
		await tabTo("Send test");
		await press("Space");
		await page.getByText("The receiver took it").waitFor();
		await close(page);
	});

	test("nothing is wider than a phone", async () => {
		const made = await makeWebhook();
		await service.put(seedCall());
		await service.until("v1/deliveries?state=DELIVERED", (p) => p.content.length === 1);
		const { content } = await service.ask("GET", "v1/deliveries");
		const page = await open(browser, service, { viewport: { width: 360, height: 740 }, hasTouch: true });
		await signIn(page);
		const views = [...VIEWS, `webhooks/${made.id}`, `deliveries/${content[0].id}`, `calls/${seedCall().id}`];
		for (const view of views) {
			await visit(page, `#/${view}`);
			const wide = await page.evaluate(() => document.documentElement.scrollWidth);
			assert.ok(wide <= 360, `${view} is ${wide} wide`);
			await shot(page, `phone-${view.replace(/\/.*/, "-one")}`);
		}
		await close(page);
	});

	test("it speaks the browser's language, and another when asked to", async () => {
		const page = await open(browser, service, { locale: "fr-FR" });
		assert.equal(await page.getAttribute("html", "lang"), "fr");
		await signIn(page, { key: "Clé d’API", action: "Se connecter" });
		await page.getByRole("heading", { name: "Aucun webhook pour l’instant" }).waitFor();
		await shot(page, "french");
		await page.getByLabel("Langue").selectOption("en");
		await page.getByRole("heading", { name: "No webhook yet" }).waitFor();
		assert.equal(await page.getAttribute("html", "lang"), "en");
		await page.reload();
		await page.getByRole("heading", { name: "No webhook yet" }).waitFor();
		await close(page);
	});
});
