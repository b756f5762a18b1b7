// What lucide.mjs gives to the build. An ambient module cannot import the type `IconNode`.

declare module "lucide/icons/*" {
	const icon: [tag: string, attributes: Record<string, unknown>][];
	export default icon;
}

/** Loaders of all icons, by the first letter of the name. */
declare module "lucide-letters" {
	/** An icon, or of a former name, the name that it has now. */
	type Icon = [tag: string, attributes: Record<string, unknown>][] | string;
	type Letter = { default: Readonly<Record<string, Icon>> };
	const letters: Readonly<Record<string, () => Promise<Letter>>>;
	export default letters;
}
