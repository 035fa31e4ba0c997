/** The frame: who is signed in, where one is, and the view for it. */
import { lazy, Suspense } from "preact/compat";
import { useCallback, useEffect, useState } from "preact/hooks";
import { ApiError, type Session, whenSignedOut } from "./api/client";
import { language, LANGUAGES, LanguageContext, setLanguage, useText, type Key, type Language } from "./i18n";
import { type Place, usePlace } from "./router";
import { forget, known, signInWithLink, signOut, takePortalLink } from "./session";
import { setTheme, theme, type Theme } from "./theme";
import * as format from "./format";
import { Button, errorText, Notice, Skeleton } from "./ui/parts";
import { toast, Toasts } from "./ui/toast";
import { SessionContext } from "./who";
import { CallList } from "./views/calls";
import { CallView } from "./views/call";
import { DeliveryList } from "./views/deliveries";
import { DeliveryView } from "./views/delivery";
import { Keys } from "./views/keys";
import { SignIn } from "./views/sign_in";
import { WebhookList } from "./views/webhooks";
import { NewWebhook, WebhookView } from "./views/webhook";
import icon from "./icon.svg";

// What the first view does not need comes when it is asked for.
const Health = lazy(() => import("./views/health").then((m) => m.Health));
const Inspector = lazy(() => import("./views/inspector").then((m) => m.Inspector));

const VIEWS: [path: string, key: Key][] = [
	["webhooks", "nav.webhooks"],
	["deliveries", "nav.deliveries"],
	["calls", "nav.calls"],
	["health", "nav.health"],
	["keys", "nav.keys"],
	["inspector", "nav.inspector"],
];

function View({ place }: { place: Place }) {
	const [name, id] = place.path;
	const key = place.path.join("/");
	if (name === "deliveries")
		return id ? <DeliveryView key={key} id={id} /> : <DeliveryList query={place.query} />;
	if (name === "calls") return id ? <CallView key={key} id={id} /> : <CallList query={place.query} />;
	if (name === "health") return <Health query={place.query} />;
	if (name === "keys") return <Keys />;
	if (name === "inspector") return <Inspector />;
	if (name === "webhooks" && id === "new") return <NewWebhook key="new" />;
	if (name === "webhooks" && id) return <WebhookView key={key} id={id} />;
	return <WebhookList query={place.query} />;
}

function Settings() {
	const t = useText();
	const [shown, show] = useState<Theme>(theme());
	return (
		<>
			<label>
				<span>{t("language")}</span>
				<select
					class="input short"
					value={language()}
					onChange={(e) => setLanguage(e.currentTarget.value as Language)}
				>
					{LANGUAGES.map(([code, name]) => (
						<option key={code} value={code} lang={code}>
							{name}
						</option>
					))}
				</select>
			</label>
			<label>
				<span>{t("theme")}</span>
				<select
					class="input short"
					value={shown}
					onChange={(e) => {
						const next = e.currentTarget.value as Theme;
						setTheme(next);
						show(next);
					}}
				>
					<option value="system">{t("theme.system")}</option>
					<option value="light">{t("theme.light")}</option>
					<option value="dark">{t("theme.dark")}</option>
				</select>
			</label>
		</>
	);
}

const WARN_MS = 5 * 60 * 1000;
const TICK_MS = 15 * 1000;

/** Says five minutes ahead that the session ends. */
function Expiry({ session, onEnd, onLeave }: { session: Session; onEnd: () => void; onLeave: () => void }) {
	const t = useText();
	const left = (): number => Date.parse(session.expires) - Date.now();
	const [remaining, set] = useState(left);
	useEffect(() => {
		const timer = setInterval(() => (left() <= 0 ? onEnd() : set(left())), TICK_MS);
		return () => clearInterval(timer);
	}, [session]);
	if (remaining > WARN_MS) return null;
	return (
		<Notice tone="warn" isAlert>
			<p>{t("session.ends", { time: format.clock(new Date(session.expires)) })}</p>
			<div>
				<Button isCompact onClick={onLeave}>
					{t("session.again")}
				</Button>
			</div>
		</Notice>
	);
}

function Frame({ session, onSignedOut }: { session: Session; onSignedOut: () => void }) {
	const t = useText();
	const place = usePlace();
	const current = place.path[0] ?? "webhooks";
	const [isMenuOpen, openMenu] = useState(false); // on narrow screens; on wide ones all of it is there
	useEffect(() => openMenu(false), [place]);
	const leave = (): void => {
		signOut().then(onSignedOut, (e: unknown) =>
			toast(e instanceof ApiError ? errorText(e) : t("error.offline")),
		);
	};
	return (
		<div class="frame">
			<a class="skip" href="#main" onClick={skip}>
				{t("skip")}
			</a>
			<header class="side">
				<div class="row spread">
					<a class="brand" href="#/webhooks">
						<img src={icon} alt="" />
						callhook
					</a>
					<button
						type="button"
						class="button compact menu-button"
						aria-expanded={isMenuOpen}
						aria-controls="menu"
						onClick={() => openMenu(!isMenuOpen)}
					>
						{t("menu")}
					</button>
				</div>
				<div class={isMenuOpen ? "menu open" : "menu"} id="menu">
					<nav aria-label={t("nav")}>
						<ul class="nav">
							{VIEWS.map(([path, key]) => (
								<li key={path}>
									<a href={`#/${path}`} aria-current={current === path ? "page" : undefined}>
										{t(key)}
									</a>
								</li>
							))}
						</ul>
					</nav>
					<div class="side-end">
						<Settings />
						<div class="row spread">
							<span class="muted break">{t("account", { id: session.accountId })}</span>
							<Button isCompact onClick={leave}>
								{t("signOut")}
							</Button>
						</div>
					</div>
				</div>
			</header>
			<main class="main" id="main" tabIndex={-1}>
				<Expiry session={session} onEnd={onSignedOut} onLeave={leave} />
				<Suspense fallback={<Skeleton />}>
					<View place={place} />
				</Suspense>
			</main>
		</div>
	);
}

function skip(e: Event): void {
	e.preventDefault();
	document.getElementById("main")?.focus();
}

export function App() {
	const [session, setSession] = useState<Session | null>(known);
	const [lang, setLang] = useState(language());
	const [linkError, setLinkError] = useState<ApiError>();
	const end = useCallback(() => {
		forget();
		setSession(null);
	}, []);
	useEffect(() => {
		whenSignedOut(end);
		// A link may also be opened where the page is open already: then only what is behind the # changes.
		const look = (): void => {
			const link = takePortalLink();
			if (!link) return;
			end();
			setLinkError(undefined);
			signInWithLink(link).then(setSession, (e: unknown) =>
				setLinkError(e instanceof ApiError ? e : new ApiError(0, null)),
			);
		};
		look();
		addEventListener("hashchange", look);
		return () => removeEventListener("hashchange", look);
	}, []);
	return (
		<LanguageContext.Provider value={{ lang, setLang }}>
			{session ? (
				<SessionContext.Provider value={session}>
					<Frame session={session} onSignedOut={end} />
				</SessionContext.Provider>
			) : (
				<SignIn onSession={setSession} linkError={linkError} settings={<Settings />} />
			)}
			<Toasts />
		</LanguageContext.Provider>
	);
}
