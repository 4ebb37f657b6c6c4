// An author's wording on the page: only ever as text, never as HTML.

/** "{right} of {total}" with the values of a table put in; unknown names stay. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A class's name as people read it. */
export function spoken(name) {
  return name.replace(/_/g, " ");
}

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else made[name] = value;
  }
  made.append(...children);
  return made;
}
