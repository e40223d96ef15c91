/** Which part of the page is shown: the report, the list, or a conversation. The address says so, for links and for going back. */
const ONE = '#id=';

function route() {
  let hash = location.hash;
  try {
    hash = decodeURIComponent(hash);
  } catch { /* it is what it is */ }
  const id = hash.startsWith(ONE) ? hash.slice(ONE.length) : null;
  const place = places.get(id);
  const isBrowser = hash === '#conversations' || place !== undefined;
  at('report').hidden = isBrowser;
  at('browser').hidden = !isBrowser;
  at('browser').classList.toggle('is-open', place !== undefined);
  root.classList.toggle('browsing', isBrowser);
  for (const link of document.querySelectorAll('[data-view]')) {
    const isHere = (link.dataset.view === 'conversations') === isBrowser;
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (!isBrowser) {
    const target = hash.length > 1 && document.getElementById(hash.slice(1));
    if (target) target.scrollIntoView();
    return;
  }
  if (place !== undefined) {
    if (!found.includes(place)) clear();
    const nth = found.indexOf(place);
    if (nth !== current || !view.firstChild) show(nth);
    reveal(nth);
  } else if (isWide() && found.length && current < 0) {
    show(0);
  }
  draw();
}

const isWide = () => window.matchMedia('(min-width: 900px)').matches;

function go(nth) {
  if (nth < 0 || nth >= found.length) return;
  const hash = ONE + encodeURIComponent(index.ids[found[nth]]).replaceAll('%2F', '/');
  // Going through conversations should not fill the way back.
  if (location.hash.startsWith(ONE)) history.replaceState(null, '', hash);
  else history.pushState(null, '', hash);
  at('browser').classList.add('is-open');
  show(nth);
  reveal(nth);
}

function leave() {
  history.replaceState(null, '', '#conversations');
  at('browser').classList.remove('is-open');
  draw();
  list.focus();
}

/** Marks the conversation that is shown and goes on to the next. */
function mark(change, goesOn) {
  if (current < 0) return;
  const id = index.ids[found[current]];
  setMark(id, change);
  view.querySelector('.marking')?.replaceWith(marking(id));
  draw();
  if (goesOn) go(current + 1);
}

const KEYS = {
  j: () => go(current + 1),
  k: () => go(current - 1),
  y: () => mark({ mark: 'keep' }, true),
  x: () => mark({ mark: 'drop' }, true),
  u: () => mark({ mark: null }, false),
  n: () => at('note')?.focus(),
  '/': () => at('search').focus(),
  f: () => at('filter').click(),
  s: saveMarks,
  '?': () => at('help').showModal(),
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || at('help').open) return;
  const isWriting = event.target.matches('input, textarea, select');
  if (event.key === 'Escape' && isWriting) {
    event.target.blur();
    list.focus();
    return;
  }
  if (isWriting) return;
  if (at('browser').hidden) {
    if (event.key === 'c') location.hash = '#conversations';
    return;
  }
  const arrows = event.target === list && { ArrowDown: KEYS.j, ArrowUp: KEYS.k, Home: () => go(0), End: () => go(found.length - 1) };
  const act = KEYS[event.key] || (arrows && arrows[event.key]) || (event.key === 'r' && (() => { location.hash = '#report'; }));
  if (act) {
    event.preventDefault();
    act();
  }
});

let waiting = 0;
at('search').addEventListener('input', () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    wanted.text = at('search').value;
    list.scrollTop = 0;
    look();
  }, 80);
});
at('order').addEventListener('change', () => {
  wanted.order = at('order').value;
  list.scrollTop = 0;
  look();
});
at('filter').addEventListener('click', () => {
  at('filters').hidden = !at('filters').hidden;
  at('filter').setAttribute('aria-expanded', String(!at('filters').hidden));
  draw();
});
at('save').addEventListener('click', saveMarks);
at('keys').addEventListener('click', () => at('help').showModal());

let frame = 0;
list.addEventListener('scroll', () => {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(draw);
});
window.addEventListener('resize', draw);
window.addEventListener('hashchange', route);

const THEMES = ['auto', 'light', 'dark'];
function theme(name) {
  if (name === 'auto') delete root.dataset.theme;
  else root.dataset.theme = name;
  const told = `Colours: ${name === 'auto' ? 'as the system has them' : name}`;
  at('theme').setAttribute('aria-label', told);
  at('theme').title = told;
}
at('theme').addEventListener('click', () => {
  const next = THEMES[(THEMES.indexOf(root.dataset.theme || 'auto') + 1) % THEMES.length];
  store.write('colloquy.theme', next === 'auto' ? '' : next);
  theme(next);
});

document.querySelector('.without-script').remove();
theme(root.dataset.theme || 'auto');
filters();
tally();
look().then(route);
