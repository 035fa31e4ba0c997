/** Signature inspector: everything is computed here; nothing leaves the browser. */
import { useState } from "preact/hooks";
import { useText, sayOf } from "../i18n";
import * as format from "../format";
import { Badge, Button, Card, Choice, Field, Head, Notice, TextField } from "../ui/parts";
import { parseHeaders, type SchemeResult, type Verdict, verify } from "../verify";
import { takeInspected } from "./to_inspector";

const TOLERANCE_SECONDS = 300;
const GOOD: Verdict[] = ["valid", "nextSecret"];

function Result({ r }: { r: SchemeResult }) {
	const t = useText();
	const isGood = GOOD.includes(r.verdict);
	return (
		<Notice tone={isGood ? "good" : "bad"}>
			<div class="row">
				<Badge tone={isGood ? "good" : "bad"}>{t(isGood ? "verdict.good" : "verdict.bad")}</Badge>
				<code>{r.scheme}</code>
			</div>
			<p>{sayOf("verdict", r.verdict)}</p>
			{!isGood && r.expected && (
				<dl class="facts">
					<dt>{t("inspector.received")}</dt>
					<dd class="mono">{r.received}</dd>
					<dt>{t("inspector.expected")}</dt>
					<dd class="mono">{r.expected}</dd>
				</dl>
			)}
		</Notice>
	);
}

export function Inspector() {
	const t = useText();
	const [from] = useState(takeInspected);
	const [headers, setHeaders] = useState(from?.headers ?? "");
	const [body, setBody] = useState(from?.body ?? "");
	const [file, setFile] = useState<{ name: string; bytes: Uint8Array }>();
	const [secret, setSecret] = useState("");
	const [other, setOther] = useState("");
	const [isOld, setOld] = useState(Boolean(from));
	const [results, setResults] = useState<SchemeResult[] | Verdict>();
	const check = (): void =>
		setResults(
			verify({
				headers: parseHeaders(headers),
				body: file?.bytes ?? new TextEncoder().encode(body),
				secret: secret.trim(),
				others: other.trim() ? [other.trim()] : [],
				now: new Date(),
				toleranceSeconds: isOld ? Infinity : TOLERANCE_SECONDS,
			}),
		);
	const take = async (list: FileList | null): Promise<void> => {
		const one = list?.[0];
		setFile(one ? { name: one.name, bytes: new Uint8Array(await one.arrayBuffer()) } : undefined);
	};
	return (
		<div class="view">
			<Head title={t("nav.inspector")} />
			<p>{t("inspector.text")}</p>
			<div class="columns">
				<Card title={t("inspector.input")}>
					<form
						class="stack"
						onSubmit={(e) => {
							e.preventDefault();
							check();
						}}
					>
						<Field label={t("inspector.headers")} hint={t("inspector.headers.hint")}>
							{(a) => (
								<textarea
									class="input"
									rows={6}
									spellcheck={false}
									{...a}
									value={headers}
									onInput={(e) => setHeaders(e.currentTarget.value)}
								/>
							)}
						</Field>
						<Field
							label={t("inspector.body")}
							hint={
								file
									? t("inspector.file.used", {
											name: file.name,
											count: format.number(file.bytes.length),
										})
									: t("inspector.body.hint")
							}
						>
							{(a) => (
								<textarea
									class="input"
									rows={8}
									spellcheck={false}
									disabled={Boolean(file)}
									{...a}
									value={body}
									onInput={(e) => setBody(e.currentTarget.value)}
								/>
							)}
						</Field>
						<Field label={t("inspector.file")}>
							{(a) => (
								<input type="file" class="input" {...a} onChange={(e) => void take(e.currentTarget.files)} />
							)}
						</Field>
						<TextField
							label={t("inspector.secret")}
							hint={t("inspector.secret.hint")}
							type="password"
							autocomplete="off"
							value={secret}
							onValue={setSecret}
						/>
						<TextField
							label={t("inspector.other")}
							type="password"
							autocomplete="off"
							value={other}
							onValue={setOther}
						/>
						<Choice label={t("inspector.old")} isOn={isOld} onChange={setOld} />
						<div>
							<Button kind="primary" type="submit" disabled={!secret.trim()}>
								{t("inspector.check")}
							</Button>
						</div>
					</form>
				</Card>
				<div class="stack" aria-live="polite">
					{results === undefined && (
						<Card title={t("inspector.verdict")}>
							<p class="muted">{t("inspector.waiting")}</p>
						</Card>
					)}
					{typeof results === "string" && (
						<Card title={t("inspector.verdict")}>
							<Notice tone="warn">
								<p>{sayOf("verdict", results)}</p>
							</Notice>
						</Card>
					)}
					{Array.isArray(results) && (
						<Card title={t("inspector.verdict")}>
							{results.map((r) => (
								<Result key={r.scheme} r={r} />
							))}
						</Card>
					)}
				</div>
			</div>
		</div>
	);
}
