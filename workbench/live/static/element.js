/* Elements of the page. */

/** An element with properties, attributes of ARIA and children. */
function element(tag, properties = {}, ...children) {
  const { aria, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(aria || {})) node.setAttribute(name === "role" ? name : `aria-${name}`, value);
  node.append(...children);
  return node;
}

