// The helper's heart, applied to what is asked on standard input: one JSON value per line, both ways. The folder of the
// compiled helper is the first argument.
const path = require('node:path');
const readline = require('node:readline');
const load = (name) => require(path.join(process.argv[2], 'sp-sync', name));
const { apply } = load('heart/apply.js');
const { Document } = load('heart/document.js');
const { Item } = load('heart/item.js');
const { resolve } = load('heart/resolve.js');
const { checkAction, checkResponse } = load('check.js');

const item = (value) => (value === null || value === undefined ? undefined : Item.read(value));
const addressed = (response) => response && { executor: response.executor, item: item(response.item) };
const defined = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

// An operation as it was described, with its items and sets made.
const operation = (told) =>
  defined({
    ...told,
    item: told.item === undefined ? undefined : item(told.item),
    items: told.items?.map(item),
    actions: told.actions?.map(addressed),
    response: addressed(told.response ?? undefined),
    released: told.released && new Set(told.released),
    started: told.started ?? undefined,
    unseen: item(told.unseen),
  });

const outcome = (did) => {
  const shown = (items) => items.map((one) => one.toJson());
  switch (did.is) {
    case 'Taken':
      return {
        items: shown(did.taken.items),
        malformed: shown(did.taken.malformed),
        duplicates: shown(did.taken.duplicates),
      };
    case 'ResponseDropped':
      return { dropped: did.why };
    case 'TakenOver':
      return { lost: did.lost };
    case 'Refused':
      return { refused: did.error.kind, ...(did.error.kind === 'TooLarge' ? did.error.detail : {}) };
    default:
      return did.is;
  }
};

const verbs = {
  apply({ document, writer, rules, operations }) {
    const before = Document.read(document);
    const made = operations.map(operation);
    const applied = apply(before, writer, rules, made);
    const after = applied.document ?? before;
    return {
      changed: applied.document !== undefined,
      document: JSON.stringify(after.toJson()),
      bytes: after.bytes,
      view: JSON.stringify(after.view()),
      outcomes: applied.outcomes.map(outcome),
    };
  },
  resolve: ({ base, later, instance, number, operation: told }) =>
    resolve(Document.read(base), Document.read(later), instance, number, operation(told)),
  check({ name, info, response }) {
    try {
      return response ? { fields: checkResponse(name, info) } : { action: checkAction(name, info).action };
    } catch ({ kind, message, detail }) {
      return { refused: kind, message, field: detail?.field };
    }
  },
};

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { ask, verb, ...what } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ ask, value: verbs[verb](what) })}\n`);
});
