// Forms of actions: make elements for the items, and collect the values.

import { showText, textOf } from "./labels.js";

let numbers = 0; // for ids

const MAKERS = {
  boolean: makeBoolean,
  date: (item) => makeInput(item, "date", (input) => input.value || null, textOf(item.value).slice(0, 10)),
  enumerator: makeEnumerator,
  hidden: (item) => ({ element: null, value: () => item.value ?? null }),
  label: makeLabel,
  number: (item) => makeInput(item, "number", (input) => (input.value === "" ? null : input.valueAsNumber)),
  password: (item) => makeInput(item, "password", (input) => input.value),
  text: (item) => makeInput(item, "text", (input) => input.value),
  textarea: makeTextarea,
};

/** Return {elements, fields, values}: the elements for *items*, and a function that returns their values. */
export function makeForm(items) {
  const fields = (Array.isArray(items) ? items : []).map(makeField);
  return {
    fields,
    elements: fields.map((field) => field.element).filter(Boolean),
    values: () => collect(fields),
  };
}

/** Return the values by name. Items that share a name give a list, in the order of the items. */
function collect(fields) {
  const lists = new Map();
  for (const { name, value } of fields) {
    if (!value || name === undefined) continue;
    if (!lists.has(name)) lists.set(name, []);
    lists.get(name).push(value());
  }
  return Object.fromEntries([...lists].map(([name, list]) => [name, list.length > 1 ? list : list[0]]));
}

function makeField(item) {
  const isItem = item !== null && typeof item === "object" && !Array.isArray(item);
  const make = isItem && Object.hasOwn(MAKERS, item.type) ? MAKERS[item.type] : null;
  if (!make) {
    const what = isItem ? `the type ${JSON.stringify(item.type ?? null)}` : "no type";
    return { element: create("p", { className: "problem", textContent: `The form has an item with ${what}. The page cannot show it.` }) };
  }
  const named = typeof item.name === "string" && item.name !== "";
  return { ...make(item), name: named ? item.name : undefined };
}

function makeInput(item, type, value, text = textOf(item.value)) {
  const input = create("input", { type, value: text, placeholder: textOf(item.empty_text), autocomplete: "off" });
  if (type === "number") input.step = "any";
  return { element: labelled(item, input), value: () => value(input) };
}

function makeTextarea(item) {
  const area = create("textarea", { rows: 4, value: textOf(item.value), placeholder: textOf(item.empty_text) });
  return { element: labelled(item, area), value: () => area.value };
}

function makeBoolean(item) {
  const box = create("input", { type: "checkbox", checked: Boolean(item.value) });
  const label = create("label", { className: "inline" });
  label.append(box, labelOf(item));
  return { element: label, value: () => box.checked };
}

function makeLabel(item) {
  const element = create("div", { className: "label" });
  element.append(showText(item.value ?? item.label));
  return { element };
}

function makeEnumerator(item) {
  const multiple = Boolean(item.multi_select);
  const select = create("select", { multiple });
  let choices = [];
  const values = () => [...select.selectedOptions].filter((one) => one.value !== "").map((one) => choices[one.value].value);
  const offer = (data, chosen) => {
    choices = data;
    const texts = chosen.map((one) => JSON.stringify(one));
    const options = choices.map((choice, index) => {
      const selected = texts.includes(JSON.stringify(choice.value));
      const textContent = textOf(choice.label ?? choice.value);
      return create("option", { value: String(index), textContent, selected, defaultSelected: selected });
    });
    if (multiple) select.size = Math.min(Math.max(choices.length, 2), 8);
    else if (item.dynamic || !options.some((option) => option.selected)) {
      options.unshift(create("option", { value: "", textContent: textOf(item.empty_text) }));
    }
    select.replaceChildren(...options);
  };
  /** Offer other choices, and keep what is chosen. */
  const offerOthers = (data) => {
    const kept = values().filter((one) => !data.some((choice) => JSON.stringify(choice.value) === JSON.stringify(one)));
    offer([...data, ...kept.map((value) => ({ value }))], values());
  };
  const chosen = multiple && Array.isArray(item.value) ? item.value : [item.value];
  const data = (Array.isArray(item.data) ? item.data : []).filter((one) => one !== null && typeof one === "object");
  const isOffered = (value) => data.some((choice) => JSON.stringify(choice.value) === JSON.stringify(value));
  const missing = item.dynamic ? chosen.filter((value) => value != null && !isOffered(value)) : [];
  offer([...data, ...missing.map((value) => ({ value }))], chosen);
  const value = () => (multiple ? values() : (values()[0] ?? null));
  return { element: labelled(item, select), value, offer: offerOthers };
}

function labelled(item, control) {
  control.id = `item-${(numbers += 1)}`;
  const element = create("div", { className: "item" });
  element.append(create("label", { htmlFor: control.id, textContent: labelOf(item) }), control);
  return element;
}

function labelOf(item) {
  return textOf(item.label) || textOf(item.name) || item.type;
}

/** Return a new element *name* with *properties*. */
export function create(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}
