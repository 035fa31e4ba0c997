/** Security of a webhook: generate, reveal, rotate with an overlap, disable. */
import { useEffect, useState } from "preact/hooks";
import {
	post,
	remove,
	type RevealedSecret,
	type RotatedSecret,
	type Secret,
	type Webhook,
	webhookPath,
} from "../api/client";
import { type Key, useText } from "../i18n";
import { useAction } from "../load";
import { isPermitted, may } from "../session";
import * as format from "../format";
import {
	Badge,
	Button,
	Card,
	Confirm,
	Failure,
	Notice,
	SecretBox,
	SelectField,
	TextField,
} from "../ui/parts";
import { toast } from "../ui/toast";
import { useSession } from "../who";

type Props = { webhook: Webhook; onChange: () => void };

const OVERLAPS: [string, Key][] = [
	["0", "rotate.now"],
	["3600", "rotate.hour"],
	["86400", "rotate.day"],
	["604800", "rotate.week"],
];

interface Shown {
	secret: string;
	next?: string | null;
	isNew: boolean;
}

function ShownSecret({ shown, onHide }: { shown: Shown; onHide: () => void }) {
	const t = useText();
	return (
		<Notice tone={shown.isNew ? "good" : "info"} title={t(shown.isNew ? "secret.new" : "secret.current")}>
			{shown.isNew && <p>{t("secret.new.text")}</p>}
			<SecretBox value={shown.secret} />
			{shown.next && (
				<>
					<p>{t("secret.next")}</p>
					<SecretBox value={shown.next} />
				</>
			)}
			<div>
				<Button isCompact onClick={onHide}>
					{t("secret.hide")}
				</Button>
			</div>
		</Notice>
	);
}

function Generate({ webhook, onShown }: { webhook: Webhook; onShown: (s: Shown) => void }) {
	const t = useText();
	const [own, setOwn] = useState("");
	const make = useAction(async (body?: { secret: string }) => {
		const made = await post<Secret>(webhookPath(webhook.id, "/secret"), body);
		setOwn("");
		onShown({ secret: made.secret, isNew: true });
	});
	return (
		<>
			<p>{t("secret.none")}</p>
			<div>
				<Button kind="primary" isBusy={make.isRunning} onClick={() => void make.run()}>
					{t("secret.generate")}
				</Button>
			</div>
			<details>
				<summary>{t("secret.bring")}</summary>
				<form
					class="stack"
					onSubmit={(e) => {
						e.preventDefault();
						void make.run({ secret: own.trim() });
					}}
				>
					<TextField
						label={t("secret.own")}
						hint={t("secret.own.hint")}
						type="password"
						autocomplete="off"
						value={own}
						wrong={make.error?.of("/secret")}
						onValue={setOwn}
					/>
					<div>
						<Button type="submit" isBusy={make.isRunning} disabled={!own.trim()}>
							{t("secret.own.action")}
						</Button>
					</div>
				</form>
			</details>
			<Failure error={make.error} />
		</>
	);
}

const CLOCK_MS = 1000;

/** How long both secrets still sign. */
function RotationClock({ ends, onEnd }: { ends: string; onEnd: () => void }) {
	const t = useText();
	const left = (): number => (Date.parse(ends) - Date.now()) / 1000;
	const [seconds, set] = useState(left);
	useEffect(() => {
		const timer = setInterval(() => {
			if (left() <= 0) {
				clearInterval(timer);
				onEnd();
			}
			set(left());
		}, CLOCK_MS);
		return () => clearInterval(timer);
	}, [ends]);
	return (
		<p>
			{t("rotate.left", { time: format.time(ends) })} <strong role="timer">{format.length(seconds)}</strong>
		</p>
	);
}

function Rotation({ webhook, onShown, onChange }: Props & { onShown: (s: Shown) => void }) {
	const t = useText();
	const [overlap, setOverlap] = useState("86400");
	const rotate = useAction(async () => {
		const made = await post<RotatedSecret>(webhookPath(webhook.id, "/secret/rotate"), {
			overlap: Number(overlap),
		});
		onShown({ secret: made.secret, isNew: true });
	});
	const end = useAction(async (how: "finish" | "cancel") => {
		await post<Webhook>(webhookPath(webhook.id, `/secret/rotate/${how}`));
		toast(t(how === "finish" ? "rotate.finished" : "rotate.canceled"));
		onChange();
	});
	if (webhook.rotation)
		return (
			<Notice tone="info" title={t("rotate.running")}>
				<p>{t("rotate.running.text")}</p>
				<RotationClock ends={webhook.rotation.ends} onEnd={onChange} />
				<div class="row">
					<Button isCompact isBusy={end.isRunning} onClick={() => void end.run("finish")}>
						{t("rotate.finish")}
					</Button>
					<Button isCompact isBusy={end.isRunning} onClick={() => void end.run("cancel")}>
						{t("rotate.cancel")}
					</Button>
				</div>
				<Failure error={end.error} />
			</Notice>
		);
	return (
		<details>
			<summary>{t("rotate.title")}</summary>
			<div class="stack">
				<p class="muted">{t("rotate.text")}</p>
				<SelectField
					label={t("rotate.overlap")}
					value={overlap}
					onValue={setOverlap}
					options={OVERLAPS.map(([v, key]) => [v, t(key)])}
				/>
				<div>
					<Button isBusy={rotate.isRunning} onClick={() => void rotate.run()}>
						{t("rotate.action")}
					</Button>
				</div>
				<Failure error={rotate.error} />
			</div>
		</details>
	);
}

export function SecretCard({ webhook, onChange }: Props) {
	const t = useText();
	const session = useSession();
	const [shown, setShown] = useState<Shown>();
	const [isAsking, setAsking] = useState(false);
	const canWrite = may(session, "integrations:write");
	const reveal = useAction(async () => {
		const all = await post<RevealedSecret>(webhookPath(webhook.id, "/secret/reveal"));
		setShown({ secret: all.secret, next: all.next, isNew: false });
	});
	const disable = useAction(async () => {
		await remove<void>(webhookPath(webhook.id, "/secret"));
		setAsking(false);
		setShown(undefined);
		onChange();
	});
	const onShown = (s: Shown): void => {
		setShown(s);
		onChange();
	};
	return (
		<Card
			title={t("security")}
			aside={
				<Badge tone={webhook.secured ? "good" : "warn"}>{t(webhook.secured ? "secured" : "unsecured")}</Badge>
			}
		>
			{shown && <ShownSecret shown={shown} onHide={() => setShown(undefined)} />}
			{!webhook.secured && canWrite && <Generate webhook={webhook} onShown={onShown} />}
			{webhook.secured && <p>{t("secret.is")}</p>}
			{webhook.secured && canWrite && (
				<>
					{isPermitted(session, "reveal") && !shown && (
						<div>
							<Button isBusy={reveal.isRunning} onClick={() => void reveal.run()}>
								{t("secret.reveal")}
							</Button>
						</div>
					)}
					<Failure error={reveal.error} />
					{isPermitted(session, "rotate") && (
						<>
							<Rotation webhook={webhook} onShown={onShown} onChange={onChange} />
							<div>
								<Button kind="danger" isCompact onClick={() => setAsking(true)}>
									{t("secret.disable")}
								</Button>
							</div>
						</>
					)}
				</>
			)}
			{isAsking && (
				<Confirm
					title={t("secret.disable")}
					text={t("secret.disable.text")}
					action={t("secret.disable")}
					error={disable.error}
					isBusy={disable.isRunning}
					onConfirm={() => void disable.run()}
					onClose={() => setAsking(false)}
				/>
			)}
		</Card>
	);
}
