/** What can be set of a webhook. Checked as it is typed; the service has the last word. */
import { useEffect, useRef, useState } from "preact/hooks";
import {
	type AgentPage,
	type ApiError,
	type CheckResult,
	get,
	post,
	type Webhook,
	type WebhookInput,
} from "../api/client";
import { sayOf, useText, type Key } from "../i18n";
import { useAction, useLoad } from "../load";
import * as format from "../format";
import { Badge, Button, Choice, Failure, Field, Notice, Said, TextField, type Tone } from "../ui/parts";
import { FINAL_STATUSES } from "./states";

const URL_BYTES_MAX = 2048;

/** What is wrong with a URL, as far as one can tell by looking at it. */
export function urlProblem(text: string): Key | null {
	let url: URL;
	try {
		url = new URL(text);
	} catch {
		return "url.syntax";
	}
	if (url.protocol !== "https:" && url.protocol !== "http:") return "url.scheme";
	if (!/^https?:\/\//i.test(text)) return "url.syntax";
	if (url.username || url.password) return "url.user";
	if (url.hash || text.includes("#")) return "url.fragment";
	if (new TextEncoder().encode(text).length > URL_BYTES_MAX) return "url.long";
	return null;
}

interface Draft {
	url: string;
	name: string;
	statuses: string[];
	agents: string; // one a line
	headers: [name: string, value: string][];
	timeout: string;
	concurrency: string;
	isLimited: boolean;
	limitCount: string;
	limitSeconds: string;
}

function draftOf(w: Webhook | null): Draft {
	return {
		url: w?.url ?? "",
		name: w?.name ?? "",
		statuses: w?.statuses ?? ["COMPLETED", "FAILED"],
		agents: (w?.agentIds ?? []).join("\n"),
		headers: Object.entries(w?.headers ?? {}),
		timeout: String(w?.timeout ?? 15),
		concurrency: String(w?.concurrency ?? 32),
		isLimited: Boolean(w?.rateLimit),
		limitCount: String(w?.rateLimit?.count ?? 10),
		limitSeconds: String(w?.rateLimit?.seconds ?? 1),
	};
}

const agentsOf = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

export function inputOf(d: Draft): WebhookInput {
	return {
		url: d.url.trim(),
		name: d.name.trim(),
		statuses: FINAL_STATUSES.filter((s) => d.statuses.includes(s)),
		agentIds: agentsOf(d.agents),
		headers: Object.fromEntries(
			d.headers.filter(([name]) => name.trim() !== "").map(([n, v]) => [n.trim(), v]),
		),
		timeout: Number(d.timeout),
		concurrency: Number(d.concurrency),
		rateLimit: d.isLimited ? { count: Number(d.limitCount), seconds: Number(d.limitSeconds) } : null,
	};
}

function isWhole(text: string, min: number, max: number): boolean {
	return /^\d+$/.test(text.trim()) && Number(text) >= min && Number(text) <= max;
}

const RESULT: Record<string, Tone> = { ok: "good", failed: "bad", skipped: "none" };

function UrlCheck({ url }: { url: string }) {
	const t = useText();
	const [result, setResult] = useState<{ url: string; of: CheckResult }>();
	const check = useAction(async () =>
		setResult({ url, of: await post<CheckResult>("v1/webhooks/check", { url }) }),
	);
	const shown = result?.url === url ? result.of : undefined;
	return (
		<div class="stack">
			<div>
				<Button isBusy={check.isRunning} disabled={urlProblem(url) !== null} onClick={() => void check.run()}>
					{t("url.check")}
				</Button>
			</div>
			<Failure error={check.error} />
			{shown && (
				<Notice tone={shown.ok ? "good" : "bad"} title={t(shown.ok ? "url.check.ok" : "url.check.failed")}>
					<ul class="steps">
						{shown.checks.map((c) => (
							<li key={c.name}>
								<Badge tone={RESULT[c.result] ?? "none"}>{sayOf("url.result", c.result)}</Badge>{" "}
								{sayOf("url.check", c.name)}
								{c.detail && (
									<>
										{" – "}
										<Said text={c.detail} />
									</>
								)}
							</li>
						))}
						{shown.certificateEnd && (
							<li>{t("url.check.certificate", { time: format.time(shown.certificateEnd) })}</li>
						)}
					</ul>
				</Notice>
			)}
		</div>
	);
}

function OwnHeaders({
	headers,
	onChange,
}: {
	headers: Draft["headers"];
	onChange: (h: Draft["headers"]) => void;
}) {
	const t = useText();
	const set = (at: number, one: [string, string]): void =>
		onChange(headers.map((h, i) => (i === at ? one : h)));
	return (
		<fieldset>
			<legend>{t("webhook.headers")}</legend>
			<span class="muted small">{t("webhook.headers.hint")}</span>
			{headers.map(([name, value], i) => (
				<div class="row" key={i}>
					<input
						class="input short"
						aria-label={t("webhook.headers.name", { n: i + 1 })}
						placeholder={t("webhook.name")}
						autocomplete="off"
						spellcheck={false}
						value={name}
						onInput={(e) => set(i, [e.currentTarget.value, value])}
					/>
					<input
						class="input short"
						aria-label={t("webhook.headers.value", { n: i + 1 })}
						placeholder={t("webhook.headers.value.hint")}
						autocomplete="off"
						spellcheck={false}
						value={value}
						onInput={(e) => set(i, [name, e.currentTarget.value])}
					/>
					<Button isCompact onClick={() => onChange(headers.filter((_, at) => at !== i))}>
						{t("webhook.headers.remove", { n: i + 1 })}
					</Button>
				</div>
			))}
			<div>
				<Button isCompact onClick={() => onChange([...headers, ["", ""]])}>
					{t("webhook.headers.add")}
				</Button>
			</div>
		</fieldset>
	);
}

const AGENTS_SHOWN = 100;

function Agents({
	text,
	wrong,
	onChange,
}: {
	text: string;
	wrong: string | undefined;
	onChange: (t: string) => void;
}) {
	const t = useText();
	const known = useLoad("agents", (signal) => get<AgentPage>("v1/agents", { size: AGENTS_SHOWN }, signal));
	const chosen = agentsOf(text).map((a) => a.toLowerCase());
	const toggle = (id: string, on: boolean): void =>
		onChange((on ? [...chosen, id] : chosen.filter((one) => one !== id)).join("\n"));
	const agents = known.data?.content ?? [];
	return (
		<fieldset>
			<legend>{t("webhook.agents")}</legend>
			<span class="muted small">{t("webhook.agents.hint")}</span>
			<Failure error={known.error} onRetry={known.reload} />
			{agents.length > 0 && (
				<div class="choices bounded">
					{agents.map((a) => (
						<Choice
							key={a.id}
							label={a.name}
							isOn={chosen.includes(a.id)}
							onChange={(on) => toggle(a.id, on)}
						/>
					))}
				</div>
			)}
			<Field label={t("webhook.agents.ids")} hint={t("webhook.agents.ids.hint")} wrong={wrong}>
				{(a) => (
					<textarea
						class="input"
						rows={2}
						{...a}
						value={text}
						onInput={(e) => onChange(e.currentTarget.value)}
					/>
				)}
			</Field>
		</fieldset>
	);
}

/** What is wrong with the numbers and agents, before anything is sent. */
function wrongs(d: Draft): Partial<Record<"timeout" | "concurrency" | "limit" | "agents" | "statuses", Key>> {
	return {
		...(!isWhole(d.timeout, 1, 60) && { timeout: "webhook.timeout.wrong" as const }),
		...(!isWhole(d.concurrency, 1, 512) && { concurrency: "webhook.concurrency.wrong" as const }),
		...(d.isLimited &&
			!(isWhole(d.limitCount, 1, 1e6) && isWhole(d.limitSeconds, 1, 86400)) && {
				limit: "webhook.limit.wrong" as const,
			}),
		...(!agentsOf(d.agents).every(format.isId) && { agents: "webhook.agents.wrong" as const }),
		...(d.statuses.length === 0 && { statuses: "webhook.statuses.wrong" as const }),
	};
}

type Props = {
	webhook: Webhook | null;
	action: string;
	error: ApiError | undefined;
	isBusy: boolean;
	isReadOnly?: boolean;
	onSubmit: (input: WebhookInput) => void;
};

export function WebhookForm({ webhook, action, error, isBusy, isReadOnly = false, onSubmit }: Props) {
	const t = useText();
	const [d, setDraft] = useState(() => draftOf(webhook));
	const [wasLeft, setLeft] = useState(Boolean(webhook));
	const wasBusy = useRef(false);
	useEffect(() => {
		// Saved: from now on it is what the service made of it.
		if (wasBusy.current && !isBusy && !error) setDraft(draftOf(webhook));
		wasBusy.current = isBusy;
	}, [isBusy]);
	const set = (part: Partial<Draft>): void => setDraft({ ...d, ...part });
	const url = d.url.trim();
	const problem = urlProblem(url);
	const wrong = wrongs(d);
	const urlWrong = error?.of("/url") ?? (problem && wasLeft && url ? t(problem) : undefined);
	const isChanged = JSON.stringify(d) !== JSON.stringify(draftOf(webhook));
	const isReady = !problem && Object.keys(wrong).length === 0 && !isReadOnly;
	return (
		<form
			class="stack"
			onSubmit={(e) => {
				e.preventDefault();
				if (isReady) onSubmit(inputOf(d));
			}}
		>
			<TextField
				label={t("webhook.url")}
				hint={t("webhook.url.hint")}
				type="url"
				inputMode="url"
				required
				placeholder="https://crm.example.com/calls"
				autocomplete="off"
				value={d.url}
				wrong={urlWrong}
				onValue={(v) => {
					set({ url: v });
					if (v.length > 8) setLeft(true);
				}}
				onBlur={() => setLeft(true)}
			/>
			{!isReadOnly && <UrlCheck url={url} />}
			<TextField
				label={t("webhook.name")}
				hint={t("webhook.name.hint")}
				maxLength={200}
				value={d.name}
				wrong={error?.of("/name")}
				onValue={(v) => set({ name: v })}
			/>
			<fieldset>
				<legend>{t("webhook.statuses")}</legend>
				<div class="choices">
					{FINAL_STATUSES.map((s) => (
						<Choice
							key={s}
							label={sayOf("call", s)}
							isOn={d.statuses.includes(s)}
							onChange={(on) =>
								set({ statuses: on ? [...d.statuses, s] : d.statuses.filter((one) => one !== s) })
							}
						/>
					))}
				</div>
				{wrong.statuses && (
					<span class="wrong" role="alert">
						<Badge tone="bad">{t(wrong.statuses)}</Badge>
					</span>
				)}
			</fieldset>
			<details open={Boolean(agentsOf(d.agents).length || d.headers.length || d.isLimited)}>
				<summary>{t("webhook.more")}</summary>
				<div class="stack">
					<Agents
						text={d.agents}
						wrong={error?.of("/agentIds") ?? (wrong.agents && t(wrong.agents))}
						onChange={(agents) => set({ agents })}
					/>
					<OwnHeaders headers={d.headers} onChange={(headers) => set({ headers })} />
					{error?.of("/headers") && (
						<Notice tone="bad" isAlert>
							<p>{error.of("/headers")}</p>
						</Notice>
					)}
					<div class="row">
						<TextField
							label={t("webhook.timeout")}
							isShort
							inputMode="numeric"
							value={d.timeout}
							wrong={wrong.timeout && t(wrong.timeout)}
							onValue={(v) => set({ timeout: v })}
						/>
						<TextField
							label={t("webhook.concurrency")}
							isShort
							inputMode="numeric"
							value={d.concurrency}
							wrong={wrong.concurrency && t(wrong.concurrency)}
							onValue={(v) => set({ concurrency: v })}
						/>
					</div>
					<Choice
						label={t("webhook.limit")}
						isOn={d.isLimited}
						onChange={(isLimited) => set({ isLimited })}
					/>
					{d.isLimited && (
						<div class="row">
							<TextField
								label={t("webhook.limit.count")}
								isShort
								inputMode="numeric"
								value={d.limitCount}
								wrong={wrong.limit && t(wrong.limit)}
								onValue={(v) => set({ limitCount: v })}
							/>
							<TextField
								label={t("webhook.limit.seconds")}
								isShort
								inputMode="numeric"
								value={d.limitSeconds}
								onValue={(v) => set({ limitSeconds: v })}
							/>
						</div>
					)}
				</div>
			</details>
			<Failure error={error} />
			{!isReadOnly && (
				<div class="row">
					<Button kind="primary" type="submit" isBusy={isBusy} disabled={!isReady}>
						{action}
					</Button>
					{webhook && isChanged && (
						<>
							<Button kind="plain" onClick={() => setDraft(draftOf(webhook))}>
								{t("webhook.discard")}
							</Button>
							<span class="muted small">{t("webhook.changed")}</span>
						</>
					)}
				</div>
			)}
		</form>
	);
}
