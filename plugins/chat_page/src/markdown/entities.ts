// The character references that people and models write. Others stay as they are.

const NAMED: Record<string, string> = {
	amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", shy: "\u00ad",
	ensp: "\u2002", emsp: "\u2003", thinsp: "\u2009", zwnj: "\u200c", zwj: "\u200d",
	ndash: "–", mdash: "—", hellip: "…", bull: "•", middot: "·", lsquo: "‘", rsquo: "’",
	sbquo: "‚", ldquo: "“", rdquo: "”", bdquo: "„", laquo: "«", raquo: "»", lsaquo: "‹", rsaquo: "›",
	copy: "©", reg: "®", trade: "™", deg: "°", plusmn: "±", times: "×", divide: "÷", frac12: "½",
	frac14: "¼", frac34: "¾", sup2: "²", sup3: "³", micro: "µ", para: "¶", sect: "§", dagger: "†",
	euro: "€", pound: "£", yen: "¥", cent: "¢", larr: "←", uarr: "↑", rarr: "→", darr: "↓",
	harr: "↔", rArr: "⇒", lArr: "⇐", hArr: "⇔", infin: "∞", ne: "≠", le: "≤", ge: "≥", asymp: "≈",
	equiv: "≡", sum: "∑", prod: "∏", minus: "−", radic: "√", int: "∫", part: "∂", nabla: "∇",
	isin: "∈", notin: "∉", sub: "⊂", sup: "⊃", cap: "∩", cup: "∪", and: "∧", or: "∨", not: "¬",
	forall: "∀", exist: "∃", empty: "∅", check: "✓", cross: "✗", star: "☆", starf: "★", hearts: "♥",
	alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ε", theta: "θ", lambda: "λ", mu: "μ",
	pi: "π", rho: "ρ", sigma: "σ", tau: "τ", phi: "φ", omega: "ω", Delta: "Δ", Sigma: "Σ", Omega: "Ω",
	auml: "ä", ouml: "ö", uuml: "ü", Auml: "Ä", Ouml: "Ö", Uuml: "Ü", szlig: "ß", eacute: "é",
	egrave: "è", agrave: "à", ccedil: "ç", ntilde: "ñ", colon: ":", sol: "/", Tab: "\t", NewLine: "\n",
	lpar: "(", rpar: ")", num: "#", excl: "!", ast: "*", lowbar: "_", vert: "|", grave: "`", dollar: "$",
};

export function decoded(text: string): string {
	if (!text.includes("&")) return text;
	return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{1,12}));/g, (all, decimal, hex, name) => {
		if (name) return Object.hasOwn(NAMED, name) ? NAMED[name]! : all;
		return letter(decimal ? Number(decimal) : Number.parseInt(hex, 16));
	});
}

function letter(code: number): string {
	const valid = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
	return valid ? String.fromCodePoint(code) : "\ufffd";
}
