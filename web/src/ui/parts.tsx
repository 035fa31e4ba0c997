/** The building blocks of every view. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api/client";
import { say, type Key, useText } from "../i18n";
import type { Loaded } from "../load";
import { said } from "../said";
import { toast } from "./toast";

export type Tone = "good" | "warn" | "bad" | "info" | "none";

type ButtonProps = {
	kind?: "primary" | "danger" | "danger primary" | "plain";
	isBusy?: boolean;
	isCompact?: boolean;
} & Omit<JSX.ButtonHTMLAttributes<HTMLButtonElement>, "class" | "className">;

export function Button({ kind, isBusy = false, isCompact = false, children, ...rest }: ButtonProps) {
	return (
		<button
			type="button"
			{...rest}
			class={["button", kind, isCompact && "compact"].filter(Boolean).join(" ")}
			aria-busy={isBusy}
			disabled={rest.disabled || isBusy}
		>
			{children}
		</button>
	);
}

type BadgeProps = { tone: Tone; isSteady?: boolean; children: ComponentChildren };

/** Steady: it keeps its width when its words change. */
export function Badge({ tone, isSteady, children }: BadgeProps) {
	return <span class={`badge ${tone} ${isSteady ? "steady" : ""}`}>{children}</span>;
}

export function Notice(props: {
	tone: Tone;
	title?: string;
	isAlert?: boolean;
	children?: ComponentChildren;
}) {
	return (
		<div class={`notice ${props.tone}`} role={props.isAlert ? "alert" : "status"}>
			{props.title && <strong>{props.title}</strong>}
			{props.children}
		</div>
	);
}

/** Words of the service, in the user's language if they are known. */
export function Said({ text }: { text: string }) {
	useText();
	const heard = said(text);
	return heard.isTranslated ? <>{heard.text}</> : <span lang="en">{heard.text}</span>;
}

/** What went wrong, in words: the service's own where it gave some. */
export function errorText(e: ApiError): string {
	if (e.status === 0) return say("error.offline");
	if (e.status === 429) return say("error.limit", { seconds: e.retryAfterSeconds ?? 15 });
	if (e.status === 403) return say("error.forbidden");
	if (!e.problem) return say("error.unexpected", { status: e.status });
	return said(e.message).text;
}

export function Failure({ error, onRetry }: { error: ApiError | undefined; onRetry?: () => void }) {
	const t = useText();
	if (!error) return null;
	return (
		<Notice tone="bad" isAlert>
			<p>{errorText(error)}</p>
			{error.problem?.errors && error.problem.errors.length > 0 && (
				<ul>
					{error.problem.errors.map((e) => (
						<li key={e.pointer}>
							{e.pointer && <code>{e.pointer.slice(1)}</code>} <Said text={e.detail} />
						</li>
					))}
				</ul>
			)}
			{onRetry && (
				<div>
					<Button isCompact onClick={onRetry}>
						{t("retry")}
					</Button>
				</div>
			)}
		</Notice>
	);
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
	return (
		<div class="empty">
			<h2>{title}</h2>
			{children}
		</div>
	);
}

export function Skeleton() {
	const t = useText();
	return (
		<div class="skeleton" role="status">
			<div class="hidden">{t("loading")}</div>
			<span />
			<span />
			<span />
		</div>
	);
}

/** Waiting, failed, or there. The place is kept while waiting, so that nothing jumps. */
export function Await<T>(props: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
	const { data, error, reload } = props.of;
	if (data !== undefined)
		return (
			<>
				<Failure error={error} onRetry={reload} />
				{props.children(data)}
			</>
		);
	return error ? <Failure error={error} onRetry={reload} /> : <Skeleton />;
}

