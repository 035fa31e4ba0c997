/** With a keyboard alone, a screen reader, a phone, in French, in the dark. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import {
	close,
	goTo,
	launch,
	open,
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

	test("a dialog keeps the focus inside and gives it back", async () => {
		const made = await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/webhooks/${made.id}`);
		const ask = page.getByRole("button", { name: "Delete the webhook" });
		const isFocused = (locator) => locator.evaluate((e) => e === document.activeElement);
		for (const leave of ["Escape", "Cancel"]) {
			await ask.focus();
			await page.keyboard.press("Enter");
			const dialog = page.getByRole("dialog");
			await dialog.waitFor();
			assert.deepEqual(await violations(page), []);
			for (let i = 0; i < 6; i++) {
				// Between the last and the first the focus is the browser's own for a moment.
				assert.ok(
					await page.evaluate(
						() => document.activeElement?.closest("dialog") || document.activeElement === document.body,
					),
				);
				await page.keyboard.press("Tab");
			}
			if (leave === "Escape") await page.keyboard.press("Escape");
			else await dialog.getByRole("button", { name: leave }).press("Enter");
			await dialog.waitFor({ state: "detached" });
			assert.ok(await isFocused(ask), leave);
		}
		await close(page);
	});

	test("the first view is a few small files from one place", async () => {
		for (let i = 0; i < 50; i++) await makeWebhook({ name: `Team ${i}`, url: `${receiver.url}/${i}` });
		const seen = { requests: [], bytes: 0 };
		const count = async (page) => {
			const wire = await page.context().newCDPSession(page);
			await wire.send("Network.enable");
			wire.on("Network.requestWillBeSent", (e) => seen.requests.push(e.request.url));
			wire.on("Network.loadingFinished", (e) => (seen.bytes += e.encodedDataLength));
		};
		const page = await open(browser, service, {}, count);
		await signIn(page);
		await row(page, "Team 49").waitFor();
		assert.ok(seen.requests.every((url) => url.startsWith(service.url) || url.startsWith("data:")));
		assert.ok(seen.requests.length <= 8, String(seen.requests.length));
		assert.ok(seen.bytes > 10_000 && seen.bytes < 150_000, String(seen.bytes));
		await shot(page, "webhooks-fifty");
		await close(page);
	});

	test("on a phone the way leads through the menu", async () => {
		const page = await open(browser, service, { viewport: { width: 360, height: 740 }, hasTouch: true });
		await signIn(page);
		const menu = page.getByRole("button", { name: "Menu" });
		const link = page.getByRole("link", { name: "Signature inspector" });
		assert.equal(await link.isVisible(), false);
		await menu.tap();
		await shot(page, "phone-menu");
		assert.deepEqual(await violations(page), []);
		await link.tap();
		await page.getByRole("heading", { level: 1, name: "Signature inspector" }).waitFor();
		assert.equal(await link.isVisible(), false);
		await close(page);
	});

	test("nothing moves by itself once it is there", async () => {
		const made = await makeWebhook();
		await service.ask("POST", `v1/webhooks/${made.id}/secret`);
		await service.put(seedCall());
		for (let i = 0; i < 60; i++) await service.put(someCall());
		await receiver.count(61);
		const { content } = await service.until(
			"v1/deliveries?state=DELIVERED&size=100",
			(p) => p.content.length === 61,
		);
		const observe = (page) =>
			page.addInitScript(() => {
				window.shifts = [];
				new PerformanceObserver((list) => {
					for (const e of list.getEntries())
						if (!e.hadRecentInput)
							window.shifts.push([e.value, ...e.sources.map((s) => s.node?.outerHTML?.slice(0, 80))]);
				}).observe({ type: "layout-shift", buffered: true });
			});
		const views = [...VIEWS, `webhooks/${made.id}`, `deliveries/${content[0].id}`, `calls/${seedCall().id}`];
		for (const viewport of [
			{ width: 1280, height: 800 },
			{ width: 360, height: 740 },
		]) {
			const page = await open(browser, service, { viewport }, observe);
			await signIn(page);
			for (const view of views) {
				await page.evaluate((hash) => (location.hash = hash), `#/${view}`);
				await visit(page, `#/${view}`);
				await page.reload();
				await page.locator("main h1").waitFor();
				await page.locator(".skeleton").waitFor({ state: "detached" });
				await page.evaluate(
					() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go))),
				);
				const shifts = await page.evaluate(() => window.shifts);
				const sum = shifts.reduce((all, [value]) => all + value, 0);
				assert.ok(sum < 0.01, `${view}, ${viewport.width} wide: ${JSON.stringify(shifts)}`);
			}
			await close(page);
		}
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
