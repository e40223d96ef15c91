/** What is looked for, and what was found: places of conversations, in the order in which they are listed. */
const wanted = { text: '', facets: new Map(), mark: '', order: 'plan' };
let found = [...index.ids.keys()];
/** Place in `found` of the one that is shown; -1 for none. */
let current = -1;

const list = at('list');
const rows = at('rows');
/** As in the style. */
const ROW = 78;
const BEYOND = 6;
const NONE = -1;

const MARK_FILTERS = {
  keep: ['to keep', (mark) => mark.mark === 'keep'],
  drop: ['to drop', (mark) => mark.mark === 'drop'],
  note: ['with a note', (mark) => mark.note !== ''],
  unmarked: ['unmarked', (mark) => !mark.mark],
};

function matches() {
  const text = wanted.text.trim().toLowerCase();
  const facets = [...wanted.facets].map(([key, value]) => [index.facets.find((facet) => facet.key === key).of, value]);
  const marked = wanted.mark && MARK_FILTERS[wanted.mark][1];
  const fits = (place) =>
    facets.every(([of, value]) => (value === NONE ? of[place].length === 0 : of[place].includes(value))) &&
    (!marked || marked(markOf(index.ids[place]))) &&
    (!text || texts[place].includes(text));
  const fitting = [...index.ids.keys()].filter(fits);
  const by = index[wanted.order];
  return by ? fitting.sort((one, other) => by[other] - by[one] || one - other) : fitting;
}

/** Looks again, and stays with the conversation that is shown where it is among those found. */
async function look() {
  if (wanted.text.trim() && !texts) {
    at('found').textContent = 'Reading…';
    try {
      await readAll();
    } catch (error) {
      trouble(`This browser cannot unpack the conversations (${error.message}); a newer one can.`);
      return;
    }
  }
  const shown = found[current];
  found = matches();
  current = found.indexOf(shown);
  at('found').textContent = found.length === total ? counted(total, 'conversation', 'conversations') : `${number(found.length)} of ${number(total)}`;
  rows.style.height = `${found.length * ROW}px`;
  chips();
  draw();
}

/** Rows that are in sight, and a few beyond. */
function draw() {
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - BEYOND);
  const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + BEYOND);
  const drawn = [];
  for (let nth = first; nth < last; nth += 1) drawn.push(row(nth));
  if (found.length === 0) drawn.push(make('p', 'nothing', 'No conversation fits. ', button('link', 'Clear all filters', clear)));
  rows.replaceChildren(...drawn);
  if (current >= 0) list.setAttribute('aria-activedescendant', `row-${current}`);
  else list.removeAttribute('aria-activedescendant');
}

function valuesOf(key, place) {
  const facet = index.facets.find((one) => one.key === key);
  return facet ? facet.of[place].map((value) => facet.values[value]) : [];
}

function row(nth) {
  const place = found[nth];
  const id = index.ids[place];
  const { mark, note } = markOf(id);
  const verdict = valuesOf('verdict', place)[0];
  const known = ['outcome', 'tone', 'style', 'product', 'page'].flatMap((key) => valuesOf(key, place));
  const about = make('p', 'about');
  if (verdict && verdict !== 'kept') about.append(make('span', 'turned', verdict), ' · ');
  about.append([...known, counted(index.turns[place], 'turn', 'turns')].join(' · '));
  const head = make('p', 'head', make('span', 'id', id));
  if (mark) head.append(make('span', `mark ${mark}`, mark));
  if (note) head.append(make('span', 'mark note', 'note'));
  if (index.unbacked[place]) head.append(make('span', 'flag', `${number(index.unbacked[place])} not backed`));
  const element = make('div', 'row', head, make('p', 'preview', index.previews[place] || '(nothing is said)'), about);
  element.id = `row-${nth}`;
  element.style.top = `${nth * ROW}px`;
  element.setAttribute('role', 'option');
  element.setAttribute('aria-selected', String(nth === current));
  element.setAttribute('aria-setsize', String(found.length));
  element.setAttribute('aria-posinset', String(nth + 1));
  element.addEventListener('click', () => go(nth));
  return element;
}

/** Brings a row into sight. */
function reveal(nth) {
  const top = nth * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
}

function clear() {
  wanted.text = '';
  wanted.mark = '';
  wanted.facets.clear();
  at('search').value = '';
  for (const select of at('filters').querySelectorAll('select')) select.value = '';
  look();
}

/** The filters that there are, each with how many have each value. */
function filters() {
  const one = (title, options, choose) => {
    const select = make('select', '', make('option', '', 'any'), ...options.map(([value, name]) => {
      const option = make('option', '', name);
      option.value = value;
      return option;
    }));
    select.options[0].value = '';
    select.addEventListener('change', () => {
      choose(select.value);
      list.scrollTop = 0;
      look();
    });
    const label = make('label', '', make('span', '', title), select);
    return [label, select];
  };
  const made = index.facets.map((facet) => {
    const counts = facet.values.map(() => 0);
    let without = 0;
    for (const values of facet.of) {
      for (const value of values) counts[value] += 1;
      without += values.length === 0;
    }
    const options = facet.values.map((value, nth) => [nth, `${value} (${number(counts[nth])})`]);
    if (without) options.push([NONE, `none (${number(without)})`]);
    const [label, select] = one(facet.title, options, (value) => {
      if (value === '') wanted.facets.delete(facet.key);
      else wanted.facets.set(facet.key, Number(value));
    });
    select.dataset.facet = facet.key;
    return label;
  });
  const [label, select] = one('Mark', Object.entries(MARK_FILTERS).map(([key, [name]]) => [key, name]), (value) => {
    wanted.mark = value;
  });
  select.dataset.facet = 'mark';
  at('filters').append(...made, label);
}

/** What is filtered by now, each to be taken away. */
function chips() {
  const shown = [...wanted.facets].map(([key, value]) => {
    const facet = index.facets.find((one) => one.key === key);
    return [key, `${facet.title}: ${value === NONE ? 'none' : facet.values[value]}`];
  });
  if (wanted.mark) shown.push(['mark', `Mark: ${MARK_FILTERS[wanted.mark][0]}`]);
  const made = shown.map(([key, text]) => {
    const chip = button('chip', text, () => {
      wanted.facets.delete(key);
      if (key === 'mark') wanted.mark = '';
      at('filters').querySelector(`select[data-facet="${CSS.escape(key)}"]`).value = '';
      look();
    });
    chip.setAttribute('aria-label', `${text}, take away`);
    return chip;
  });
  if (made.length > 1) made.push(button('link', 'Clear', clear));
  at('chips').replaceChildren(...made);
  at('chips').hidden = made.length === 0;
  at('filtering').textContent = shown.length ? String(shown.length) : '';
}
