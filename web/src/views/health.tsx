/** How each webhook is doing: rate, success, latency, what waits and for how long. Every chart is a table too. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { get, type Stats, type WebhookList } from "../api/client";
import { locale, say, useText, type Key } from "../i18n";
import { useLoad } from "../load";
import { hrefOf, replace } from "../router";
import * as format from "../format";
import { Await, Card, Empty, Head, Said, SelectField } from "../ui/parts";
import { LaneBadge, nameOf } from "./states";

type One = Stats["webhooks"][number];
type Span = { seconds: number; step: number; key: Key };

const SPANS: Record<string, Span> = {
	hour: { seconds: 3600, step: 60, key: "span.hour" },
	day: { seconds: 86400, step: 3600, key: "span.day" },
	week: { seconds: 7 * 86400, step: 3600, key: "span.week" },
	month: { seconds: 30 * 86400, step: 86400, key: "span.month" },
};
const ASK_AGAIN_MS = 15000;
const HEIGHT = 220;

interface Line {
	label: string;
	color: string; // a custom property
	values: (number | null)[];
}

/** A canvas knows no custom properties: what the browser makes of one, for the colours that are shown now. */
function colorOf(property: string): string {
	const probe = document.createElement("span");
	probe.style.color = `var(${property})`;
	document.body.append(probe);
	const color = getComputedStyle(probe).color;
	probe.remove();
	return color;
}

interface Plot {
	times: number[];
	step: number;
	lines: Line[];
	unit?: string;
	most?: number; // the end of the scale; else what is there says it
}

/** What tells two labels of the axis apart: days have no hours, and a day's hours no date. */
function labelsOf(times: number[], step: number): Intl.DateTimeFormatOptions {
	const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
	const hour = { hour: "2-digit", minute: "2-digit" } as const;
	const day = { day: "numeric", month: "short" } as const;
	if (step >= 86400) return day;
	return span > 86400 ? { ...day, ...hour } : hour;
}

/** Values between two gaps: no line leads to them, so they are shown as points. */
function lonely(values: ArrayLike<number | null | undefined>): number[] {
	const isThere = (i: number): boolean => values[i] !== null && values[i] !== undefined;
	return Array.from(values, (_, i) => i).filter((i) => isThere(i) && !isThere(i - 1) && !isThere(i + 1));
}

function draw(box: HTMLElement, { times, step, lines, unit = "", most }: Plot): uPlot {
	const axis = {
		stroke: colorOf("--muted"),
		grid: { stroke: colorOf("--border"), width: 1 },
		ticks: { show: false },
	};
	const dates = new Intl.DateTimeFormat(locale(), labelsOf(times, step));
	return new uPlot(
		{
			width: box.clientWidth,
			height: HEIGHT,
			legend: { live: false },
			axes: [
				{ ...axis, values: (_, at) => at.map((s) => dates.format(new Date(s * 1000))), space: 110 },
				{ ...axis, size: 64, values: (_, at) => at.map((v) => format.number(v) + unit) },
			],
			scales: { y: { range: (_, __, max) => [0, most ?? (max > 0 ? max * 1.1 : 1)] } },
			series: [
				{},
				...lines.map((l) => ({
					label: l.label,
					stroke: colorOf(l.color),
					width: 2,
					points: { show: true, filter: (u: uPlot, s: number) => lonely(u.data[s] ?? []) },
				})),
			],
		},
		[times, ...lines.map((l) => l.values)],
		box,
	);
}

function Chart({ title, ...plotted }: Plot & { title: string }) {
	const { times, lines, unit = "" } = plotted;
	const t = useText();
	const box = useRef<HTMLDivElement>(null);
	useEffect(() => {
		const element = box.current as HTMLDivElement;
		const plot = draw(element, plotted);
		const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
		resize.observe(element);
		return () => {
			resize.disconnect();
			plot.destroy();
		};
	});
	return (
		<Card title={title}>
			<div class="chart" ref={box} aria-hidden="true" />
			<details>
				<summary>{t("health.table")}</summary>
				<div class="table-box" tabIndex={0} role="region" aria-label={title}>
					<table>
						<thead>
							<tr>
								<th scope="col">{t("time")}</th>
								{lines.map((l) => (
									<th key={l.label} scope="col" class="number">
										{l.label}
									</th>
								))}
							</tr>
						</thead>
						<tbody>
							{times.map((s, i) => (
								<tr key={s}>
									<th scope="row" class="nowrap">
										{format.time(new Date(s * 1000).toISOString())}
									</th>
									{lines.map((l) => (
										<td key={l.label} class="number">
											{l.values[i] === null ? "–" : format.number(l.values[i] as number) + unit}
										</td>
									))}
								</tr>
							))}
						</tbody>
					</table>
				</div>
			</details>
		</Card>
	);
}

function Tile({ label, value }: { label: string; value: string }) {
	return (
		<div>
			<div class="muted small">{label}</div>
			<div class="figure">{value}</div>
		</div>
	);
}

function Tiles({ one }: { one: One }) {
	const t = useText();
	const waiting = one.oldestPending ? (Date.now() - Date.parse(one.oldestPending)) / 1000 : null;
	return (
		<div class="tiles">
			<Tile label={t("health.success")} value={format.percent(one.successRate)} />
			<Tile label="p50" value={format.ms(one.latency.p50)} />
			<Tile label="p99" value={format.ms(one.latency.p99)} />
			<Tile label={t("delivery.PENDING")} value={format.number(one.counts.pending)} />
			<Tile label={t("health.oldest")} value={waiting === null ? "–" : format.length(waiting)} />
			<Tile label={t("delivery.FAILED")} value={format.number(one.counts.failed)} />
			<Tile label={t("delivery.PARKED")} value={format.number(one.counts.parked)} />
		</div>
	);
}