type FieldProps = {
	label: string;
	hint?: string | undefined;
	wrong?: string | undefined;
	children: (a: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ComponentChildren;
};

/** A label, its control, and what is to be said of it. */
export function Field({ label, hint, wrong, children }: FieldProps) {
	const id = useId();
	const described = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(" ");
	return (
		<div class="field">
			<label for={id}>{label}</label>
			{children({
				id,
				...(described && { "aria-describedby": described }),
				...(wrong && { "aria-invalid": true }),
			})}
			{hint && (
				<span class="hint" id={`${id}-hint`}>
					{hint}
				</span>
			)}
			{wrong && (
				<span class="wrong" id={`${id}-wrong`} role="alert">
					{wrong}
				</span>
			)}
		</div>
	);
}

type TextProps = {
	label: string;
	value: string;
	onValue: (value: string) => void;
	hint?: string | undefined;
	wrong?: string | undefined;
	isShort?: boolean;
} & Omit<JSX.InputHTMLAttributes<HTMLInputElement>, "value" | "label" | "onInput" | "class" | "className">;

export function TextField({ label, value, onValue, hint, wrong, isShort, ...rest }: TextProps) {
	return (
		<Field label={label} hint={hint} wrong={wrong}>
			{(a) => (
				<input
					class={isShort ? "input short" : "input"}
					{...rest}
					{...a}
					value={value}
					onInput={(e) => onValue(e.currentTarget.value)}
				/>
			)}
		</Field>
	);
}

type SelectProps = {
	label: string;
	value: string;
	onValue: (value: string) => void;
	options: [value: string, text: string][];
	hint?: string;
};

export function SelectField({ label, value, onValue, options, hint }: SelectProps) {
	return (
		<Field label={label} hint={hint}>
			{(a) => (
				<select class="input" {...a} value={value} onChange={(e) => onValue(e.currentTarget.value)}>
					{options.map(([v, text]) => (
						<option key={v} value={v}>
							{text}
						</option>
					))}
				</select>
			)}
		</Field>
	);
}

export function Choice(props: { label: ComponentChildren; isOn: boolean; onChange: (on: boolean) => void }) {
	return (
		<label class="choice">
			<input type="checkbox" checked={props.isOn} onChange={(e) => props.onChange(e.currentTarget.checked)} />
			<span>{props.label}</span>
		</label>
	);
}

export function Copy({ text, label }: { text: string; label?: string }) {
	const t = useText();
	const copy = async (): Promise<void> => {
		try {
			await navigator.clipboard.writeText(text);
		} catch {
			copyByHand(text); // plain http has no clipboard API
		}
		toast(t("copied"));
	};
	return (
		<Button isCompact onClick={() => void copy()}>
			{label ?? t("copy")}
		</Button>
	);
}

function copyByHand(text: string): void {
	const area = document.createElement("textarea");
	area.value = text;
	area.className = "hidden";
	document.body.append(area);
	area.select();
	document.execCommand("copy");
	area.remove();
}

export function SecretBox({ value }: { value: string }) {
	return (
		<div class="secret">
			<code>{value}</code>
			<Copy text={value} />
		</div>
	);
}

type DialogProps = { title: string; onClose: () => void; children: ComponentChildren };

/** Modal; the browser keeps the focus inside. It would give it back too, were the dialog not taken out at once. */
export function Dialog({ title, onClose, children }: DialogProps) {
	const box = useRef<HTMLDialogElement>(null);
	const id = useId();
	useEffect(() => {
		const before = document.activeElement;
		const dialog = box.current;
		dialog?.showModal();
		return () => {
			dialog?.close(); // as long as it is open, nothing outside takes the focus
			if (before instanceof HTMLElement && before.isConnected) before.focus();
		};
	}, []);
	return (
		<dialog ref={box} aria-labelledby={id} onClose={onClose} onCancel={onClose}>
			<div class="body">
				<h2 id={id}>{title}</h2>
				{children}
			</div>
		</dialog>
	);
}

type ConfirmProps = {
	title: string;
	text: string;
	action: string;
	/** What must be typed before it can be done. */
	phrase?: string;
	error: ApiError | undefined;
	isBusy: boolean;
	onConfirm: () => void;
	onClose: () => void;
	children?: ComponentChildren;
};

export function Confirm(p: ConfirmProps) {
	const t = useText();
	const [typed, setTyped] = useState("");
	const isReady = p.phrase === undefined || typed.trim() === p.phrase;
	return (
		<Dialog title={p.title} onClose={p.onClose}>
			<p>{p.text}</p>
			{p.children}
			{p.phrase !== undefined && (
				<TextField
					label={t("confirm.type", { phrase: p.phrase })}
					value={typed}
					onValue={setTyped}
					autocomplete="off"
				/>
			)}
			<Failure error={p.error} />
			<div class="row">
				<Button kind="danger primary" isBusy={p.isBusy} disabled={!isReady} onClick={p.onConfirm}>
					{p.action}
				</Button>
				<Button onClick={p.onClose}>{t("cancel")}</Button>
			</div>
		</Dialog>
	);
}

export function Card({
	title,
	aside,
	children,
}: {
	title: string;
	aside?: ComponentChildren;
	children: ComponentChildren;
}) {
	const id = useId();
	return (
		<section class="card" aria-labelledby={id}>
			<div class="row spread">
				<h2 id={id}>{title}</h2>
				{aside}
			</div>
			{children}
		</section>
	);
}

/** The view's head; it takes the focus when one comes here, so that a screen reader says where one is. */
export function Head({ title, children }: { title: string; children?: ComponentChildren }) {
	const heading = useRef<HTMLHeadingElement>(null);
	useEffect(() => {
		document.title = `${title} · callhook`;
	}, [title]);
	useEffect(() => {
		if (document.activeElement === document.body || document.activeElement?.closest(".nav"))
			heading.current?.focus({ preventScroll: true });
	}, []);
	return (
		<div class="head">
			<h1 ref={heading} tabIndex={-1}>
				{title}
			</h1>
			{children && <div class="row">{children}</div>}
		</div>
	);
}

/** What a list is narrowed by; on a phone behind a button that says how much of it is in use. */
export function Filters({ inUse, children }: { inUse: number; children: ComponentChildren }) {
	const t = useText();
	const id = useId();
	const [isOpen, open] = useState(false);
	return (
		<form role="search" onSubmit={(e) => e.preventDefault()}>
			<button
				type="button"
				class="button compact filters-button"
				aria-expanded={isOpen}
				aria-controls={id}
				onClick={() => open(!isOpen)}
			>
				{inUse ? t("filters.inUse", { count: inUse }) : t("filters")}
			</button>
			<div class={isOpen ? "filters open" : "filters"} id={id}>
				{children}
			</div>
		</form>
	);
}

export function Table(props: { caption: string; heads: (Key | null)[]; children: ComponentChildren }) {
	const t = useText();
	return (
		<div class="table-box">
			{/* The roles are said although they are the elements' own: on a phone the rows are no table to CSS. */}
			<table class="flow" role="table">
				<caption class="hidden">{props.caption}</caption>
				<thead role="rowgroup">
					<tr role="row">
						{props.heads.map((h, i) => (
							<th key={i} scope="col" role="columnheader">
								{h ? t(h) : <span class="hidden">{t("actions")}</span>}
							</th>
						))}
					</tr>
				</thead>
				<tbody role="rowgroup">{props.children}</tbody>
			</table>
		</div>
	);
}
