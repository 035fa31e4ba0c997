/** One attempt: what went out, what came back, and where the time went. */
import type { Attempt } from "../api/client";
import { sayOf, useText } from "../i18n";
import * as format from "../format";
import { Copy, Said } from "../ui/parts";
import { AttemptBadge } from "./states";

const PARTS = ["dns", "connect", "tls", "firstByte", "total"] as const;

/** Milliseconds spent in each part; the service gives the moment at which each ended. */
export function spent(timings: Attempt["timings"]): [part: (typeof PARTS)[number], ms: number][] {
	let before = 0;
	const parts: [(typeof PARTS)[number], number][] = [];
	for (const part of PARTS) {
		const end = timings[part];
		if (end === null || end < before) continue;
		parts.push([part, end - before]);
		before = end;
	}
	return parts;
}

function Timing({ timings }: { timings: Attempt["timings"] }) {
	const t = useText();
	const parts = spent(timings);
	const whole = parts.reduce((sum, [, took]) => sum + took, 0);
	if (whole <= 0) return null;
	let x = 0;
	return (
		<div class="stack">
			<svg class="timing" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
				{parts.map(([part, took]) => {
					const width = (took / whole) * 1000;
					const bar = <rect key={part} class={`part-${part}`} x={x} y={0} width={width} height={10} />;
					x += width;
					return bar;
				})}
			</svg>
			<ul class="legend" aria-label={t("attempt.timings")}>
				{parts.map(([part, took]) => (
					<li key={part}>
						<svg viewBox="0 0 10 10" aria-hidden="true">
							<rect class={`part-${part}`} width={10} height={10} rx={2} />
						</svg>
						{sayOf("timing", part)} {format.ms(took)}
					</li>
				))}
			</ul>
		</div>
	);
}

export function headersText(a: Attempt): string {
	return a.requestHeaders.map((h) => `${h.name}: ${h.value}`).join("\n");
}

export function AnswerBox({ attempt }: { attempt: Attempt }) {
	const t = useText();
	if (attempt.answer === null) return <p class="muted">{t("attempt.answer.none")}</p>;
	if (attempt.answer === "") return <p class="muted">{t("attempt.answer.empty")}</p>;
	return (
		<>
			{attempt.answerEncoding && <p class="muted small">{t("attempt.answer.base64")}</p>}
			<pre tabIndex={0}>{attempt.answer}</pre>
		</>
	);
}

export function AttemptHead({ attempt }: { attempt: Attempt }) {
	return (
		<div class="row">
			<AttemptBadge attempt={attempt} />
			<time dateTime={attempt.time}>{format.time(attempt.time)}</time>
			<span class="muted">{format.ms(attempt.timings.total)}</span>
		</div>
	);
}

export function AttemptFacts({ attempt }: { attempt: Attempt }) {
	const t = useText();
	return (
		<>
			{attempt.detail && (
				<p class="break">
					<Said text={attempt.detail} />
				</p>
			)}
			<Timing timings={attempt.timings} />
			<dl class="facts">
				<dt>{t("attempt.address")}</dt>
				<dd>{attempt.address ?? "–"}</dd>
				{attempt.tlsVersion && (
					<>
						<dt>TLS</dt>
						<dd>
							{attempt.tlsVersion}
							{attempt.certificateEnd &&
								", " + t("attempt.certificate", { time: format.time(attempt.certificateEnd) })}
						</dd>
					</>
				)}
				{attempt.location && (
					<>
						<dt>Location</dt>
						<dd>{attempt.location}</dd>
					</>
				)}
			</dl>
		</>
	);
}

export function RequestBox({ attempt, body }: { attempt: Attempt; body: string | undefined }) {
	const t = useText();
	return (
		<div class="stack">
			<div class="row spread">
				<h3>{t("attempt.headers")}</h3>
				<Copy text={headersText(attempt)} />
			</div>
			<pre tabIndex={0}>{headersText(attempt)}</pre>
			{body !== undefined && (
				<>
					<div class="row spread">
						<h3>{t("attempt.body")}</h3>
						<Copy text={body} />
					</div>
					<pre tabIndex={0}>{body}</pre>
				</>
			)}
		</div>
	);
}
