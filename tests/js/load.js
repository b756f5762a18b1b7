// Imports the script as it is served: from its text.
import { readFileSync } from "node:fs";

export const SOURCE = readFileSync(new URL("../../chatkit_server/web/client.js", import.meta.url), "utf8");

export function load(source = SOURCE) {
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
}
