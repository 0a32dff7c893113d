// Show the text of a label: a part of Markdown, and a few HTML elements.
//
// The text comes from the program of somebody else. It becomes HTML, which an inert document parses.
// The page gets new elements that are copied from there: only those below, without attributes, and
// links only with addresses of the kinds below. Nothing else can reach the page, whatever the text.

const ELEMENTS = new Set(
  "a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre s small span strong sub sup table tbody td th thead tr u ul".split(" "),
);
const DROPPED = new Set("script style template iframe object embed svg math noscript textarea select title".split(" "));
const LINKS = new Set(["http:", "https:", "mailto:"]);

/** Return the elements for *text*, in a fragment. */
export function showText(text) {
  const inert = new DOMParser().parseFromString(toHtml(textOf(text)), "text/html");
  return copyChildren(inert.body, document.createDocumentFragment());
}

/** Return *value* as text if it is a text, a number or a truth value, else "". */
export function textOf(value) {
  // An object from JSON can have a key "toString", with which String() fails.
  return value === null || typeof value === "object" || value === undefined ? "" : String(value);
}

/** Return *address* if it is an address of the web or of mail, else null. */
export function safeAddress(address, kinds = LINKS) {
  try {
    const url = new URL(textOf(address));
    return kinds.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function copyChildren(from, to) {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.append(node.data);
    else if (node.nodeType === Node.ELEMENT_NODE) copyElement(node, to);
  }
  return to;
}

function copyElement(node, to) {
  const name = node.localName;
  if (DROPPED.has(name)) return;
  const address = name === "a" ? safeAddress(node.getAttribute("href")) : null;
  if (!ELEMENTS.has(name) || (name === "a" && !address)) {
    if (name === "img") to.append(node.getAttribute("alt") ?? "");
    copyChildren(node, to);
    return;
  }
  // The headings of a label are below that of its dialogue.
  const copy = document.createElement(name.replace(/^h([1-5])$/, (_, level) => `h${Math.min(Number(level) + 2, 6)}`));
  if (address) Object.assign(copy, { href: address, target: "_blank", rel: "noopener noreferrer" });
  to.append(copyChildren(node, copy));
}

// Markdown to HTML. The result need not be safe, because it is copied as above.

const BLOCKS = [
  [/^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/, () => "<hr>"],
  [/^ {0,3}(#{1,6})[ \t]+(.*)$/, (found) => `<h${found[1].length}>${inline(found[2])}</h${found[1].length}>`],
];
const LISTS = [["ul", /^ {0,3}[-*+][ \t]+(.*)$/], ["ol", /^ {0,3}\d{1,9}[.)][ \t]+(.*)$/]];

function toHtml(text) {
  const html = [];
  let paragraph = [];
  const end = () => {
    if (paragraph.length) html.push(`<p>${paragraph.map(inline).join("<br>")}</p>`);
    paragraph = [];
  };
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  while (lines.length) {
    const block = takeCode(lines) ?? takeList(lines) ?? takeLine(lines);
    if (block !== null) {
      end();
      html.push(block);
    } else {
      const line = lines.shift();
      if (line.trim()) paragraph.push(line.trim());
      else end();
    }
  }
  end();
  return html.join("\n");
}

function takeCode(lines) {
  if (!lines[0].startsWith("```")) return null;
  lines.shift();
  const code = [];
  while (lines.length && !lines[0].startsWith("```")) code.push(lines.shift());
  lines.shift();
  return `<pre><code>${escape(code.join("\n"))}</code></pre>`;
}

function takeList(lines) {
  const found = LISTS.find(([, pattern]) => pattern.test(lines[0]));
  if (!found || BLOCKS[0][0].test(lines[0])) return null;
  const [name, pattern] = found;
  const items = [];
  while (lines.length && pattern.test(lines[0])) items.push(`<li>${inline(pattern.exec(lines.shift())[1])}</li>`);
  return `<${name}>${items.join("")}</${name}>`;
}

function takeLine(lines) {
  for (const [pattern, make] of BLOCKS) {
    const found = pattern.exec(lines[0]);
    if (found) {
      lines.shift();
      return make(found);
    }
  }
  return null;
}

function inline(text) {
  return text
    .split(/(`[^`]+`)/)
    .map((part) => (part.length > 2 && part.startsWith("`") ? `<code>${escape(part.slice(1, -1))}</code>` : spans(part)))
    .join("");
}

function spans(text) {
  return text
    .replace(/\[([^\][]*)\]\(([^()\s]*)\)/g, (_, words, address) => `<a href="${escape(address)}">${words}</a>`)
    .replace(/\*\*([^*]+)\*\*|__([^_]+)__/g, (_, stars, lines) => `<strong>${stars ?? lines}</strong>`)
    .replace(/\*([^*\s][^*]*)\*/g, "<em>$1</em>")
    .replace(/(^|\s)_([^_]+)_(?=\s|$|[.,;:!?])/g, "$1<em>$2</em>");
}

function escape(text) {
  return text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
}
