(element) => {
  const words = (text) => new Set(text.trim().split(/\s+/));
  const BANNED = words(`script style link meta base iframe frame frameset object embed applet portal
    fencedframe template noscript plaintext xmp marquee animate set foreignobject use`);
  const TAGS = words(`a abbr b bdi blockquote br button cite code del details dfn div em h1 h2 h3 h4 h5
    h6 hr i img input ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody
    td th thead tr u ul var`);
  const ATTRIBUTES = words(`align alt aria-label aria-live checked class decoding dir disabled href
    loading open part referrerpolicy rel role scope src start tabindex target title type`);
  const ACTIVE = /^on|^(srcdoc|srcset|formaction|ping|background|action|poster|xlink:href|data)$/i;
  const LINK = /^(https?|mailto|tel|chatkit-link):/;
  const PICTURE = /^(data:image\/(png|jpeg|gif|webp)[;,]|blob:)/;

  const found = new Set();
  const say = (what, each) => found.add(`${what} ${each.cloneNode(false).outerHTML.slice(0, 200)}`);
  if (window.__pwned) found.add("a script ran");
  for (const each of window.dialogs) found.add(`called ${each}`);
  if ({}.pwned !== undefined) found.add("Object.prototype has changed");
  if (window.around() !== window.before) found.add(`outside of the element: ${window.around()}`);
  if (location.pathname !== "/test/chat") found.add(`it went to ${location}`);
  for (const each of element.shadowRoot.querySelectorAll("*")) {
    if (BANNED.has(each.localName)) say("element", each);
    for (const { name, value } of each.attributes) attribute(each, name, value.trim().toLowerCase());
    looks(each);
    if (each.closest(".ock-text") && !each.closest(".ock-math, .ock-mark")) text(each);
  }
  return [...found];

  function attribute(each, name, value) {
    if (ACTIVE.test(name)) say("attribute", each);
    if (name === "src" && !value.startsWith(`${location.origin}/`) && !PICTURE.test(value))
      say("picture", each);
    if (name !== "href") return;
    if (!LINK.test(value)) say("address", each);
    if (value.startsWith("chatkit-link:")) return;
    if (each.target !== "_blank" || !each.rel.includes("noopener")) say("link", each);
  }

  function looks(each) {
    const { position, backgroundImage, maskImage, cursor, listStyleImage } = getComputedStyle(each);
    if (position === "fixed" && !each.closest("dialog, [popover]")) say("fixed", each);
    for (const picture of [backgroundImage, maskImage, cursor, listStyleImage])
      if (/url\("?(?!data:)/.test(picture)) say(picture, each);
  }

  function text(each) {
    if (!TAGS.has(each.localName)) say("text with", each);
    for (const { name } of each.attributes)
      if (!ATTRIBUTES.has(name) && !(name === "style" && each.closest(".ock-long")))
        say(`text with the attribute ${name}`, each);
  }
}
