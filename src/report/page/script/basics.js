const root = document.documentElement;
const at = (id) => document.getElementById(id);
const number = (n) => n.toLocaleString('en-US');
const counted = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

/** An element with a class and what it holds: elements, or texts, which stay texts. */
function make(name, className, ...held) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...held);
  return element;
}

/** A button that does something. */
function button(className, label, act) {
  const element = make('button', className, label);
  element.type = 'button';
  element.addEventListener('click', act);
  return element;
}

/** What the browser keeps for this page; nothing where it keeps nothing for pages from a disk. */
const store = {
  read(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  write(key, value) {
    try {
      localStorage.setItem(key, value);
      return true;
    } catch {
      return false;
    }
  },
};

function trouble(text) {
  at('trouble').textContent = text;
  at('trouble').hidden = !text;
}
