/** Sending a stretch of time again, and how far that has got. */
import { useEffect, useState } from "preact/hooks";
import { get, post, remove, type Replay, type ReplayPage, type Webhook, webhookPath } from "../api/client";
import { sayOf, useText } from "../i18n";
import { useAction, useLoad } from "../load";
import * as format from "../format";
import { Badge, Button, Card, Choice, Failure, Said, TextField, type Tone } from "../ui/parts";

const STATES = ["FAILED", "PARKED", "DELIVERED"] as const;
const TONES: Record<string, Tone> = { RUNNING: "info", DONE: "good", FAILED: "bad", CANCELED: "none" };
const ASK_AGAIN_MS = 1500;
const SHOWN = 3;

/** A moment as <input type="datetime-local"> writes it, in the user's time zone. */
function localText(at: Date): string {
	const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60000);
	return shifted.toISOString().slice(0, 16);
}

function Progress({ replay, onCancel, isBusy }: { replay: Replay; onCancel: () => void; isBusy: boolean }) {
	const t = useText();
	const isRunning = replay.state === "RUNNING";
	return (
		<li class="stack">
			<div class="row spread">
				<span class="small">
					{format.time(replay.from)} – {format.time(replay.to)}
				</span>
				<Badge tone={TONES[replay.state] ?? "none"}>{sayOf("replay", replay.state)}</Badge>
			</div>
			{isRunning && (
				<progress
					class="progress"
					aria-label={t("replay.progress")}
					{...(replay.total ? { value: replay.examined, max: replay.total } : {})}
				/>
			)}
			<p class="small muted">
				{t("replay.counts", {
					resent: format.number(replay.resent),
					made: format.number(replay.made),
					skipped: format.number(replay.skipped),
				})}
			</p>
			{replay.reason && (
				<p class="small">
					<Said text={replay.reason} />
				</p>
			)}
			{isRunning && (
				<div>
					<Button isCompact isBusy={isBusy} onClick={onCancel}>
						{t("replay.cancel")}
					</Button>
				</div>
			)}
		</li>
	);
}

export function ReplayCard({ webhook }: { webhook: Webhook }) {
	const t = useText();
	const [from, setFrom] = useState(() => localText(new Date(Date.now() - 86400000)));
	const [to, setTo] = useState("");
	const [states, setStates] = useState<string[]>(["FAILED", "PARKED"]);
	const [isMissing, setMissing] = useState(false);
	const jobs = useLoad(`replays ${webhook.id}`, (signal) =>
		get<ReplayPage>("v1/replays", { webhookId: webhook.id }, signal),
	);
	const running = jobs.data?.content.find((r) => r.state === "RUNNING");
	useEffect(() => {
		if (!running) return undefined;
		const timer = setTimeout(jobs.reload, ASK_AGAIN_MS);
		return () => clearTimeout(timer);
	}, [jobs.data]);
	const start = useAction(async () => {
		await post<Replay>(webhookPath(webhook.id, "/replay"), {
			from: new Date(from).toISOString(),
			...(to && { to: new Date(to).toISOString() }),
			states: STATES.filter((s) => states.includes(s)),
			missing: isMissing,
		});
		jobs.reload();
	});
	const cancel = useAction(async (id: string) => {
		await remove<Replay>(`v1/replays/${id}`);
		jobs.reload();
	});
	return (
		<Card title={t("replay")}>
			<p class="muted">{t("replay.text")}</p>
			<details>
				<summary>{t("replay.new")}</summary>
				<form
					class="stack"
					onSubmit={(e) => {
						e.preventDefault();
						void start.run();
					}}
				>
					<div class="filters">
						<TextField
							label={t("from")}
							type="datetime-local"
							required
							value={from}
							wrong={start.error?.of("/from")}
							onValue={setFrom}
						/>
						<TextField
							label={t("to")}
							hint={t("replay.to.hint")}
							type="datetime-local"
							value={to}
							wrong={start.error?.of("/to")}
							onValue={setTo}
						/>
					</div>
					<fieldset>
						<legend>{t("replay.states")}</legend>
						<div class="row">
							{STATES.map((s) => (
								<Choice
									key={s}
									label={sayOf("delivery", s)}
									isOn={states.includes(s)}
									onChange={(on) => setStates(on ? [...states, s] : states.filter((one) => one !== s))}
								/>
							))}
						</div>
					</fieldset>
					<Choice label={t("replay.missing")} isOn={isMissing} onChange={setMissing} />
					<div>
						<Button
							type="submit"
							isBusy={start.isRunning}
							disabled={!from || Boolean(running) || (states.length === 0 && !isMissing)}
						>
							{t("replay.start")}
						</Button>
					</div>
					<Failure error={start.error} />
				</form>
			</details>
			{jobs.data && jobs.data.content.length > 0 && (
				<ul class="line">
					{jobs.data.content.slice(0, SHOWN).map((r) => (
						<Progress
							key={r.id}
							replay={r}
							isBusy={cancel.isRunning}
							onCancel={() => void cancel.run(r.id)}
						/>
					))}
				</ul>
			)}
			<Failure error={cancel.error ?? jobs.error} />
		</Card>
	);
}
