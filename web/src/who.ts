/** The session for every view. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Session } from "./api/client";

export const SessionContext = createContext<Session | null>(null);

/** Only within the frame, which is shown to the signed-in. */
export function useSession(): Session {
	return useContext(SessionContext) as Session;
}