/** Per minute; the stretch that goes on counts for as long as it has. */
function perMinute(count: number, begin: number, step: number): number {
	const seconds = Math.max(60, Math.min(step, Date.now() / 1000 - begin));
	return Math.round((count / seconds) * 6000) / 100;
}

function Charts({ one, step }: { one: One; step: number }) {
	const t = useText();
	const times = one.series.map((p) => Date.parse(p.time) / 1000);
	const rate = (what: "delivered" | "failed"): number[] =>
		one.series.map((p, i) => perMinute(p[what], times[i] as number, step));
	return (
		<div class="columns">
			<Chart
				title={t("health.rate")}
				times={times}
				step={step}
				lines={[
					{ label: t("delivery.DELIVERED"), color: "--good", values: rate("delivered") },
					{ label: t("health.failures"), color: "--bad", values: rate("failed") },
				]}
			/>
			<Chart
				title={t("health.success")}
				times={times}
				step={step}
				unit=" %"
				most={100}
				lines={[
					{
						label: t("health.success"),
						color: "--info",
						values: one.series.map((p) =>
							p.attempts ? Math.round((p.delivered / p.attempts) * 1000) / 10 : null,
						),
					},
				]}
			/>
			<Chart
				title={t("health.latency")}
				times={times}
				step={step}
				unit=" ms"
				lines={(["p50", "p90", "p99"] as const).map((p, i) => ({
					label: p,
					color: ["--good", "--warn", "--bad"][i] as string,
					values: one.series.map((s) => s.latency[p]),
				}))}
			/>
			<Backlog one={one} />
		</div>
	);
}

/** Bounds double from a minute on: 64 minutes are shown as the hour that they nearly are. */
function age(seconds: number): string {
	return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** A label for each column up to the oldest that has any. */
function agesOf(one: One): { label: string; count: number }[] {
	const last = one.backlog.findLastIndex((b) => b.count > 0);
	return one.backlog.slice(0, last + 1).map((b, i) => {
		const from = i > 0 ? (one.backlog[i - 1]?.under ?? 0) : 0;
		if (b.under === null) return { label: say("health.age.over", { from: age(from) }), count: b.count };
		if (i === 0) return { label: say("health.age.under", { to: age(b.under) }), count: b.count };
		return { label: `${age(from)} – ${age(b.under)}`, count: b.count };
	});
}

function Backlog({ one }: { one: One }) {
	const t = useText();
	const ages = agesOf(one);
	const most = Math.max(...ages.map((a) => a.count));
	return (
		<Card title={t("health.backlog")}>
			{ages.length === 0 ? (
				<p class="muted">{t("health.backlog.none")}</p>
			) : (
				<table class="ages">
					<thead>
						<tr>
							<th scope="col">{t("health.age")}</th>
							<th scope="col" class="number">
								{t("nav.deliveries")}
							</th>
							<td />
						</tr>
					</thead>
					<tbody>
						{ages.map((a) => (
							<tr key={a.label}>
								<th scope="row" class="nowrap">
									{a.label}
								</th>
								<td class="number">{format.number(a.count)}</td>
								<td class="bar" aria-hidden="true">
									<svg viewBox="0 0 100 10" preserveAspectRatio="none">
										<rect width={(a.count / most) * 100} height={10} />
									</svg>
								</td>
							</tr>
						))}
					</tbody>
				</table>
			)}
		</Card>
	);
}

export function Health({ query }: { query: URLSearchParams }) {
	const t = useText();
	const spanName = query.get("span") ?? "day";
	const span = SPANS[spanName] ?? (SPANS["day"] as Span);
	const wanted = query.get("webhookId") ?? "";
	const webhooks = useLoad("webhooks", (signal) => get<WebhookList>("v1/webhooks", {}, signal));
	const chosen = wanted || webhooks.data?.content[0]?.id || "";
	const stats = useLoad(`stats ${spanName} ${chosen}`, async (signal) => {
		if (!chosen) return null;
		const from = new Date(Date.now() - span.seconds * 1000).toISOString();
		return get<Stats>("v1/stats", { webhookId: chosen, from, step: span.step }, signal);
	});
	useEffect(() => {
		const timer = setTimeout(stats.reload, ASK_AGAIN_MS);
		return () => clearTimeout(timer);
	}, [stats.data]);
	const set = (part: Record<string, string>): void =>
		replace(hrefOf(["health"], { webhookId: wanted, span: spanName, ...part }));
	return (
		<div class="view">
			<Head title={t("nav.health")} />
			<Await of={webhooks}>
				{(list) =>
					list.content.length === 0 ? (
						<Empty title={t("webhooks.none")}>
							<p>{t("health.none")}</p>
						</Empty>
					) : (
						<>
							<div class="filters">
								<SelectField
									label={t("webhook")}
									value={chosen}
									onValue={(webhookId) => set({ webhookId })}
									options={list.content.map((w): [string, string] => [w.id, nameOf(w)])}
								/>
								<SelectField
									label={t("span")}
									value={spanName}
									onValue={(name) => set({ span: name })}
									options={Object.entries(SPANS).map(([name, s]): [string, string] => [name, t(s.key)])}
								/>
							</div>
							<Await of={stats}>
								{(data) => {
									const one = data?.webhooks.find((w) => w.webhookId === chosen);
									if (!data || !one) return <Empty title={t("health.empty")} />;
									return (
										<>
											<Card title={t("state")} aside={<LaneBadge state={one.state} />}>
												{one.reason && (
													<p>
														<Said text={one.reason} />
													</p>
												)}
												<Tiles one={one} />
											</Card>
											<Charts one={one} step={data.step} />
										</>
									);
								}}
							</Await>
						</>
					)
				}
			</Await>
		</div>
	);
}
