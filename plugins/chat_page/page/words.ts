// The page's own words. The element has those of the chat.

const en = {
	title: "Sign in",
	token: "Token",
	explain: "This chat needs to know who you are. Paste the token that you were given.",
	link: "This chat needs to know who you are.",
	continue: "Continue",
	signOut: "Sign out",
};

const de: typeof en = {
	title: "Anmelden",
	token: "Token",
	explain: "Dieser Chat muss wissen, wer Sie sind. Fügen Sie das Token ein, das Sie bekommen haben.",
	link: "Dieser Chat muss wissen, wer Sie sind.",
	continue: "Weiter",
	signOut: "Abmelden",
};

export const words = (locale: string): typeof en => (/^de\b/i.test(locale) ? de : en);
