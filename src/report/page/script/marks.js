const MARKS_KEY = `colloquy.review.${index.key}`;

/** Marks by conversation: those that the page was made with, then what this browser's reader did. */
const given = new Map(index.marks.map((mark) => [mark.id, { mark: mark.mark || null, note: mark.note || '' }]));
const changed = new Map();
for (const [id, mark] of Object.entries(JSON.parse(store.read(MARKS_KEY) || '{}'))) {
  if (places.has(id)) changed.set(id, mark);
}

const UNMARKED = { mark: null, note: '' };
const markOf = (id) => changed.get(id) || given.get(id) || UNMARKED;

function setMark(id, change) {
  changed.set(id, { ...markOf(id), ...change });
  const kept = store.write(MARKS_KEY, JSON.stringify(Object.fromEntries(changed)));
  trouble(kept ? '' : 'This browser keeps nothing for pages from a disk: save the marks before you close the page.');
  tally();
}

/** All marks as lines of review.jsonl; one that was taken back says nothing of its conversation. */
function markLines() {
  const ids = [...new Set([...given.keys(), ...changed.keys()])];
  ids.sort((one, other) => (places.get(one) ?? total) - (places.get(other) ?? total));
  const lines = ids.flatMap((id) => {
    const { mark, note } = markOf(id);
    if (!mark && !note && !given.has(id)) return [];
    return [JSON.stringify({ id, ...(mark && { mark }), ...(note && { note }) })];
  });
  return lines.map((line) => `${line}\n`).join('');
}

function saveMarks() {
  const link = make('a');
  const url = URL.createObjectURL(new Blob([markLines()], { type: 'application/jsonl' }));
  link.href = url;
  link.download = 'review.jsonl';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function tally() {
  let [kept, dropped, noted] = [0, 0, 0];
  for (const id of new Set([...given.keys(), ...changed.keys()])) {
    const { mark, note } = markOf(id);
    kept += mark === 'keep';
    dropped += mark === 'drop';
    noted += note !== '';
  }
  const told = [kept && `${number(kept)} keep`, dropped && `${number(dropped)} drop`, noted && counted(noted, 'note', 'notes')];
  at('tally').textContent = told.filter(Boolean).join(' · ');
  at('save').hidden = !(kept || dropped || noted || changed.size);
}
