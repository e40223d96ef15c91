const view = at('view');
/** Counts what was asked to be shown: what comes late is not shown over what was asked for after it. */
let asked = 0;

/** Text with what is searched for marked in it. */
function put(parent, text) {
  const sought = wanted.text.trim().toLowerCase();
  const lower = text.toLowerCase();
  // Some letters have more than one in lower case; places would differ.
  if (!sought || lower.length !== text.length) {
    parent.append(text);
    return;
  }
  let from = 0;
  for (let hit = lower.indexOf(sought); hit >= 0; hit = lower.indexOf(sought, from)) {
    parent.append(text.slice(from, hit), make('mark', '', text.slice(hit, hit + sought.length)));
    from = hit + sought.length;
  }
  parent.append(text.slice(from));
}

/** Shows one of those found. */
async function show(nth) {
  asked += 1;
  const mine = asked;
  const place = found[nth];
  current = nth;
  draw();
  let one;
  try {
    one = await detail(place);
  } catch (error) {
    trouble(`This conversation cannot be read: ${error.message}`);
    return;
  }
  if (mine !== asked) return;
  const turns = make('ol', 'turns', ...one.t.map((turn) => said(turn, one)));
  view.replaceChildren(head(place, nth, one), ...verdict(one), ...steps(one), turns, particulars(one));
  view.scrollTop = 0;
}

function head(place, nth, one) {
  const id = index.ids[place];
  const known = ['outcome', 'tone', 'style', 'product', 'page'].flatMap((key) => valuesOf(key, place));
  const step = (label, name, to) => {
    const made = button('step', label, () => go(to));
    made.setAttribute('aria-label', name);
    made.disabled = to < 0 || to >= found.length;
    return made;
  };
  const bar = make('div', 'steps',
    button('back', '‹ All', () => leave()),
    make('h2', '', id),
    step('‹', 'Previous conversation', nth - 1),
    step('›', 'Next conversation', nth + 1));
  const about = make('p', 'about', [...known, counted(one.t.length, 'turn', 'turns'), counted(index.words[place], 'word', 'words')].join(' · '));
  return make('header', 'view-head', bar, about, marking(id));
}

/** The buttons to mark a conversation with. */
function marking(id) {
  const { mark, note } = markOf(id);
  const box = make('div', 'marking');
  const choice = (name, label, key) => {
    const made = button(`choice ${name}`, label, () => {
      setMark(id, { mark: markOf(id).mark === name ? null : name });
      box.replaceWith(marking(id));
      draw();
    });
    made.append(make('kbd', '', key));
    made.setAttribute('aria-pressed', String(mark === name));
    return made;
  };
  const field = make('textarea', 'note');
  field.id = 'note';
  field.rows = 1;
  field.placeholder = 'Note';
  field.setAttribute('aria-label', 'Note');
  field.value = note;
  field.addEventListener('input', () => {
    setMark(id, { note: field.value.trim() });
    draw();
  });
  box.append(choice('keep', 'Keep', 'y'), choice('drop', 'Drop', 'x'), field);
  return box;
}

function verdict(one) {
  if (!one.v) return [];
  const [reason, told] = one.v;
  return [make('p', 'turned', make('strong', '', `Turned down: ${reason}.`), ' ', told)];
}

/** How the question became the first message. */
function steps(one) {
  if (!one.w) return [];
  const list = make('ol', '', ...one.w.map(([asked, text]) => make('li', '', make('p', 'quiet', asked), make('p', '', text))));
  return [make('details', 'guard rewrites', make('summary', '', 'From the question to the first message'), list)];
}

/** A turn: who says it, what guards turned down before, the text with what backs it, notes. */
function said(turn, one) {
  const [name, side] = one.s[turn.s] || ['?', 'member'];
  const element = make('li', `turn ${side} p${turn.s % 6}`, make('p', 'speaker', name));
  for (const [guard, saw, reply] of turn.r || []) {
    const folded = make('details', 'guard', make('summary', '', `A reply was turned down: ${guard}`));
    const text = make('p');
    put(text, reply);
    folded.append(text, make('p', 'quiet', saw));
    element.append(folded);
  }
  const text = make('p', 'said');
  const reasons = [];
  let from = 0;
  for (const link of turn.l || []) {
    if (link[0] < from) continue;
    put(text, turn.x.slice(from, link[0]));
    const sentence = turn.x.slice(link[0], link[1]);
    from = link[1];
    if (link.length === 3) {
      const part = make('span', 'unbacked');
      put(part, sentence);
      part.title = link[2];
      text.append(part);
      reasons.push(make('p', 'source unbacked', make('span', '', 'Not backed: '), link[2]));
    } else {
      text.append(backed(sentence, link, one, element));
    }
  }
  put(text, turn.x.slice(from));
  if (!turn.x) text.append(make('span', 'quiet', '(nothing)'));
  element.append(text, ...reasons);
  if (turn.n) element.append(make('p', 'quiet notes', turn.n.join(' · ')));
  return element;
}

/** A sentence that the page backs; it opens the page's own words. */
function backed(sentence, [, , paragraph, first, last], one, element) {
  const [title, paragraphs] = pages[one.p];
  const [heading, words] = paragraphs[paragraph];
  const part = make('span', 'backed');
  put(part, sentence);
  part.title = words.slice(first, last);
  part.tabIndex = 0;
  part.setAttribute('role', 'button');
  part.setAttribute('aria-expanded', 'false');
  let open = null;
  const toggle = () => {
    if (open) {
      open.remove();
      open = null;
    } else {
      open = make('div', 'source backed',
        make('p', 'quiet', heading ? `${title} › ${heading}` : title),
        make('blockquote', '', words.slice(0, first), make('mark', '', words.slice(first, last)), words.slice(last)));
      element.querySelector('.said').after(open);
    }
    part.setAttribute('aria-expanded', String(open !== null));
  };
  part.addEventListener('click', toggle);
  part.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      event.stopPropagation();
      toggle();
    }
  });
  return part;
}

/** Who takes part, and what else is known. */
function particulars(one) {
  const facts = make('dl', 'facts');
  const fact = (name, value) => facts.append(make('div', '', make('dt', '', name), make('dd', '', value)));
  for (const [name, , persona] of one.s) if (persona) fact(name, persona);
  for (const [name, value] of one.f) fact(name, value);
  const folded = make('details', 'particulars', make('summary', '', 'What is known of it'), facts);
  folded.open = window.matchMedia('(min-width: 760px)').matches;
  return folded;
}
