const index = JSON.parse(at('index').textContent);
const pages = JSON.parse(at('pages').textContent);
const total = index.ids.length;
const places = new Map(index.ids.map((id, place) => [id, place]));

/** Chunks that were read, the last ones only: a conversation is read again when it is looked at again. */
const chunks = new Map();
const CHUNKS_KEPT = 8;

async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

async function read(chunk) {
  const element = at(`chunk-${chunk}`);
  const text = element.textContent;
  return JSON.parse(element.type === 'application/gzip' ? await unpacked(text) : text);
}

/** All that is known of a conversation. */
async function detail(place) {
  const chunk = Math.floor(place / index.chunk);
  if (!chunks.has(chunk)) {
    chunks.set(chunk, read(chunk));
    if (chunks.size > CHUNKS_KEPT) chunks.delete(chunks.keys().next().value);
  }
  return (await chunks.get(chunk))[place % index.chunk];
}

/** Every word of every conversation in lower case, once somebody searches. */
let texts = null;
let reading = null;

function readAll() {
  reading ??= (async () => {
    const found = [];
    for (let chunk = 0; chunk * index.chunk < total; chunk += 1) {
      for (const one of await read(chunk)) {
        const said = one.t.map((turn) => turn.x);
        const people = one.s.flatMap(([name, , persona]) => [name, persona]);
        const facts = one.f.map(([, value]) => value);
        const id = index.ids[found.length];
        found.push([id, ...said, ...people, ...facts, ...(one.v || [])].join('\n').toLowerCase());
      }
    }
    texts = found;
  })();
  return reading;
}
